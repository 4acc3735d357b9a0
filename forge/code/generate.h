#pragma once
/*
 * Code generation, cached: what is generated depends on nothing but the bitcode and
 * the tools, so equal bitcode (the runtime is in every service) is generated once.
 */
#include "forge/base/mem.h"

/*
 * Generate an object with and one without debug data from the bitcode. Both lie in
 * the directory `cache` afterwards, under names made from the bitcode's hash; the
 * paths are owned by the caller.
 */
int generate_objects(
        const struct buf *bitcode, const char *cache, char **ret_debug, char **ret_plain);
