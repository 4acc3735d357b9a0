/*
 * The sequence of events. A person who watches must be able to say afterwards what he has not seen: so events are numbered
 * without gaps, a reader that comes back names the last number that it has, and what it cannot have any more is counted
 * and told. Numbers count in one run of lud, which has a name drawn at its start; another run's numbers mean nothing here.
 *
 *     engine news, notes, looks -> feed_add -> ring -> feed_on_flush -> each reader, as far as it reads
 *
 * What holds:
 *
 *   events with numbers [next - FEED_KEPT, next) are kept, of those that there are; none is ever changed
 *   a reader of one machine is told of numbers that are passed over, so that what it comes back with is not as old as
 *   the last event of its machine: else all others would be missing to it
 *   a reader is sent each number once, in order; one that does not read is left alone until it is not, and cut when the
 *   ring has gone on over its next number
 *   readers are called from the loop only, never from inside whatever made the event
 *
 * Events are not recorded: what must be known later is in the history and in the jobs. What is amiss is looked for only
 * while somebody reads, since a look goes over all machines.
 */
#include "orchestrator/control/feed/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "host/base/file.h"
#include "orchestrator/control/feed/priv.h"
#include "orchestrator/control/view/view.h"

#define FEED_KEPT 1024u
#define FEED_BACKLOG_MAX (64u << 10) /* queued for a reader; more is sent when it has read */
#define FEED_CHUNK_MAX 32u /* events of a chunk; each is bounded, so that it fits a frame */
#define FEED_TEXT_MAX 400u
#define FEED_LOOK_SEC 1
#define FEED_RETRY_MSEC 100 /* until one that did not read is tried again */

/* An event, packed; what is asked of it here stands beside. */
struct feed_entry {
	uint8_t *packed;
	size_t size;
	uint64_t job;
	enum job_state state; /* of the job */
	char machine[32];     /* "": none */
};

struct feed_reader {
	LIST_ENTRY(feed_reader) link; /* in feed->readers */
	struct feed *feed;
	const struct feed_ops *ops;
	void *arg;
	char machine[32];
	uint64_t next; /* number */
	uint64_t told; /* ->next of the last chunk: what it comes back with */
	bool is_new;   /* nothing was sent yet: the first chunk says where it stands */
	uint64_t missed;
	bool is_other_run;
};

struct feed {
	struct engine *engine;
	struct engine_watch *watch;
	struct engine_note_watch *notes;
	struct event *flush; /* something is to be sent */
	struct event *look_timer;
	struct look *look;
	char run[FEED_RUN_SIZE];
	int64_t began_us;
	uint64_t next;            /* the number of the next event */
	enum job_state job_state; /* of the event that is being added, for a job's */
	struct feed_entry ring[FEED_KEPT];
	LIST_HEAD(, feed_reader) readers;
};

static uint64_t feed_oldest(const struct feed *feed)
{
	return feed->next > FEED_KEPT ? feed->next - FEED_KEPT : 1;
}

static void feed_flush_in(struct feed *feed, unsigned int msec)
{
	struct timeval pause = {0, (suseconds_t)msec * 1000};

	evtimer_add(feed->flush, &pause);
}

void feed_add(struct feed *feed, Control__Event *event)
{
	struct feed_entry *entry = &feed->ring[feed->next % FEED_KEPT];
	char text[FEED_TEXT_MAX], remedy[FEED_TEXT_MAX];

	snprintf(text, sizeof(text), "%s", event->text);
	snprintf(remedy, sizeof(remedy), "%s", event->remedy);
	event->text = text;
	event->remedy = remedy;
	event->number = feed->next++;
	event->at_us = store_now_usec();
	free(entry->packed);
	entry->size = control__event__get_packed_size(event);
	entry->packed = mem_zero(entry->size + 1);
	control__event__pack(event, entry->packed);
	entry->job = event->job;
	entry->state = feed->job_state;
	snprintf(entry->machine, sizeof(entry->machine), "%s", event->machine);
	if (!LIST_EMPTY(&feed->readers)) {
		feed_flush_in(feed, 0);
	}
}

/* Whether the newest event of this job that is kept has this state. */
static bool feed_has_state(const struct feed *feed, uint64_t job, enum job_state state)
{
	for (uint64_t number = feed->next - 1; number >= feed_oldest(feed) && number; number--) {
		const struct feed_entry *entry = &feed->ring[number % FEED_KEPT];

		if (entry->job == job) {
			return entry->state == state;
		}
	}
	return false;
}

