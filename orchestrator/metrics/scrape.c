/*
 * One answer. It is made piece by piece: a few machines, or a metric of lud, in one turn of the loop, and the next piece when the
 * one before has gone to the kernel. So a fleet keeps nothing else waiting, and a reader that does not read costs one piece.
 *
 * Between two pieces machines may come and go. A metric's samples come in the order of the machines' names, so that what is there
 * all the time is told once. The connection may end at any time, and takes the scrape with it.
 */
#include <event2/event.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/metrics/priv.h"

#define SCRAPE_MACHINES 32u      /* of one piece */
#define SCRAPE_PIECE (32u << 10) /* bytes; one begins nothing more */

struct scrape {
	struct evhttp_request *request; /* the HTTP server's */
	struct metrics_page page;
	bool is_begun; /* the samples of page.id are */
	char after[sizeof(
	        ((struct machine_row *)0)->name)]; /* the last machine of them; "": none yet */
};

static const struct {
	void (*lud)(const struct metrics_page *page); /* NULL: by machine */
	void (*machine)(const struct metrics_page *page, struct machine *machine);
} scrape_sources[_METRIC_N] = {
#define LUD(name, ...) [METRIC_##name] = {.lud = metrics_on_##name},
#define MACHINE(name, ...) [METRIC_##name] = {.machine = metrics_on_##name},
#include "orchestrator/metrics/metrics.def"
};

/* Goes on with the metric by machine; true: that was the last one. */
static bool scrape_machines(struct scrape *scrape)
{
	struct machines *machines = engine_machines(scrape->page.metrics->parts.engine);

	for (size_t i = 0; i < SCRAPE_MACHINES; i++) {
		struct machine *machine = machines_after(machines, scrape->after);

		if (!machine) {
			return true;
		}
		scrape_sources[scrape->page.id].machine(&scrape->page, machine);
		memcpy(scrape->after, machine_row(machine)->name, sizeof(scrape->after));
	}
	return false;
}

/* Goes on with a metric; where that is its end, the next one is next. */
static void scrape_metric(struct scrape *scrape)
{
	bool is_over = true;

	if (!scrape->is_begun) {
		metrics_head(&scrape->page);
		scrape->is_begun = true;
	}
	if (scrape_sources[scrape->page.id].lud) {
		scrape_sources[scrape->page.id].lud(&scrape->page);
	} else {
		is_over = scrape_machines(scrape);
	}
	if (is_over) {
		scrape->page.id++;
		scrape->is_begun = false;
		*scrape->after = '\0';
	}
}

static void scrape_free(struct scrape *scrape)
{
	evbuffer_free(scrape->page.out);
	free(scrape);
}

/*
 * The connection is over. A request that it had to let go of is nobody's but ours then; any other goes with it.
 */
static void scrape_on_closed(struct evhttp_connection *connection, void *arg)
{
	struct scrape *scrape = arg;

	if (!evhttp_request_get_connection(scrape->request)) {
		evhttp_send_reply_end(scrape->request);
	}
	scrape_free(scrape);
}

/*
 * Whole metrics of lud, or one of some machines: by far not all of a fleet. Of machines that have nothing to tell, more: an empty
 * piece would be none, and nobody would ask for the next.
 */
static void scrape_piece(struct scrape *scrape)
{
	struct evbuffer *out = scrape->page.out;
	bool is_full = false;

	scrape->page.now_us = store_now_usec();
	while (scrape->page.id < _METRIC_N && !is_full) {
		bool is_of_machines = scrape_sources[scrape->page.id].machine != NULL;

		scrape_metric(scrape);
		is_full = evbuffer_get_length(out) > (is_of_machines ? 0 : SCRAPE_PIECE);
	}
}

/* The piece before is with the kernel; at first there was none. */
static void scrape_on_sent(struct evhttp_connection *connection, void *arg)
{
	struct scrape *scrape = arg;

	scrape_piece(scrape);
	if (evbuffer_get_length(scrape->page.out)) {
		evhttp_send_reply_chunk_with_cb(
		        scrape->request, scrape->page.out, scrape_on_sent, scrape);
		return;
	}
	evhttp_connection_set_closecb(connection, NULL, NULL);
	evhttp_send_reply_end(scrape->request);
	scrape_free(scrape);
}

/* From here on the answer makes itself, or ends with its connection. */
void scrape_begin(struct metrics *metrics, struct evhttp_request *request)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct scrape *scrape = mem_zero(sizeof(*scrape));

	scrape->request = request;
	scrape->page = (struct metrics_page){.metrics = metrics, .out = evbuffer_new()};
	if (!scrape->page.out) {
		abort();
	}
	evhttp_add_header(headers, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	evhttp_add_header(headers, "Connection", "close");
	evhttp_connection_set_closecb(connection, scrape_on_closed, scrape);
	evhttp_send_reply_start(request, HTTP_OK, "OK");
	scrape_on_sent(connection, scrape);
}
