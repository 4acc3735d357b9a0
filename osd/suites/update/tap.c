/* Results as TAP lines in the kernel's log; a case fails with its first failed check, all of which
 * are shown. */
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"

#include <stdio.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/sys.h"

static const char *tap_name;
static uint32_t tap_n, tap_n_failed;
static bool tap_is_failed;

static void tap_line(const char *line, int n)
{
	(void)sys_log_write(line, (uint64_t)n);
}

static void tap_finish_case(void)
{
	char line[128];

	if (tap_name == NULL) {
		return;
	}
	tap_n++;
	tap_n_failed += tap_is_failed;
	tap_line(line, snprintf(line, sizeof(line), "%s %u - %s", tap_is_failed ? "not ok" : "ok",
	                       tap_n, tap_name));
}

void tap_case(const char *name)
{
	tap_finish_case();
	tap_name = name;
	tap_is_failed = false;
}

void tap_check(bool is_good, const char *what, uint64_t value, const char *file, int line)
{
	char text[200];

	if (is_good) {
		return;
	}
	tap_is_failed = true;
	tap_line(text, snprintf(text, sizeof(text), "# %s:%d: %s: %s (%lld)", file, line,
	                       tap_name == NULL ? "" : tap_name, what, (long long)value));
}

_Noreturn void tap_end(void)
{
	char line[64];

	tap_finish_case();
	tap_line(line, snprintf(line, sizeof(line), "1..%u", tap_n));
	tap_line(line, snprintf(line, sizeof(line), "# longest gap %llu us",
	                       (unsigned long long)(longest_gap() / 1000)));
	(void)order_simple(ORDER_SHUTDOWN, NULL, tap_n_failed > 0);
	sef_panic("RS did not switch the machine off");
}
