/*
 * A share of time; see share.h. All that is kept is the moment at which everything charged so far
 * is paid back: work moves it on by `parts` times what it took. New work may begin while that
 * moment is no further ahead than a burst would move it; after a pause it lies in the past and
 * counts as now.
 */
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
