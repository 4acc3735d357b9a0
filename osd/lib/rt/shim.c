/*
 * What library code refers to and a service does not have: locks, processes, an untyped heap. Each
 * takes the place of a libc function that would execute a system call.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "osd/lib/rt/rt.h"

_Noreturn void __assert_fail(const char *text, const char *file, int line, const char *function)
{
	static char panic[256];

	(void)snprintf(panic, sizeof(panic), "%s:%d: %s: %s", file, line, function, text);
	rt_panic(panic);
}

_Noreturn void abort(void)
{
	rt_panic("abort");
}

_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
	rt_panic("stack overrun in library code");
}

/* Nothing untyped may live across a receive: there is no malloc. */
void *malloc(size_t bytes)
{
	return NULL;
}

void free(void *memory)
{
	assert(!memory);
}

/* A service has one thread: a stdio lock is always free. */
int __lockfile(FILE *file);
int __lockfile(FILE *file)
{
	return 0;
}

void __unlockfile(FILE *file);
void __unlockfile(FILE *file)
{
}
