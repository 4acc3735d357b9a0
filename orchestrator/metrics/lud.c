/*
 * What lud knows of itself and of all machines together: from counts that are kept anyway, from memory, and from the size of two
 * files and the signed root, which are small. Every value that a label can have gets a sample, also where it is 0: what is not
 * there yet cannot be seen to rise.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "host/base/file.h"
#include "orchestrator/db/durable.h"
#include "orchestrator/job/core/state.h"
#include "orchestrator/job/idle/idle.h"
#include "orchestrator/metrics/priv.h"
#include "orchestrator/work/kit.h"
#include "version.h"

void metrics_on_build_info(const struct metrics_page *page)
{
	metrics_put(page, 1, (const char *[]){SAMSARA_VERSION});
}

void metrics_on_start_time_seconds(const struct metrics_page *page)
{
	metrics_put_plain(page, (double)page->metrics->started_us / 1e6);
}

/* Kept where machines change, so that nobody walks here. */
static const struct machines_tally *lud_tally(const struct metrics_page *page)
{
	return machines_tally(engine_machines(page->metrics->parts.engine));
}

void metrics_on_machines(const struct metrics_page *page)
{
	for (enum machine_state state = MACHINE_UP; state < _MACHINE_STATE_N; state++) {
		metrics_put(page, lud_tally(page)->in[state],
		        (const char *[]){machine_state_name(state)});
	}
}

void metrics_on_machines_well(const struct metrics_page *page)
{
	metrics_put_plain(page, lud_tally(page)->well);
}

void metrics_on_machines_limit(const struct metrics_page *page)
{
	metrics_put_plain(page, (double)page->metrics->parts.config->machine_limit);
}

/* States have numbers of their own; of those without a name there is no job. */
static bool lud_is_open(enum job_state state)
{
	return *job_state_name(state) && job_class(state) != JOB_CLASS_ENDED;
}

void metrics_on_open_jobs(const struct metrics_page *page)
{
	struct jobs_tally tally;

	engine_tally_jobs(page->metrics->parts.engine, &tally);
	for (enum job_state state = JOB_PLANNED; state < _JOB_STATE_N; state++) {
		if (lud_is_open(state)) {
			metrics_put(page, tally.in[state], (const char *[]){job_state_name(state)});
		}
	}
}

void metrics_on_open_jobs_oldest_wait_seconds(const struct metrics_page *page)
{
	struct jobs_tally tally;

	engine_tally_jobs(page->metrics->parts.engine, &tally);
	metrics_put_plain(page, tally.waits_since_us && tally.waits_since_us < page->now_us
	                                ? (double)(page->now_us - tally.waits_since_us) / 1e6
	                                : 0);
}

void metrics_on_jobs_total(const struct metrics_page *page)
{
	for (enum job_kind kind = JOB_UPDATE; kind < _JOB_KIND_N; kind++) {
		for (enum job_state state = JOB_COMMITTED; state < _JOB_STATE_N; state++) {
			if (job_class(state) == JOB_CLASS_ENDED && state != JOB_SKIPPED) {
				metrics_put(page, (double)page->metrics->count.jobs[kind][state],
				        (const char *[]){
				                job_kind_name(kind), job_state_name(state)});
			}
		}
	}
}

/* Of each kind of job: also of those that have no blackout, or have not ended yet. */
static void lud_histograms(const struct metrics_page *page,
        const struct metrics_histogram *histograms, const uint64_t *bounds_us)
{
	for (enum job_kind kind = JOB_UPDATE; kind < _JOB_KIND_N; kind++) {
		metrics_put_histogram(
		        page, &histograms[kind], bounds_us, (const char *[]){job_kind_name(kind)});
	}
}

void metrics_on_job_duration_seconds(const struct metrics_page *page)
{
	lud_histograms(page, page->metrics->count.durations, metrics_job_bounds_us);
}

void metrics_on_blackout_seconds(const struct metrics_page *page)
{
	lud_histograms(page, page->metrics->count.blackouts, metrics_blackout_bounds_us);
}

