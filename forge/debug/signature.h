#pragma once
/*
 * A function's signature in words, from debug data: "int(struct foo*,unsigned int)".
 * Typedefs and qualifiers are seen through, so that two functions have the same words
 * if calls of one fit the other.
 */
#include <elfutils/libdw.h>

/* `function` is a subprogram. Owned by the caller. */
char *signature_of(Dwarf_Die *function);
