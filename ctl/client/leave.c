/*
 * A request goes on in lud without the luctl that asked for it, with one exception: what only its control key can sign. So
 * whoever leaves is told which job it is, or how that can be found out.
 */
#include "ctl/client/leave.h"

#include <inttypes.h>
#include <string.h>

/* Whether a control key may have to sign it, by luctl, when its turn has come. */
static bool leave_needs_key(const Control__Request *request)
{
	int kind = request->body_case;

	return kind == CONTROL__REQUEST__BODY_RESTART ||
	       (kind == CONTROL__REQUEST__BODY_MACHINE_STOP && !request->machine_stop->force) ||
	       (kind == CONTROL__REQUEST__BODY_UPDATE && request->update->accept_loss) ||
	       (kind == CONTROL__REQUEST__BODY_ROLLBACK && request->rollback->accept_loss);
}

void leave_begin(struct leave *leave, const Control__Request *request)
{
	memset(leave, 0, sizeof(*leave));
	leave->request_id = request->request_id;
	leave->needs_key = leave_needs_key(request);
	leave->is_stream = request->body_case == CONTROL__REQUEST__BODY_LOG_FOLLOW &&
	                   request->log_follow->follow;
}

void leave_note(struct leave *leave, const Control__Progress *news)
{
	leave->is_many = leave->is_many || (leave->job && leave->job != news->job);
	leave->job = news->job;
	if (*news->notice) {
		snprintf(leave->waits, sizeof(leave->waits), "%s", news->notice);
	} else if (*news->step) {
		snprintf(leave->waits, sizeof(leave->waits), "in step %s", news->step);
	}
}

/* luctl goes before lud said which job it is, if it is one: that can be found out. */
static int leave_early(const struct leave *leave, enum ctl_exit code, const char *why)
{
	_cleanup_(ctl_freep) char *remedy =
	        *leave->request_id
	                ? ctl_format("the same with --request-id %s shows what became of it",
	                          leave->request_id)
	                : ctl_format("`luctl jobs` and `luctl history` show whether lud took it; "
	                             "with --request-id "
	                             "the same can be asked again and is done once");

	return ctl_fail(code, "", remedy, "%s; lud has not answered yet", why);
}

/*
 * luctl goes, and takes the control key with it: a job that has not been signed yet ends without. Whether this one was
 * is not known here.
 */
static int leave_unsigned(const struct leave *leave, enum ctl_exit code, const char *why)
{
	_cleanup_(ctl_freep) char *remedy = ctl_format(
	        "`luctl job cancel %" PRIu64 "` ends it now; then give the command again, "
	        "and let it run",
	        leave->job);
	_cleanup_(ctl_freep) char *text = ctl_format(
	        "%s; job %" PRIu64 " is with lud, and fails if it was not signed yet%s%s%s", why,
	        leave->job, *leave->waits ? " (" : "", leave->waits, *leave->waits ? ")" : "");

	return ctl_fail_as(&(struct ctl_fault){code, "", text, remedy, "", leave->job}, false);
}

int leave_now(const struct leave *leave, enum ctl_exit code, const char *why)
{
	_cleanup_(ctl_freep) char *remedy =
	        leave->is_many ? ctl_format("`luctl jobs` lists them, `luctl job show %" PRIu64
	                                    " --wait` waits for the last one",
	                                 leave->job)
	                       : ctl_format("`luctl job show %" PRIu64 " --wait` waits for it",
	                                 leave->job);
	_cleanup_(ctl_freep) char *text = ctl_format("%s; job %" PRIu64 " goes on in lud%s%s%s",
	        why, leave->job, *leave->waits ? " (" : "", leave->waits, *leave->waits ? ")" : "");

	if (leave->is_stream) {
		return code;
	}
	if (!leave->job) {
		return leave_early(leave, code, why);
	}
	if (leave->needs_key) {
		return leave_unsigned(leave, code, why);
	}
	return ctl_fail_as(&(struct ctl_fault){code, "", text, remedy, "", leave->job}, false);
}
