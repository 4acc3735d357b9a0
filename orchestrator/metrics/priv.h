#pragma once
/*
 * Inside metrics:
 *
 *   listen (who may connect, how many, how long) -> scrape (one answer, piece by piece) -> lud, far, fleet (values) -> text
 *                                                                             engine's news -> count (what only counts) ^
 */
#include <event2/buffer.h>
#include <event2/http.h>
#include <sys/queue.h>

#include "orchestrator/metrics/metrics.h"

enum metric_id {
#define LUD(name, ...) METRIC_##name,
#define MACHINE(name, ...) METRIC_##name,
#include "orchestrator/metrics/metrics.def"
	_METRIC_N,
};

/* text.c: the text format, version 0.0.4. A page is where samples of one metric go. */
struct metrics_page {
	struct metrics *metrics;
	struct evbuffer *out;
	enum metric_id id;
	int64_t now_us;
};
/* What begins the samples of page->id. */
void metrics_head(const struct metrics_page *page);
/* A sample; as many values as the row has labels. What no text of ours has is replaced in them. */
void metrics_put(const struct metrics_page *page, double value, const char *const *values);
/* Of a metric without labels. */
void metrics_put_plain(const struct metrics_page *page, double value);
#define METRICS_LABEL_SIZE 64u
/* A label's value as it will be printed, but for escapes: bytes that are not printable ASCII are replaced, and what is long is cut. */
void metrics_label(const char *text, char ret_label[METRICS_LABEL_SIZE]);

/* How often something took how long. */
#define METRICS_BUCKETS_MAX 16u
struct metrics_histogram {
	uint64_t in[METRICS_BUCKETS_MAX +
	            1]; /* up to each bound and above the one before; the last: above all */
	uint64_t sum_us;
};
/* Bounds in microseconds, rising, a 0 behind them. */
void metrics_observe(struct metrics_histogram *histogram, const uint64_t *bounds_us, uint64_t us);
void metrics_put_histogram(const struct metrics_page *page,
        const struct metrics_histogram *histogram, const uint64_t *bounds_us,
        const char *const *values);

/* count.c: what cannot be asked for afterwards */
enum metrics_change {
#define CHANGE(NAME, sentence) METRICS_##NAME,
#include "proto/words/changes.def"
#undef CHANGE
	_METRICS_CHANGE_N,
};
extern const uint64_t metrics_job_bounds_us[METRICS_BUCKETS_MAX];
extern const uint64_t metrics_blackout_bounds_us[METRICS_BUCKETS_MAX];
struct metrics_count {
	uint64_t jobs[_JOB_KIND_N][_JOB_STATE_N];
	struct metrics_histogram durations[_JOB_KIND_N], blackouts[_JOB_KIND_N];
	uint64_t changes[_METRICS_CHANGE_N];
	/* Open rollouts, as the record has them since the last change of one. */
	bool rollouts_changed;
	uint64_t rollouts[_ROLLOUT_STATE_N];
};
void metrics_count_news(const struct job_news *news, void *arg);
void metrics_count_note(const struct engine_note *note, void *arg);
const char *metrics_change_name(enum metrics_change change);
/* What the record has of open rollouts, read again if one changed. */
const uint64_t *metrics_rollouts(struct metrics *metrics);

/* lud.c, far.c, fleet.c: put the samples of one metric, of lud or of a machine */
#define LUD(name, ...) void metrics_on_##name(const struct metrics_page *page);
#define MACHINE(name, ...)                                                                         \
	void metrics_on_##name(const struct metrics_page *page, struct machine *machine);
#include "orchestrator/metrics/metrics.def"

/* scrape.c: answers one request, and is gone with its connection */
void scrape_begin(struct metrics *metrics, struct evhttp_request *request);

/* Somebody who is connected, from the first byte to the last. */
struct metrics_visitor {
	LIST_ENTRY(metrics_visitor) link;
	struct bufferevent *stream; /* a reference; the HTTP server owns it */
	int64_t since_us;           /* elapsed_usec() */
};

struct metrics {
	struct metrics_parts parts;
	int64_t started_us; /* unix */
	struct engine_watch *watch;
	struct engine_note_watch *notes;
	struct metrics_count count;
	struct evhttp *http;
	struct evconnlistener *listener; /* the HTTP server's; NULL once that is gone */
	char *path;                      /* of the socket file, which goes with it; NULL: TCP */
	struct event *sweep;             /* looks at visitors while there are any */
	size_t n_visitors;
	bool is_short; /* of what the last visitor needs; it was told */
	LIST_HEAD(, metrics_visitor) visitors;
};
