/*
 * The way back of an update that ran, whoever goes it: the step that watched it, or its set. It is a rollback of its
 * own (job/plan); here stands what comes before that can be asked for.
 *
 *   nobody can be asked    the machine is not heard, or the service does not run: it is waited for, as long as any
 *                          job waits. The deadline is in the record, so that a restart of lud moves it no further;
 *                          but a machine that lud has not heard since has a while for that, else nobody had waited
 *   nothing goes back      what the update put there does not run any more
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/job/order/order.h"
#include "orchestrator/job/steps/priv.h"

/* So often is looked whether it can be gone. */
#define BACK_LOOK_USEC UINT64_C(1000000)
/* lud may have been away: a machine has so long to be heard again. */
#define BACK_GRACE_USEC (60 * UINT64_C(1000000))

/* How what is waited for begins, for people, and for the next look, which keeps the deadline. */
static const char back_word[] = "the way back: ";

enum back_at job_back_at(const struct job *job, const struct job_row *update)
{
	const Machine__Service *service = machine_service(job->machine, update->service);
	struct release_row runs;
	int r = service ? machine_release(job->engine->parts.db, service, &runs) : DB_E_NONE;

	err_forget();
	if (r < 0 || machine_state(job->machine) != MACHINE_UP) {
		return BACK_AT_UPDATE;
	}
	if (!r && runs.id == update->release) {
		return BACK_AT_UPDATE;
	}
	return !r && runs.id == update->from_release ? BACK_AT_BEFORE : BACK_AT_ELSEWHERE;
}

/* Why nothing can be asked for now, though it may be later. False: it can. */
static bool back_is_kept(const struct job *job, const char *name, char *why, size_t size)
{
	const Machine__Service *service = machine_service(job->machine, name);

	if (machine_state(job->machine) != MACHINE_UP) {
		snprintf(why, size, "%smachine %.64s does not answer", back_word,
		        machine_row(job->machine)->name);
		return true;
	}
	snprintf(why, size, "%s%.24s does not run; `luctl restart` starts it afresh", back_word,
	        name);
	return service && service->state != MACHINE__SERVICE_STATE__SERVICE_RUNNING &&
	       service->state != MACHINE__SERVICE_STATE__SERVICE_UPDATING;
}

/* The deadline has passed, and this lud has seen that it was of no use to wait. */
static bool back_is_in_vain(struct job *job)
{
	uint64_t now = job_elapsed_usec();

	job->back_usec = job->back_usec ? job->back_usec : now;
	return store_now_usec() >= job->row.wait_until_us &&
	       (machine_state(job->machine) == MACHINE_UP ||
	               now - job->back_usec >= BACK_GRACE_USEC);
}

/* The next look is what it is asked for. */
static void back_on_status(int r, void *arg)
{
}

enum back_way job_back_way(struct job *job, const char *service)
{
	char why[sizeof(job->row.wait_why)];
	bool waited = !strncmp(job->row.wait_why, back_word, strlen(back_word));

	if (!back_is_kept(job, service, why, sizeof(why))) {
		return BACK_IS_OPEN;
	}
	if (!job_waits(
	            job, why, waited ? job->row.wait_until_us : job_turn(job->engine).until_us)) {
		return BACK_IS_AWAITED;
	}
	if (back_is_in_vain(job)) {
		return BACK_IS_SHUT;
	}
	if (machine_state(job->machine) == MACHINE_UP &&
	        machine_refresh(job->machine, back_on_status, job) < 0) {
		err_forget();
	}
	job_again(job, BACK_LOOK_USEC);
	return BACK_IS_AWAITED;
}
