/* The record of the machine, and its clock in the unit that trust counts in. */
#include "osd/servers/rs/base/machine.h"

#include "osd/lib/sys/sys.h"

struct machine machine;

uint64_t rs_uptime(void)
{
	return sys_clock_read() / NSEC_SEC;
}
