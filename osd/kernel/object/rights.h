#pragma once
/*
 * Masks of kernel calls, bit n standing for call KCALL_BASE + n: those that every committed
 * instance may make, those that an uncommitted one may make too, and those that only privileges
 * give.
 */
#include <stdint.h>

extern const uint64_t kcall_mask_all, kcall_mask_uncommitted, kcall_mask_given;
