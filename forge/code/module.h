#pragma once
/*
 * The bitcode of a service, made nameable.
 *
 * Layout choices are made by symbol name, so everything that occupies memory gets
 * a name that is unique in the service: internals are renamed to NAME$TAG, TAG
 * being made from the name of the module's source file, and string literals and
 * other private constants become ordinary internals. Debug data is not affected.
 */
#include <stddef.h>

#include "forge/base/mem.h"

/* Separates a name from the tag in the symbols made here. */
#define MODULE_NAME_MARK '$'
#define MODULE_TAG_DIGITS 8

struct module_set;

/* Read, check and rename bitcode files. Reports what it refuses. */
int module_set_read(const char *const paths[], size_t n_paths, struct module_set **ret_set);
struct module_set *module_set_free(struct module_set *set);

/* Modules are in the order of their source file names. i < module_set_count(). */
size_t module_set_count(const struct module_set *set);

/* "main-1b5e0f77": last part of the source file's name, and the tag. */
const char *module_name(const struct module_set *set, size_t i);

/* The bitcode as it is now. */
void module_write(const struct module_set *set, size_t i, struct buf *ret_bitcode);

static inline void module_set_freep(struct module_set **set)
{
	(void)module_set_free(*set);
}
