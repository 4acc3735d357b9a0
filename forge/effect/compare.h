#pragma once
/*
 * Two layouts of one release: what somebody who knows the first knows of the second. Without a
 * leak: what kept its address. After one leaked code pointer: what kept its distance to the piece
 * that the pointer leads into.
 */
#include <stdint.h>

#include "proto/image/flat.h"
#include "proto/image/image.h"

struct compare_side {
	const char *where; /* for messages */
	struct image_view payload;
};

struct compare_result {
	uint32_t pieces, unplaced; /* unplaced: nothing leads to them; in no other figure */
	/* Of the pieces; after the window's base, and after the piece before it in the first. */
	uint32_t kept_address, kept_base, kept_before;
	uint32_t returns, returns_address, returns_base;
	uint32_t gadgets;    /* of the first */
	uint32_t same_bytes; /* of these, with the same bytes in both */
	/* Shares of the gadgets, in percent: at the same address; and those known after one leaked
	 * pointer, mean over pieces of text and the worst of them. */
	double known_none, known_mean, known_worst;
	uint32_t worst_piece;
};

/* Negative errno, reported: a side is no layout of the kit, or capstone failed. */
int compare_sides(const struct flat_view *kit, const struct compare_side sides[2],
        struct compare_result *ret_result);
