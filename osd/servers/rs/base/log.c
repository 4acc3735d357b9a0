/*
 * RS in the kernel's log, and the end of RS. The lowest file of RS: it calls the kernel and nothing
 * else, so that a broken invariant can be reported from anywhere, whatever else is broken.
 */
#include "osd/servers/rs/base/log.h"

#include <string.h>

#include "osd/lib/sys/sys.h"

void rs_log(const char *text)
{
	(void)sys_log_write(text, strlen(text));
}

_Noreturn void rs_panic(const char *text)
{
	rs_log(text);
	__builtin_trap();
}
