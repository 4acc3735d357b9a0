/*
 * The predecessor's part of an update: reach the asked state at a receive point, say so, stand
 * still.
 *
 *	from      to        when
 *	idle      draining  SEF_PREPARE with a state that this service knows
 *	draining  idle      SEF_CANCEL; or the state is reached: PREPARED is reported, and what the
 *	                    report returns (if it returns) says why the service goes on
 */
#include "osd/lib/sef/hook.h"
#include "osd/lib/sef/priv.h"
#include "osd/lib/annotate/annotate.h"

static struct {
	uint64_t transaction; /* 0: idle */
	uint32_t state;
} draining STATE_SKIP;

static void prepare_refuse(const struct sef_prepare *request, err_t err)
{
	struct message msg = {.type = SEF_PREPARE_REFUSED,
	        .w = {request->transaction, (uint64_t)err, request->state}};

	(void)sys_asend(sef_start()->supervisor, &msg);
}

/* May this service be asked for the state? Those from QS_CUSTOM on are its own to judge. */
static bool prepare_state_is_known(uint32_t state)
{
	if (state >= QS_CUSTOM) {
		return sef_callbacks->state_is_valid && sef_callbacks->state_is_reached &&
		       sef_callbacks->state_is_valid(state);
	}
	switch ((enum quiescent)state) {
	case QS_WORK_FREE:
	case QS_REQUEST_FREE:
	case QS_UNREACHABLE:
		return true;
	case QS_DEFAULT: /* RS asks for the state that it stands for */
	case QS_PROTOCOL_FREE:
	case QS_PREPARE_CRASH:
	case QS_CUSTOM:
		break;
	}
	return sef_hook_state(state);
}

/* Is a known state reached, at this receive point? */
static bool prepare_state_is_reached(uint32_t state)
{
	if (state >= QS_CUSTOM) {
		return sef_callbacks->state_is_reached(state);
	}
	switch ((enum quiescent)state) {
	case QS_WORK_FREE:
		return true;
	case QS_REQUEST_FREE:
		return !sef_callbacks->n_requests_open || sef_callbacks->n_requests_open() == 0;
	case QS_UNREACHABLE:
	case QS_DEFAULT:
	case QS_PROTOCOL_FREE:
	case QS_PREPARE_CRASH:
	case QS_CUSTOM:
		break;
	}
	return false;
}

void sef_prepare_begin(const struct sef_prepare *request)
{
	err_t err = E_OK;

	if (request->transaction == 0 || !prepare_state_is_known(request->state)) {
		prepare_refuse(request, E_UNSUPPORTED);
		return;
	}
	if (sef_callbacks->prepare) {
		err = sef_callbacks->prepare(request->state);
	}
	if (err != E_OK) {
		prepare_refuse(request, err);
		return;
	}
	draining.transaction = request->transaction;
	draining.state = request->state;
}

void sef_prepare_cancel(uint64_t transaction)
{
	if (draining.transaction == transaction && transaction != 0) {
		draining.transaction = 0;
		if (sef_callbacks->resumed) {
			sef_callbacks->resumed(SEF_RESUME_ROLLED_BACK);
		}
	}
}

bool sef_prepare_is_open(void)
{
	return draining.transaction != 0;
}

void sef_prepare_point(void)
{
	uint64_t transaction = draining.transaction;
	err_t reason;

	if (transaction == 0 || !prepare_state_is_reached(draining.state)) {
		return;
	}
	draining.transaction = 0;
	reason = sys_report(SEF_REPORT_PREPARED, transaction, draining.state, 0, 0);
	if (sef_callbacks->resumed) {
		sef_callbacks->resumed((uint64_t)reason);
	}
}
