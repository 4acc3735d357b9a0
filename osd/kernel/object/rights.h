#pragma once
/*
 * The kernel calls that an instance may make before its commit, of those that its slot has the right
 * to; bit n stands for call KCALL_BASE + n.
 */
#include <stdint.h>

extern const uint64_t kcall_mask_uncommitted;