/* Why a job ended as it did, by the record; "" where it has no cause. */
static const char *feed_cause(struct pool *pool, struct feed *feed, int64_t job)
{
	Control__Job *view = NULL;

	if (view_job(pool, feed->engine, job, false, &view)) {
		err_forget();
		return "";
	}
	return view->cause ? view->cause->message : "";
}

static const char *feed_job_text(struct pool *pool, struct feed *feed, const struct job_news *news)
{
	switch (news->event) {
	case JOB_EVENT_STEP:
		return news->row->wait_why;
	case JOB_EVENT_PROGRESS:
		return news->text;
	case JOB_EVENT_NOTICE:
		return news->text;
	case JOB_EVENT_PROPOSED:
		return "waits for the signature of a control key";
	case JOB_EVENT_ENDED:
		return feed_cause(pool, feed, news->row->id);
	case JOB_EVENT_STALLED:
		return "stands still: the record cannot be written";
	case _JOB_EVENT_N:
		break;
	}
	return "";
}

/*
 * Progress in bytes is for whoever waits for that job; a step of the machine is an event where it brings another state, which
 * is when the job prepares and when it switches.
 */
static void feed_on_news(const struct job_news *news, void *arg)
{
	_cleanup_(pool_fini) struct pool pool;
	struct feed *feed = arg;
	const struct job_row *row = news->row;
	Control__Event event = CONTROL__EVENT__INIT;
	const struct machine *machine = machines_by_id(engine_machines(feed->engine), row->machine);

	pool_init(&pool);
	if (news->event == JOB_EVENT_PROGRESS &&
	        (!news->text || feed_has_state(feed, (uint64_t)row->id, row->state))) {
		return;
	}
	event.kind = "job";
	event.machine = machine ? (char *)machine_row(machine)->name : "";
	event.service = (char *)row->service;
	event.job = (uint64_t)row->id;
	event.state = (char *)job_state_name(row->state);
	event.step = (char *)job_step_name(row->step);
	event.text = (char *)feed_job_text(&pool, feed, news);
	feed->job_state = row->state;
	feed_add(feed, &event);
}

static void feed_on_note(const struct engine_note *note, void *arg)
{
	Control__Event event = CONTROL__EVENT__INIT;

	event.kind = (char *)note->kind;
	event.machine = (char *)note->machine;
	event.service = (char *)note->service;
	event.state = (char *)note->state;
	event.text = (char *)note->text;
	feed_add(arg, &event);
}

/* A chunk of this reader's events from ->next on; how many there are in it. */
static size_t feed_fill(struct feed_reader *reader, struct pool *pool, Control__EventChunk *chunk)
{
	struct feed *feed = reader->feed;

	chunk->events = pool_zero(pool, FEED_CHUNK_MAX * sizeof(*chunk->events));
	while (reader->next < feed->next && chunk->n_events < FEED_CHUNK_MAX) {
		const struct feed_entry *entry = &feed->ring[reader->next++ % FEED_KEPT];
		bool is_its = (!*reader->machine || !*entry->machine ||
		                      !strcmp(reader->machine, entry->machine)) &&
		              reader->ops->sees(entry->machine, reader->arg);

		if (is_its) {
			Control__Event *event = control__event__unpack(
			        &pool->allocator, entry->size, entry->packed);

			chunk->events[chunk->n_events] = event;
			chunk->n_events += event != NULL;
		}
	}
	return chunk->n_events;
}

/* One chunk. False: there is nothing more for it now, or no reader any more. */
static bool feed_send(struct feed_reader *reader)
{
	_cleanup_(pool_fini) struct pool pool;
	struct feed *feed = reader->feed;
	Control__EventChunk chunk = CONTROL__EVENT_CHUNK__INIT;
	bool is_new = reader->is_new;
	bool more;

	pool_init(&pool);
	chunk.run = feed->run;
	chunk.began_us = feed->began_us;
	chunk.missed = reader->missed;
	chunk.is_other_run = reader->is_other_run;
	chunk.is_cut = !is_new && reader->next < feed_oldest(feed);
	chunk.next = reader->next;
	if (!chunk.is_cut) {
		is_new = !feed_fill(reader, &pool, &chunk) ? is_new : true;
		chunk.next = reader->next;
	}
	is_new = is_new || reader->next - reader->told >= FEED_KEPT / 2;
	more = !chunk.is_cut && reader->next < feed->next;
	reader->is_new = false;
	reader->missed = 0;
	reader->is_other_run = false;
	if (is_new || chunk.is_cut) {
		reader->told = chunk.next;
		reader->ops->take(&chunk, reader->arg);
	}
	return more;
}

