#pragma once
/*
 * Layouts inside the machine: RS links flat kits itself (proto/image/link.h). With a seed that it
 * draws and forgets, that makes the layout of an instance which nobody outside knows; with the seed
 * of a variant, it tells whether the variant's payload is what kit and seed give.
 *
 * Whether a kit may be run is decided in trust.c. Who calls here holds the blob that the kit lies in
 * for as long as the kit is used.
 */
#include "osd/abi/rs.h"
#include "osd/servers/rs/layout/agree.h"
#include "osd/servers/rs/memory/span.h"
#include "proto/image/link.h"

/* A flat kit in memory that nobody else can write. */
struct layout_kit {
	const uint8_t *bytes; /* 8-byte aligned; NULL: there is none */
	uint64_t n_bytes;
	/* RS_HASH_LEN bytes that its own must give. NULL: compared before, as in the store. */
	const uint8_t *hash;
	struct flat_view view; /* header NULL: not checked yet */
};

/* A payload that RS made, in pages of its own. */
struct layout {
	uint8_t *payload;  /* NULL: none */
	uint64_t n_bytes;  /* of the payload */
	uint64_t n_mapped; /* that are still RS's, from the addresses on */
	bool is_given;     /* its segments are an instance's; header and symbols are still here */
	struct image_view image;
	/* Of each piece, in front of the payload: for reports of crashes. Its own pages. */
	const uint64_t *address;
	uint8_t commitment[RS_HASH_LEN]; /* to the seed that it was drawn from */
	uint8_t sealed[RS_SEALED_LEN];   /* the seed, for the audit key; zero: there is none */
};

/* See layout_compare(). pieces 0: nothing was compared. */
struct layout_kept {
	uint32_t pieces, address, base;
};

/* budget: bytes of all payloads made here and all work areas. Call once, before anything else. */
void layout_init(uint64_t budget);
/*
 * Check a kit, once: the answer stays in it. E_V_VERSION: a format or a recipe that this RS does
 * not know. E_V_IMAGE: no flat kit. E_V_SERVICE: that of another service.
 * E_V_HASH: not the bytes that were signed.
 */
__must_check err_t layout_kit_check(struct layout_kit *kit, const char service[SERVICE_NAME_LEN]);
/*
 * Make a layout of a checked kit, whose window hits nothing that is taken, and seal its seed to the
 * audit key (one that protects nothing: it is not sealed). The caller gives it
 * back with layout_free(). E_STORE_FULL: the budget is used up; E_NOMEM; E_AGAIN: every draw hit
 * something; E_V_IMAGE: the kit's code cannot be placed so.
 */
__must_check err_t layout_make(const struct layout_kit *kit, const uint8_t release_id[RS_HASH_LEN],
        const struct agree_audit *audit, const struct span_set *taken, struct layout *ret_layout);
/*
 * Make the segments regions of a space. Nothing is copied: the pages that were linked into become
 * the instance's, with its access, and RS has no mapping of them any more. So it can be done once:
 * E_STATE. After any other error some of them may be gone, too. Errors of memory_give() and
 * memory_map().
 */
__must_check err_t layout_give(struct layout *layout, space_t space);
/* The piece of the kit that an address lies in, and the offset there. False: in none. */
bool layout_locate(const struct layout_kit *kit, const struct layout *layout, uint64_t address,
        uint32_t *ret_piece, uint32_t *ret_offset);
/*
 * Count what two layouts of one kit have in common: pieces, and of these, those at the same address
 * and those as far from the base. Only counts leave RS, for the record of what layouts are worth.
 */
void layout_compare(const struct layout_kit *kit, const struct layout *before,
        const struct layout *after, struct layout_kept *ret_kept);
/* Takes an empty one, and leaves one. */
void layout_free(struct layout *layout);
/*
 * Is this payload, to the last byte, what a checked kit and this seed give? E_V_LAYOUT: no.
 * E_STORE_FULL, E_NOMEM, E_V_IMAGE.
 */
__must_check err_t layout_check(const struct layout_kit *kit, const uint8_t release_id[RS_HASH_LEN],
        const uint8_t seed[LINK_SEED_SIZE], const void *payload, uint64_t n_bytes);
/*
 * What may be known of a seed: the commitment that the manifests of variants have, too
 * (proto/envelope/seed.h). Who is shown the seed later can say whether a layout is the one that
 * was committed to.
 */
void layout_commit(const uint8_t release_id[RS_HASH_LEN], const uint8_t seed[LINK_SEED_SIZE],
        uint8_t ret_commitment[RS_HASH_LEN]);
