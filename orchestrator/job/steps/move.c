/*
 * The step that moves the services of a machine out of the layouts that it was booted with: those were
 * made by this host, and lie in its files. Each service that can be updated and does not run in a
 * layout of the machine's own gets a job, a rerandomization by the machine; they are carried out one
 * after the other, as all jobs of a machine are.
 *
 *   status of the machine -> jobs for those that lack one -> the end of one of them -> status ...
 *
 * What is to be done follows from the machine's status and from the jobs that the record has for this
 * one, and from nothing in memory. So a lud that dies anywhere goes on where it was: its jobs are
 * taken up as all are, and a service is never asked for twice. One whose job did not commit stays
 * where it is, for a person to look at: what keeps it there would most likely do so again.
 *
 * A machine that names other services at every look gets no more than MOVE_JOBS_MAX jobs: its names are not to
 * fill the record.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/steps/priv.h"

/* A job whose end was not told is looked for after so long. */
#define MOVE_AGAIN_USEC UINT64_C(30000000)

/* That one move asks for: no machine has more services that can be moved. */
#define MOVE_JOBS_MAX 64

/* What a look at all services finds. */
struct move_count {
	unsigned int n_wait; /* their jobs are open */
	unsigned int
	        n_moved; /* in a layout of the machine's own, or where a job that committed put them */
	unsigned int n_failed; /* they stay where they are */
	char failed[120];      /* their names, as far as there is room */
};

static void move_failed(struct move_count *count, const char *service)
{
	size_t len = strlen(count->failed);

	count->n_failed++;
	snprintf(
	        count->failed + len, sizeof(count->failed) - len, "%s%s", len ? ", " : "", service);
}

/* Asks for the move of one service. It may be refused: it is not up, or its release is not registered. */
static int move_ask(struct job *job, const char *service, struct move_count *count)
{
	struct job_asked asked = {.who = access_lud(job->row.id), .reason = "", .request_id = ""};
	struct job_order order = {
	        .kind = JOB_RERANDOMIZE,
	        .machine = job->machine,
	        .service = service,
	        .release = "",
	        .quiescent = "",
	        .layout = "machine",
	        .asked = &asked,
	        .parent = job->row.id,
	};
	struct failure failure;
	int64_t id, n;
	int r = store_job_children(job->engine->parts.db, job->row.id, &n);

	if (r < 0) {
		return err_up(r);
	}
	if (n >= MOVE_JOBS_MAX) {
		log_warn("job %" PRId64 " asked for %d moves, and asks for no more: not for %s",
		        job->row.id, MOVE_JOBS_MAX, service);
		move_failed(count, service);
		return 0;
	}
	r = engine_plan(job->engine, &order, &id, &failure);
	if (r < 0) {
		return err_up(r);
	}
	if (r) {
		move_failed(count, service);
		return 0;
	}
	count->n_wait++;
	hook_point("move", "planned");
	return 0;
}

/* One service; a negative errno: the record is not to be had. */
static int move_service(struct job *job, const Machine__Service *service, struct move_count *count)
{
	struct job_row child;
	int r;

	if (!service->can_update) {
		return 0;
	}
	r = store_job_child(job->engine->parts.db, job->row.id, service->name, &child);
	if (r == DB_E_NONE && !service->machine_made) {
		return err_up(move_ask(job, service->name, count));
	}
	if (r == DB_E_NONE ||
	        (!r && (child.state == JOB_CONFIRMED || child.state == JOB_COMMITTED))) {
		count->n_moved++;
	} else if (!r && !child.ended_us) {
		count->n_wait++;
	} else if (!r) {
		move_failed(count, service->name);
	}
	return r == DB_E_NONE ? 0 : err_up(r);
}

static void move_end(struct job *job, const struct move_count *count)
{
	struct job_end end = {.state = JOB_COMMITTED};
	struct failure failure;
	char text[160];

	if (!count->n_failed) {
		snprintf(text, sizeof(text), "%u services run in layouts of the machine's own",
		        count->n_moved);
		end.hint = text;
		job_end(job, &end);
		return;
	}
	failure_set(&failure, "not-moved", machine_row(job->machine)->name,
	        "`luctl jobs` shows why; `luctl rerandomize` moves them",
	        "services that stay in the layouts that the machine was booted with: %s",
	        count->failed);
	job_fail(job, JOB_FAILED, &failure);
}

static void move_look(struct job *job)
{
	const Machine__Status *status = machine_status(job->machine);
	struct move_count count = {0};
	int r = 0;

	for (size_t i = 0; !r && i < status->n_services; i++) {
		r = move_service(job, status->services[i], &count);
	}
	if (r < 0) {
		err_forget();
		job_park(job, "the record gave no jobs");
		return;
	}
	if (count.n_wait) {
		job_progress(job, count.n_moved, count.n_moved + count.n_failed + count.n_wait, "");
		job_again(job, MOVE_AGAIN_USEC);
		return;
	}
	move_end(job, &count);
}

void job_step_move(struct job *job)
{
	job_refresh(job, move_look);
}
