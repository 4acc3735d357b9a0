#pragma once
/*
 * The bitcode of a service: read, made nameable, merged into one module.
 *
 * Layout choices are made by symbol name, so everything that occupies memory gets
 * a name that is unique in the service: internals are renamed to NAME$K, K being
 * the module's place in the order of source file names; string literals and other
 * private constants become ordinary internals. Debug data is not affected.
 */
#include <stdbool.h>
#include <stddef.h>

/* Separates a name from the module number in the symbols made here. */
#define MODULE_NAME_MARK '$'

struct module;

/* Read, check and merge bitcode files. Reports what it refuses. */
int module_merge(const char *const paths[], size_t n_paths, struct module **ret_module);
struct module *module_free(struct module *module);

int module_write(struct module *module, const char *path);

/* Remove debug data. */
void module_strip(struct module *module);

static inline void module_freep(struct module **module)
{
	(void)module_free(*module);
}
