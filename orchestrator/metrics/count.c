/*
 * What happens and is nowhere to be asked for afterwards without a walk through the history: it is counted as the engine tells of
 * it. A job that ended is told of once. What lud counts begins at 0 with it, which readers know by a counter that falls, and by
 * start_time_seconds.
 */
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/metrics/priv.h"
#include "orchestrator/store/rollouts.h"

#define MSEC UINT64_C(1000)
#define SEC (1000 * MSEC)

const uint64_t metrics_job_bounds_us[METRICS_BUCKETS_MAX] = {100 * MSEC, 250 * MSEC, 500 * MSEC,
        SEC, 2500 * MSEC, 5 * SEC, 10 * SEC, 30 * SEC, 60 * SEC, 300 * SEC, 1800 * SEC, 7200 * SEC};
const uint64_t metrics_blackout_bounds_us[METRICS_BUCKETS_MAX] = {100, 250, 500, MSEC, 2500,
        5 * MSEC, 10 * MSEC, 25 * MSEC, 50 * MSEC, 100 * MSEC, 250 * MSEC, SEC};

void metrics_count_news(const struct job_news *news, void *arg)
{
	struct metrics *metrics = arg;
	const struct job_row *row = news->row;
	struct metrics_count *count = &metrics->count;

	if (news->event != JOB_EVENT_ENDED) {
		return;
	}
	count->jobs[row->kind][row->state]++;
	if (row->state != JOB_CONFIRMED && row->state != JOB_COMMITTED) {
		return;
	}
	metrics_observe(&count->durations[row->kind], metrics_job_bounds_us,
	        row->ended_us > row->created_us ? (uint64_t)(row->ended_us - row->created_us) : 0);
	if (row->blackout_ns) {
		metrics_observe(&count->blackouts[row->kind], metrics_blackout_bounds_us,
		        row->blackout_ns / 1000);
	}
}

const char *metrics_change_name(enum metrics_change change)
{
	static const char *const names[_METRICS_CHANGE_N] = {
#define CHANGE(NAME, sentence) [METRICS_##NAME] = #NAME,
#include "proto/words/changes.def"
#undef CHANGE
	};

	return names[change];
}

/* Notes of services have the names in small letters. */
void metrics_count_note(const struct engine_note *note, void *arg)
{
	struct metrics *metrics = arg;

	if (!strcmp(note->kind, "rollout")) {
		metrics->count.rollouts_changed = true;
	}
	for (size_t i = 0; !strcmp(note->kind, "service") && i < _METRICS_CHANGE_N; i++) {
		metrics->count.changes[i] += !strcasecmp(note->state, metrics_change_name(i));
	}
}

static int count_rollout(const struct rollout_row *row, void *arg)
{
	uint64_t *counts = arg;

	if (row->state < _ROLLOUT_STATE_N) {
		counts[row->state]++;
	}
	return 0;
}

const uint64_t *metrics_rollouts(struct metrics *metrics)
{
	struct metrics_count *count = &metrics->count;

	if (!count->rollouts_changed) {
		return count->rollouts;
	}
	memset(count->rollouts, 0, sizeof(count->rollouts));
	count->rollouts_changed = store_rollout_each_open(engine_db(metrics->parts.engine),
	                                  count_rollout, count->rollouts) < 0;
	if (count->rollouts_changed) {
		log_warn("metrics: rollouts cannot be read: %s", err_trace());
		err_forget();
	}
	return count->rollouts;
}
