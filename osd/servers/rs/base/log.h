#pragma once
/*
 * Lines of RS in the kernel's log. Whoever links sodium.c brings these two (RS: log.c; the update
 * suite has its own).
 */

/* A line to the kernel's log. Never fails; what the log has no room for is lost. */
void rs_log(const char *text);
/* A broken invariant of RS itself: end, which the kernel answers with a dump. Never for input. */
_Noreturn void rs_panic(const char *text);
