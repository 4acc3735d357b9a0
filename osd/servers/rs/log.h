#pragma once
/* How RS speaks for itself; in main.c. */

/* A line to the kernel's log. */
void rs_log(const char *text);
/* A broken invariant of RS itself: end, which the kernel answers with a dump. */
_Noreturn void rs_panic(const char *text);
