/* Time limits of a machine that stood still; see limit.h. */
#include "osd/servers/rs/base/limit.h"

nsec_t limit_alarm(nsec_t now, nsec_t next)
{
	nsec_t look = now + LIMIT_LOOK;

	return next == LIMIT_NEVER || next < look ? next : look;
}

/*
 * What was left at `seen` is left again: nobody can say when between
 * the two the machine stopped.
 */
nsec_t limit_stopped(nsec_t seen, nsec_t alarm, nsec_t now)
{
	if (alarm == LIMIT_NEVER || now <= alarm || now - alarm <= LIMIT_LATE) {
		return 0;
	}
	return now - seen;
}

nsec_t limit_extend(nsec_t limit, nsec_t by)
{
	return limit > LIMIT_NEVER - by ? LIMIT_NEVER : limit + by;
}