/* As much as each reader takes. */
static void feed_on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct feed *feed = arg;
	struct feed_reader *reader = LIST_FIRST(&feed->readers);
	bool is_full = false;

	while (reader) {
		struct feed_reader *next = LIST_NEXT(reader, link);
		bool more = reader->is_new || reader->next < feed->next;

		while (more) {
			bool is_over = !reader->is_new && reader->next < feed_oldest(feed);

			if (!is_over && reader->ops->backlog(reader->arg) > FEED_BACKLOG_MAX) {
				is_full = true;
				break;
			}
			more = feed_send(reader);
		}
		reader = next;
	}
	if (is_full) {
		feed_flush_in(feed, FEED_RETRY_MSEC);
	}
}

static void feed_on_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = {FEED_LOOK_SEC, 0};
	struct feed *feed = arg;

	if (LIST_EMPTY(&feed->readers)) {
		return;
	}
	look_at(feed->look, feed, feed->engine);
	evtimer_add(feed->look_timer, &pause);
}

struct feed *feed_new(struct event_base *base, struct engine *engine)
{
	struct feed *feed = mem_zero(sizeof(*feed));
	uint64_t run = 0;

	while (getrandom(&run, sizeof(run), 0) != sizeof(run)) {
	}
	snprintf(feed->run, sizeof(feed->run), "%016" PRIx64, run);
	feed->engine = engine;
	feed->next = 1;
	feed->began_us = store_now_usec();
	feed->look = look_new();
	LIST_INIT(&feed->readers);
	feed->flush = evtimer_new(base, feed_on_flush, feed);
	feed->look_timer = evtimer_new(base, feed_on_look, feed);
	if (!feed->flush || !feed->look_timer) {
		abort();
	}
	feed->watch = engine_watch(engine, feed_on_news, feed);
	feed->notes = engine_note_watch(engine, feed_on_note, feed);
	return feed;
}

struct feed *feed_free(struct feed *feed)
{
	if (!feed) {
		return NULL;
	}
	engine_note_watch_free(feed->notes);
	engine_watch_free(feed->watch);
	event_free(feed->flush);
	event_free(feed->look_timer);
	look_free(feed->look);
	for (size_t i = 0; i < FEED_KEPT; i++) {
		free(feed->ring[i].packed);
	}
	free(feed);
	return NULL;
}

/* Where a reader begins that comes with what it has. */
static void feed_seek(struct feed_reader *reader, const Control__WatchRequest *from)
{
	const struct feed *feed = reader->feed;

	if (!*from->run) {
		reader->next = feed->next;
		return;
	}
	reader->is_other_run = strcmp(from->run, feed->run) != 0;
	reader->next = feed_oldest(feed);
	if (!reader->is_other_run && from->after > reader->next) {
		reader->next = from->after < feed->next ? from->after : feed->next;
	} else if (!reader->is_other_run) {
		reader->missed = reader->next - (from->after ? from->after : 1);
	}
}

struct feed_reader *feed_read(
        struct feed *feed, const Control__WatchRequest *from, const struct feed_ops *ops, void *arg)
{
	static const struct timeval now = {0, 0};
	struct feed_reader *reader = mem_zero(sizeof(*reader));

	reader->feed = feed;
	reader->ops = ops;
	reader->arg = arg;
	reader->is_new = true;
	snprintf(reader->machine, sizeof(reader->machine), "%s", from->machine);
	feed_seek(reader, from);
	LIST_INSERT_HEAD(&feed->readers, reader, link);
	feed_flush_in(feed, 0);
	evtimer_add(feed->look_timer, &now);
	return reader;
}

struct feed_reader *feed_reader_free(struct feed_reader *reader)
{
	if (reader) {
		LIST_REMOVE(reader, link);
		free(reader);
	}
	return NULL;
}
