/*
 * The steps that run an update and confirm it. The machine knows the transaction by
 * the job's txn and answers a repetition with the first result, so nothing is done
 * twice. That the update was sent is recorded before it is; a job that finds it so
 * recorded asks for the result first:
 *
 *   done     take it
 *   running  wait: the result comes as an event (and is asked for now and then)
 *   unknown  another boot, or too long ago: what runs now decides;
 *            never accepted in this boot: stage and send again, under the same txn
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "orchestrator/base/file.h"
#include "orchestrator/base/log.h"
#include "orchestrator/job/hook.h"
#include "orchestrator/job/priv.h"

/* How long after the update's own limit its result is asked for. */
#define JOB_RESULT_GRACE_USEC 1000000
/* How many layouts are drawn for one update. */
#define JOB_DRAW_TRIES 8

static void job_run_query(struct job *job);

static enum job_state job_outcome_state(Machine__Outcome outcome)
{
	switch (outcome) {
	case MACHINE__OUTCOME__OUTCOME_COMMITTED:
		return JOB_COMMITTED;
	case MACHINE__OUTCOME__OUTCOME_PREPARED:
		return JOB_PREPARED;
	case MACHINE__OUTCOME__OUTCOME_REFUSED:
		return JOB_REFUSED;
	case MACHINE__OUTCOME__OUTCOME_ROLLED_BACK:
		return JOB_ROLLED_BACK;
	case MACHINE__OUTCOME__OUTCOME_NONE:
	case _MACHINE__OUTCOME_IS_INT_SIZE:
		break;
	}
	return JOB_UNKNOWN;
}

static enum generation_state job_generation_state(enum job_state state)
{
	switch (state) {
	case JOB_COMMITTED:
		return GENERATION_RUNNING;
	case JOB_PREPARED:
		return GENERATION_REHEARSED;
	case JOB_REFUSED:
		return GENERATION_REFUSED;
	case JOB_ROLLED_BACK:
		return GENERATION_UNDONE;
	case JOB_UNKNOWN:
		return GENERATION_UNKNOWN;
	case JOB_OPEN:
	case JOB_FAILED:
	case JOB_SKIPPED:
	case _JOB_STATE_N:
		break;
	}
	return GENERATION_ABANDONED;
}

static int job_run_keep_result(struct db *db, void *arg)
{
	const Machine__Result *result = ((void **)arg)[0];
	const struct job *job = ((void **)arg)[1];
	size_t size = machine__result__get_packed_size(result);
	_cleanup_(freep) uint8_t *packed = mem_zero(size + 1);

	machine__result__pack(result, packed);
	return err_up(store_job_outcome(db, job->row.id, NULL, 0, packed, size));
}

/* The fresh layout hits the running one: bad luck, not a failure. */
static bool job_run_overlaps(const struct job *job, const Machine__Result *result)
{
	return result->cause && !strcmp(result->cause->name, "E_V_OVERLAP") &&
	       job->n_drawn_again < JOB_DRAW_TRIES;
}

static int job_refuse_generation(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = job_parts_load(job);

	if (!r) {
		r = store_generation_set_state(db, job->parts->generation.id, GENERATION_REFUSED);
	}
	return err_up(r);
}

static void job_draw_again(struct job *job)
{
	if (!job_record(job, job_refuse_generation, job)) {
		return;
	}
	job->n_drawn_again++;
	job->row.txn = 0;
	job_back(job, JOB_STEP_SEED, "its layout hits the running one; another is drawn");
}

void job_on_result(struct job *job, const Machine__Result *result)
{
	struct job_end end = {
	        .state = job_outcome_state(result->outcome),
	        .cause = result->cause,
	        .hint = result->cause ? job_hint(result->cause) : "",
	        .result = result,
	};

	if (end.state == JOB_COMMITTED) {
		job_done(job, "", job_run_keep_result, (void *[]){(void *)result, job});
		return;
	}
	if (job_run_overlaps(job, result)) {
		job_draw_again(job);
		return;
	}
	end.generations = job_generation_state(end.state);
	job_end(job, &end);
}

struct job_late {
	struct machine *machine;
	const Machine__Result *result;
	struct job_row row;
};

static int job_late_generation(struct db *db, const struct job_late *late)
{
	struct generation_row row;
	int r = store_generation_find(
	        db, late->row.machine, late->row.service, late->row.generation, &row);

	if (r || row.state != GENERATION_UNKNOWN) {
		return r == DB_E_NONE ? 0 : err_up(r);
	}
	if (late->row.state == JOB_COMMITTED) {
		return err_up(store_generation_runs(db, row.service, row.number));
	}
	return err_up(
	        store_generation_set_state(db, row.id, job_generation_state(late->row.state)));
}

