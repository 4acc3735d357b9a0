#pragma once
/* What copy_from_grant and copy_to_grant have in common: all but the direction. */
#include "osd/kernel/call/kcall.h"

/*
 * The whole call with its arguments (calls.def). access: GRANT_READ copies out of the granted
 * memory, GRANT_WRITE into it.
 */
err_t grant_copy(struct instance *self, const uint64_t *args, uint16_t access);
