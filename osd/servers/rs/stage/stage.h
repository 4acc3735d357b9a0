#pragma once
/*
 * The staging store: blobs (payloads, flat kits, state descriptions) that came in over the channel,
 * found by the BLAKE2b-512 of their bytes. Bytes are appended in order, so that an interrupted transfer goes
 * on where it stopped; the last byte makes the store compare the hash. A complete blob never
 * changes again.
 *
 * There is a budget for all bytes together. A complete blob stays until it is dropped; a half one
 * may be thrown out when its place is needed and nobody appended to it for a while.
 *
 * Parts of the boot image that have a hash are found in the same way: nobody needs to stage them.
 * They are neither listed nor dropped, and cost nothing.
 */
#include "osd/abi/rs.h"

/* Entries; a variant needs three: its payload, its flat kit and its state description. */
#define STAGE_N_BLOBS 96
/* Parts of the boot image: two for each service that RS can have. */
#define STAGE_N_BOOT 128
/* A half blob that was left alone this long may make room for others. */
#define STAGE_IDLE_NSEC (UINT64_C(10) * 1000 * 1000 * 1000)

struct blob {
	uint8_t hash[RS_HASH_LEN];
	uint64_t total, held; /* bytes; complete: equal */
	uint8_t *bytes;       /* page aligned; NULL: the entry is free */
	uint32_t n_users;     /* binaries that point into it */
	nsec_t touched;       /* when bytes came last, or somebody asked how far it is */
	bool is_claimed;      /* in the boot image: nobody has compared its hash yet */
};

/* budget: bytes of all blobs together, counted in whole pages. Call once, before anything else. */
void stage_init(uint64_t budget);
/* A part of the boot image, said to have this hash. Without room it is as if it were not there. */
void stage_add_boot(const uint8_t hash[RS_HASH_LEN], const uint8_t *bytes, uint64_t total);
/* The blob with this hash, complete or not; NULL: none. */
struct blob *stage_find(const uint8_t hash[RS_HASH_LEN]);
/*
 * A blob whose bytes may be used. E_NOTFOUND; E_INCOMPLETE: its last bytes have not come yet;
 * E_V_HASH: the boot image names it wrongly.
 */
__must_check err_t stage_find_complete(const uint8_t hash[RS_HASH_LEN], struct blob **ret_blob);
/*
 * Find or open a blob, whose memory is taken at once. E_INVAL: total is 0, or another than it was
 * opened with. E_STORE_FULL: budget or table used up, and no half blob was idle. E_NOMEM.
 */
err_t stage_begin(
        const uint8_t hash[RS_HASH_LEN], uint64_t total, nsec_t now, struct blob **ret_blob);
/*
 * Account for `bytes` that the caller has put at blob->bytes + blob->held (no more than are
 * missing). E_V_HASH: the blob is complete but has another hash; it was dropped.
 */
err_t stage_advance(struct blob *blob, uint64_t bytes, nsec_t now);
/* Drop a blob, half or complete. E_NOTFOUND, E_BUSY (in use). */
err_t stage_drop(const uint8_t hash[RS_HASH_LEN]);
bool blob_is_complete(const struct blob *blob);
/* Somebody points into the blob's bytes from now on. */
void blob_ref(struct blob *blob);
/* Take NULL too. The blob stays in the store. */
void blob_unref(struct blob *blob);
/* Describe the n-th blob (from 0). False: there are not so many. */
bool stage_describe(uint32_t n, struct rs_blob *ret_blob);
/* Bytes that may be used, bytes that are, and how many blobs. */
uint64_t stage_budget(void);
uint64_t stage_used(void);
uint32_t stage_count(void);

/* Seam: memory of the store, page aligned. NULL: out of memory. */
void *stage_memory_new(uint64_t bytes);
/* All but its first bytes has been given to somebody else. bytes: more than 0, whole pages. */
void stage_memory_cut(void *memory, uint64_t bytes);
void stage_memory_free(void *memory, uint64_t bytes);