void metrics_on_service_changes_total(const struct metrics_page *page)
{
	for (enum metrics_change change = 0; change < _METRICS_CHANGE_N; change++) {
		metrics_put(page, (double)page->metrics->count.changes[change],
		        (const char *[]){metrics_change_name(change)});
	}
}

void metrics_on_holds(const struct metrics_page *page)
{
	const struct hold_row *rows;

	metrics_put_plain(page, (double)rules_holds(engine_rules(page->metrics->parts.engine),
	                                page->now_us, &rows));
}

/* Those that are over are not open, and have no sample. */
void metrics_on_rollouts(const struct metrics_page *page)
{
	static const enum rollout_state open[] = {
	        ROLLOUT_RUNNING, ROLLOUT_PAUSED, ROLLOUT_PROMOTED};
	const uint64_t *counts = metrics_rollouts(page->metrics);

	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		metrics_put(page, (double)counts[open[i]],
		        (const char *[]){rollout_state_name(open[i])});
	}
}

void metrics_on_prebuilt_variants(const struct metrics_page *page)
{
	metrics_put_plain(page, (double)prebuilt_ready(page->metrics->parts.engine));
}

/* Of a keyring without a signed root there is nothing to tell. */
void metrics_on_key_expiry_timestamp_seconds(const struct metrics_page *page)
{
	static const char *const roles[_ROOT_ROLE_N] = {
	        [ROOT_ROLE_RELEASE] = "release",
	        [ROOT_ROLE_VARIANT] = "variant",
	        [ROOT_ROLE_ORDER] = "order",
	        [ROOT_ROLE_CONTROL] = "control",
	        [ROOT_ROLE_POLICY] = "policy",
	};
	struct kit_ends ends;

	if (kit_root_ends(page->metrics->parts.config->keyring, &ends) < 0) {
		err_forget();
		return;
	}
	metrics_put(page, (double)ends.root, (const char *[]){"root"});
	for (enum root_role role = 0; role < _ROOT_ROLE_N; role++) {
		if (ends.roles[role]) {
			metrics_put(page, (double)ends.roles[role], (const char *[]){roles[role]});
		}
	}
}

void metrics_on_record_well(const struct metrics_page *page)
{
	metrics_put_plain(page, db_health(engine_db(page->metrics->parts.engine)) == DB_WELL);
}

void metrics_on_record_late_seconds(const struct metrics_page *page)
{
	metrics_put_plain(page, db_late_sec(engine_db(page->metrics->parts.engine)));
}

/* Of a file that is not there: 0. The log comes and goes. */
void metrics_on_record_bytes(const struct metrics_page *page)
{
	static const struct {
		const char *label, *behind;
	} files[] = {{"database", ""}, {"log", "-wal"}};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		_cleanup_(freep) char *path = text_format(
		        "%s%s", db_path(engine_db(page->metrics->parts.engine)), files[i].behind);
		struct stat found;

		metrics_put(page, stat(path, &found) == 0 ? (double)found.st_size : 0,
		        (const char *[]){files[i].label});
	}
}

/* The words of wire.ErrorClass. */
void metrics_on_requests_total(const struct metrics_page *page)
{
	static const char *const classes[CONTROL_CLASSES] = {"ok", "unsupported", "invalid",
	        "not_found", "busy", "denied", "full", "refused", "failed", "unavailable",
	        "internal"};
	const struct control_tally *tally = control_tally(page->metrics->parts.control);

	for (size_t i = 0; i < CONTROL_CLASSES; i++) {
		metrics_put(page, (double)tally->answered[i], (const char *[]){classes[i]});
	}
}

void metrics_on_connections(const struct metrics_page *page)
{
	metrics_put_plain(page, (double)server_tally(page->metrics->parts.server).open);
}

void metrics_on_connections_total(const struct metrics_page *page)
{
	struct server_tally tally = server_tally(page->metrics->parts.server);

	metrics_put(page, (double)tally.admitted, (const char *[]){"admitted"});
	metrics_put(page, (double)tally.refused, (const char *[]){"refused"});
}