static int job_late_write(struct db *db, void *arg)
{
	struct job_late *late = arg;
	size_t size = machine__result__get_packed_size(late->result);
	_cleanup_(freep) uint8_t *packed = mem_zero(size + 1);
	int r;

	r = store_job_by_txn(db, machine_row(late->machine)->id, late->result->txn, &late->row);
	if (r || late->row.state != JOB_UNKNOWN) {
		return r == DB_E_NONE ? 0 : err_up(r);
	}
	late->row.state = job_outcome_state(late->result->outcome);
	snprintf(late->row.hint, sizeof(late->row.hint),
	        "the machine's result came after the job was given up");
	machine__result__pack(late->result, packed);
	r = store_job_update(db, &late->row);
	if (!r) {
		r = store_job_outcome(db, late->row.id, NULL, 0, packed, size);
	}
	if (!r) {
		r = job_late_generation(db, late);
	}
	return err_fold(r);
}

void job_late_result(struct engine *engine, struct machine *machine, const Machine__Result *result)
{
	struct job_late late = {.machine = machine, .result = result};

	if (db_txn(engine->parts.db, job_late_write, &late)) {
		log_warn("a late result is not recorded: %s", err_trace());
		err_forget();
	} else if (late.row.id) {
		log_info("job %" PRId64 ", given up as unknown, is %s", late.row.id,
		        job_state_name(late.row.state));
	}
}

static uint32_t job_timeout_ms(const struct job *job)
{
	const struct config *config = job->engine->parts.config;

	return job->row.timeout_ms ? (uint32_t)job->row.timeout_ms
	                           : (uint32_t)(config->update_timeout_usec / 1000);
}

/* The result comes as an event; should it be lost, it is asked for. */
static void job_run_wait(struct job *job)
{
	job_limit_again(job, job_timeout_ms(job) * UINT64_C(1000));
	job_again(job, job_timeout_ms(job) * UINT64_C(1000) + JOB_RESULT_GRACE_USEC);
}

static void job_run_accepted(struct job *job)
{
	job->row.accepted = true;
	if (!job_save(job)) {
		return;
	}
	hook_point("run", "accepted");
	job_run_wait(job);
}

static void job_run_on_sent(int r, const Machine__Reply *reply, void *arg)
{
	struct job *job = arg;

	if (!r && reply->body_case == MACHINE__REPLY__BODY_ACCEPTED) {
		job_run_accepted(job);
		return;
	}
	if (!r && reply->body_case == MACHINE__REPLY__BODY_RESULT && reply->result->result) {
		job_on_result(job, reply->result->result);
		return;
	}
	if (!r && reply->body_case == MACHINE__REPLY__BODY_ERROR &&
	        reply->error->class_ == WIRE__ERROR_CLASS__ERROR_BUSY &&
	        reply->error->busy_id == job->row.txn) {
		job_run_accepted(job);
		return;
	}
	job_answer_bad(job, r, reply);
}

static void job_run_send(struct job *job)
{
	const struct config *config = job->engine->parts.config;
	struct job_part *part = job->parts;
	_cleanup_(freep) uint8_t *envelope = NULL;
	Machine__UpdateRun run = MACHINE__UPDATE_RUN__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;
	size_t size;
	int r;

	r = store_generation_envelope(job->engine->parts.db, part->generation.id, &envelope, &size);
	if (r) {
		err_forget();
		job_back(job, JOB_STEP_SIGN, "its envelope is not in the record");
		return;
	}
	run.txn = job->row.txn;
	run.service = job->row.service;
	run.envelope.data = envelope;
	run.envelope.len = size;
	run.payload_hash.data = part->variant.payload_hash;
	run.payload_hash.len = sizeof(part->variant.payload_hash);
	run.description_hash.data = part->release.state_hash;
	run.description_hash.len = sizeof(part->release.state_hash);
	run.prepare_only = job->row.prepare_only;
	run.state = job->row.quiescent;
	run.timeout_ms = job_timeout_ms(job);
	run.hold_ms = job->row.hold_ms ? (uint32_t)job->row.hold_ms
	                               : (uint32_t)(config->hold_usec / 1000);
	run.prepare_ms = config->prepare_timeout_usec / 1000;
	run.transfer_ms = config->transfer_timeout_usec / 1000;
	if (job->row.timeout_ms) {
		/* A limit that a person gave counts for each phase too. */
		run.prepare_ms = run.transfer_ms = run.timeout_ms;
	}
	request.body_case = MACHINE__REQUEST__BODY_UPDATE_RUN;
	request.update_run = &run;
	request.identity = job->row.identity;
	if (machine_request(job->machine, &request, JOB_ANSWER_USEC, job_run_on_sent, job) < 0) {
		err_forget();
		job_park(job, "the session with the machine is lost");
	}
}

