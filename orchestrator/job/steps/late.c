/*
 * What a machine's outcome is called here, and results that come after their job was given up.
 * A job whose order was sent, and of which nothing was heard for long enough, ends as INCONSISTENT:
 * that is true and final for whoever waited. The machine keeps its results, though, and tells
 * them when it is heard again; then the record is corrected, the only change that an ended job
 * ever sees. A job that ended in any other way is never touched.
 */
#include <inttypes.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/steps/priv.h"

enum job_state job_outcome_state(Machine__Outcome outcome)
{
	switch (outcome) {
#define OUTCOME(name)                                                                              \
	case MACHINE__OUTCOME__OUTCOME_##name:                                                     \
		return JOB_##name;
#include "proto/words/outcomes.def"
#undef OUTCOME
	case MACHINE__OUTCOME__OUTCOME_NONE:
	case _MACHINE__OUTCOME_IS_INT_SIZE:
		break;
	}
	return JOB_INCONSISTENT;
}

enum generation_state job_generation_state(enum job_state state)
{
	switch (state) {
	case JOB_CONFIRMED:
	case JOB_COMMITTED:
		return GENERATION_RUNNING;
	case JOB_PREPARED:
		return GENERATION_REHEARSED;
	case JOB_REFUSED:
		return GENERATION_REFUSED;
	case JOB_ROLLED_BACK:
		return GENERATION_UNDONE;
	case JOB_INCONSISTENT:
		return GENERATION_UNKNOWN;
	case JOB_PLANNED:
	case JOB_APPROVED:
	case JOB_FORGING:
	case JOB_STAGED:
	case JOB_SCHEDULED:
	case JOB_HELD:
	case JOB_ORDERED:
	case JOB_PREPARING:
	case JOB_SWITCHING:
	case JOB_PROBATION:
	case JOB_SOAKING:
	case JOB_FAILED:
	case JOB_CANCELLED:
	case JOB_SUPERSEDED:
	case JOB_EXPIRED:
	case JOB_SKIPPED:
	case _JOB_STATE_N:
		break;
	}
	return GENERATION_ABANDONED;
}

/* A result, and the job that it is of. */
struct job_late {
	struct machine *machine;
	const Machine__Result *result;
	struct job_row row;
	bool settles; /* the job was given up, and is corrected */
};

/* Only a generation that was left as unknown: a status may have settled it since. */
static int late_generation(struct db *db, const struct job_late *late)
{
	struct generation_row row;
	int r = store_generation_find(
	        db, late->row.machine, late->row.service, late->row.generation, &row);

	if (r || row.state != GENERATION_UNKNOWN) {
		return r == DB_E_NONE ? 0 : err_up(r);
	}
	/* Of one that was undone the machine tells the layout that runs instead. */
	if (late->row.state == JOB_COMMITTED) {
		r = job_keep_layout(db, &row, late->result);
	}
	if (r) {
		return err_up(r);
	}
	if (late->row.state == JOB_COMMITTED) {
		return err_up(store_generation_runs(db, row.service, row.number));
	}
	return err_up(
	        store_generation_set_state(db, row.id, job_generation_state(late->row.state)));
}

static int late_write(struct db *db, void *arg)
{
	struct job_late *late = arg;
	enum job_state state = job_outcome_state(late->result->outcome);
	int r;

	r = store_job_by_order(db, machine_row(late->machine)->id, late->result->epoch,
	        late->result->txn, &late->row);
	/* An open job that has not loaded its order yet asks for the result itself. */
	if (r || !late->row.ended_us || !job_row_move(&late->row, state, NULL, store_now_usec())) {
		return r == DB_E_NONE ? 0 : err_up(r);
	}
	late->settles = true;
	snprintf(late->row.hint, sizeof(late->row.hint),
	        "the machine's result came after the job was given up");
	r = store_job_update(db, &late->row);
	if (!r) {
		r = store_job_outcome(db, late->row.id, NULL, late->result);
	}
	if (!r) {
		r = store_job_stood(db, late->row.id, late->result->blackout_ns);
	}
	if (!r) {
		r = late_generation(db, late);
	}
	return err_fold(r);
}

void job_late_result(struct engine *engine, struct machine *machine, const Machine__Result *result)
{
	struct job_late late = {.machine = machine, .result = result};

	if (db_txn(engine->parts.db, late_write, &late)) {
		log_warn("a late result is not recorded: %s", err_trace());
		err_forget();
	} else if (late.settles) {
		log_info("job %" PRId64 ", given up as inconsistent: %s", late.row.id,
		        job_state_name(late.row.state));
	}
}
