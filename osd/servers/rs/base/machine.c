/* The record of the machine, and its clock in the unit that trust counts in. */
#include "osd/servers/rs/base/machine.h"

#include <string.h>

#include "osd/lib/sys/sys.h"

struct machine machine;

bool machine_keeps_kits(void)
{
	size_t len;
	const char *word = boot_cmdline_get(machine.boot.header, "kits", &len);

	return word == NULL || len != 4 || memcmp(word, "none", 4) != 0;
}

uint64_t rs_uptime(void)
{
	return sys_clock_read() / NSEC_SEC;
}
