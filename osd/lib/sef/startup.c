/*
 * How an instance becomes the service: fresh, as a successor, or after a crash; the start page
 * says which. A start that fails is a panic. One that succeeds is reported, and the service goes
 * on when RS resumes it. A successor runs neither of the callbacks for a start: its state comes
 * from its predecessor (update.c).
 */
#include "osd/lib/sef/priv.h"
#include "osd/lib/annotate/annotate.h"

const struct sef_callbacks *sef_callbacks STATE_SKIP;

static void startup_anew(err_t (*init)(void))
{
	err_t err = init ? init() : E_OK;

	if (err != E_OK) {
		sef_panic("initialisation failed: %s", sys_error_name(err));
	}
	/* E_STATE: a service without a supervisor needs nobody's leave. */
	(void)sys_report(SEF_REPORT_STARTED, 0, 0, 0, 0);
}

void sef_startup(const struct sef_callbacks *callbacks)
{
	const struct start_info *info = sef_start();

	sef_callbacks = callbacks;
	switch ((enum start_kind)info->kind) {
	case START_FRESH:
		startup_anew(callbacks->init_fresh);
		return;
	case START_RESTART:
		startup_anew(
		        callbacks->init_restart ? callbacks->init_restart : callbacks->init_fresh);
		return;
	case START_UPDATE:
		sef_update_run(info);
		return;
	}
	sef_panic("unknown kind of start: %u", info->kind);
}
