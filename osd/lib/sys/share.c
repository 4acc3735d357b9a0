/* A share of time; see share.h. What was charged is paid back at the rate of the share. */
#include "osd/lib/sys/share.h"

nsec_t share_wait(const struct share *share, const struct share_limit *limit, nsec_t now)
{
	nsec_t credit = limit->burst * limit->parts;

	return share->paid > now + credit ? share->paid - now - credit : 0;
}

void share_charge(struct share *share, const struct share_limit *limit, nsec_t begun, nsec_t now)
{
	nsec_t took = now - begun < SHARE_MOST ? now - begun : SHARE_MOST;
	nsec_t from = share->paid > begun ? share->paid : begun;

	share->paid = from + took * limit->parts;
}
