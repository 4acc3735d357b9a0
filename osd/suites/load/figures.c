/*
 * What the load has seen: operations, errors, and the longest time
 * between two completed operations.
 */
#include "osd/suites/load/priv.h"

#include "osd/lib/request/rs.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/sys.h"

#define REPORT_NSEC 20000000ull

static uint64_t figures_n_done, figures_n_wrong;
static nsec_t figures_last_done, figures_last_report;
static nsec_t figures_gap, figures_gap_now;

static void figures_report(nsec_t now)
{
	struct rs_metrics metrics = {{figures_n_done, figures_n_wrong, figures_gap / 1000,
	        figures_gap_now / 1000, shadow_n_keys()}};

	if (rs_report_metrics(sef_start()->supervisor, metrics) == E_OK) {
		figures_last_report = now;
		figures_gap_now = 0;
	}
}

void figures_done(bool right)
{
	nsec_t now = sys_clock_read();
	nsec_t gap = figures_last_done == 0 ? 0 : now - figures_last_done;

	figures_n_done++;
	figures_n_wrong += !right;
	figures_gap = gap > figures_gap ? gap : figures_gap;
	figures_gap_now = gap > figures_gap_now ? gap : figures_gap_now;
	figures_last_done = now;
	if (now - figures_last_report > REPORT_NSEC) {
		figures_report(now);
	}
}

uint64_t figures_n(void)
{
	return figures_n_done;
}