/* The machine has forgotten the transaction: what runs now tells. */
static void job_run_unknown(struct job *job)
{
	const Machine__Service *service = machine_service(job->machine, job->row.service);
	bool same_boot = machine_row(job->machine)->boot_id == job->row.boot_id;
	struct failure failure;

	if (same_boot && !job->row.accepted) {
		job_back(job, JOB_STEP_STAGE, "the machine has not seen it");
		return;
	}
	if (same_boot && service && service->generation == job->row.generation) {
		job_done(job, "the result is forgotten; the generation runs", NULL, NULL);
		return;
	}
	failure_set(&failure, "result-unknown", job->row.service,
	        "`luctl status` shows what runs; ask for the update again if it is still wanted",
	        "%s; generation %" PRIu64 " does not run",
	        same_boot ? "the machine has forgotten the transaction"
	                  : "the machine was restarted in the meantime",
	        job->row.generation);
	job_fail(job, JOB_UNKNOWN, &failure);
}

static void job_run_on_refreshed(int r, void *arg)
{
	struct job *job = arg;

	if (r < 0) {
		job_park(job, "the machine gave no status");
		return;
	}
	job_run_unknown(job);
}

static void job_run_on_answer(int r, const Machine__Reply *reply, void *arg)
{
	struct job *job = arg;

	if (r || reply->body_case != MACHINE__REPLY__BODY_RESULT) {
		job_answer_bad(job, r, reply);
		return;
	}
	switch (reply->result->state) {
	case MACHINE__TXN_STATE__TXN_DONE:
		if (reply->result->result) {
			job_on_result(job, reply->result->result);
			return;
		}
		break;
	case MACHINE__TXN_STATE__TXN_RUNNING:
		job_run_accepted(job);
		return;
	case MACHINE__TXN_STATE__TXN_UNKNOWN:
	case _MACHINE__TXN_STATE_IS_INT_SIZE:
		break;
	}
	if (machine_refresh(job->machine, job_run_on_refreshed, job) < 0) {
		err_forget();
		job_park(job, "the session with the machine is lost");
	}
}

static void job_run_query(struct job *job)
{
	Machine__ResultQuery query = MACHINE__RESULT_QUERY__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	query.txn = job->row.txn;
	request.body_case = MACHINE__REQUEST__BODY_RESULT_QUERY;
	request.result_query = &query;
	if (machine_request(job->machine, &request, JOB_ANSWER_USEC, job_run_on_answer, job) < 0) {
		err_forget();
		job_park(job, "the session with the machine is lost");
	}
}

static int job_run_send_txn(struct db *db, void *arg)
{
	struct job *job = arg;

	return err_up(store_job_send(db, &job->row, machine_row(job->machine)->boot_id));
}

void job_step_run(struct job *job)
{
	struct failure failure;
	int r;

	if (job->row.boot_id) {
		job_run_query(job);
		return;
	}
	r = job_parts_load(job);
	if (r < 0) {
		failure_set(&failure, "record", "run", "check the state directory",
		        "the job's variant cannot be loaded: %s", strerror(-r));
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	if (!job_record(job, job_run_send_txn, job)) {
		return;
	}
	hook_point("run", "sent");
	job_run_send(job);
}

static void job_confirm_on_refreshed(int r, void *arg)
{
	struct job *job = arg;
	const Machine__Service *service = machine_service(job->machine, job->row.service);
	struct job_end end = {.state = JOB_COMMITTED};
	struct failure failure;
	const struct variant_row *variant;

	if (r < 0 || job_parts_load(job) < 0) {
		err_forget();
		job_park(job, "the machine gave no status");
		return;
	}
	variant = &job->parts->variant;
	if (service && service->generation == job->row.generation &&
	        service->build_id.len == sizeof(variant->build_id) &&
	        !memcmp(service->build_id.data, variant->build_id, sizeof(variant->build_id))) {
		job_end(job, &end);
		return;
	}
	failure_set(&failure, "not-confirmed", job->row.service,
	        "`luctl status` shows what runs; `luctl log` may show why",
	        "the machine committed generation %" PRIu64 " and now runs generation %" PRIu64,
	        job->row.generation, service ? service->generation : 0);
	job_fail(job, JOB_UNKNOWN, &failure);
}

void job_step_confirm(struct job *job)
{
	if (machine_refresh(job->machine, job_confirm_on_refreshed, job) < 0) {
		err_forget();
		job_park(job, "the session with the machine is lost");
	}
}
