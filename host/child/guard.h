#pragma once
/* Inside child: what a forked process does to itself before it becomes its program. */
#include "host/child/child.h"

/*
 * Gives up what the guard does not name: identity, groups, privileges, memory and time
 * without end, system calls. Only in a child, after fork(). On failure errno says why and
 * *ret_what what could not be done; the child must then end.
 */
int __must_check child_guard_enter(const struct child_guard *guard, const char **ret_what);
/* The environment of guarded children. */
extern char *const child_guard_environment[];
