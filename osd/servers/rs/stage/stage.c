/*
 * One static table: the store is small in entries and large in bytes. Every entry owns a mapping of
 * its own, whole pages, so that a blob can be shown to a new instance without a copy.
 *
 *	from      to        by
 *	free      half      stage_begin
 *	half      complete  stage_advance: the last byte came, and the hash is right
 *	half      free      stage_advance: the hash is wrong; stage_drop; idle and in the way
 *	complete  free      stage_drop, when nobody uses it
 *
 * The hash is compared here and nowhere later: what a complete blob holds is what its name says for
 * as long as it is there, since nobody else can write to its memory. Of parts of the boot image it
 * is compared when one is asked for: most never are.
 */
#include "osd/servers/rs/stage/stage.h"

#include <string.h>

#include "osd/abi/errors.h"
#include "proto/envelope/envelope_crypto.h"

static struct blob stage_blobs[STAGE_N_BLOBS], stage_boot[STAGE_N_BOOT];
static uint32_t stage_n_boot;
static uint64_t stage_budget_bytes;
static uint64_t stage_used_bytes; /* sum of the blobs' totals, in whole pages */

static uint64_t stage_round(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

void stage_init(uint64_t budget)
{
	stage_budget_bytes = budget;
}

bool blob_is_complete(const struct blob *blob)
{
	return blob->held == blob->total;
}

void blob_ref(struct blob *blob)
{
	blob->n_users++;
}

void blob_unref(struct blob *blob)
{
	if (blob != NULL) {
		blob->n_users--;
	}
}

static struct blob *stage_find_in(struct blob *blobs, uint32_t n, const uint8_t hash[RS_HASH_LEN])
{
	for (uint32_t i = 0; i < n; i++) {
		if (blobs[i].bytes != NULL && memcmp(blobs[i].hash, hash, RS_HASH_LEN) == 0) {
			return &blobs[i];
		}
	}
	return NULL;
}

struct blob *stage_find(const uint8_t hash[RS_HASH_LEN])
{
	struct blob *blob = stage_find_in(stage_boot, stage_n_boot, hash);

	return blob != NULL ? blob : stage_find_in(stage_blobs, STAGE_N_BLOBS, hash);
}

void stage_add_boot(const uint8_t hash[RS_HASH_LEN], const uint8_t *bytes, uint64_t total)
{
	if (stage_n_boot == STAGE_N_BOOT || stage_find(hash) != NULL) {
		return;
	}
	stage_boot[stage_n_boot] = (struct blob){
	        .total = total, .held = total, .bytes = (uint8_t *)bytes, .is_claimed = true};
	memcpy(stage_boot[stage_n_boot++].hash, hash, RS_HASH_LEN);
}

static bool stage_hash_is_right(const struct blob *blob)
{
	uint8_t hash[RS_HASH_LEN];

	envelope_hash(blob->bytes, blob->total, hash);
	return memcmp(hash, blob->hash, RS_HASH_LEN) == 0;
}

err_t stage_find_complete(const uint8_t hash[RS_HASH_LEN], struct blob **ret_blob)
{
	struct blob *blob = stage_find(hash);

	if (blob == NULL) {
		return E_NOTFOUND;
	}
	if (!blob_is_complete(blob)) {
		return E_INCOMPLETE;
	}
	if (blob->is_claimed && !stage_hash_is_right(blob)) {
		blob->bytes = NULL; /* from now on the hash can be staged */
		return E_V_HASH;
	}
	blob->is_claimed = false;
	*ret_blob = blob;
	return E_OK;
}

static void stage_blob_free(struct blob *blob)
{
	stage_used_bytes -= stage_round(blob->total);
	stage_memory_free(blob->bytes, stage_round(blob->total));
	memset(blob, 0, sizeof(*blob));
}

/* Throw out the half blob that was left alone for the longest time. False: there is none. */
static bool stage_evict(nsec_t now)
{
	struct blob *oldest = NULL;

	for (uint32_t i = 0; i < STAGE_N_BLOBS; i++) {
		struct blob *blob = &stage_blobs[i];

		if (blob->bytes != NULL && !blob_is_complete(blob) &&
		        now - blob->touched >= STAGE_IDLE_NSEC &&
		        (oldest == NULL || blob->touched < oldest->touched)) {
			oldest = blob;
		}
	}
	if (oldest != NULL) {
		stage_blob_free(oldest);
	}
	return oldest != NULL;
}

static struct blob *stage_free_entry(void)
{
	for (uint32_t i = 0; i < STAGE_N_BLOBS; i++) {
		if (stage_blobs[i].bytes == NULL) {
			return &stage_blobs[i];
		}
	}
	return NULL;
}

/* bytes: in whole pages. The sum cannot overflow: totals above the budget never get here. */
static bool stage_has_room(uint64_t bytes)
{
	return stage_free_entry() != NULL && stage_used_bytes + bytes <= stage_budget_bytes;
}

/* A new blob, nothing of it held yet; half blobs that nobody goes on with make room. */
static err_t stage_open(
        const uint8_t hash[RS_HASH_LEN], uint64_t total, nsec_t now, struct blob **ret_blob)
{
	uint64_t bytes = stage_round(total);
	struct blob *blob;

	while (!stage_has_room(bytes)) {
		if (!stage_evict(now)) {
			return E_STORE_FULL;
		}
	}
	blob = stage_free_entry();
	blob->bytes = stage_memory_new(bytes);
	if (blob->bytes == NULL) {
		return E_NOMEM;
	}
	memcpy(blob->hash, hash, RS_HASH_LEN);
	blob->total = total;
	blob->touched = now;
	stage_used_bytes += bytes;
	*ret_blob = blob;
	return E_OK;
}

err_t stage_begin(
        const uint8_t hash[RS_HASH_LEN], uint64_t total, nsec_t now, struct blob **ret_blob)
{
	struct blob *blob = stage_find(hash);

	if (blob == NULL) {
		if (total == 0) {
			return E_INVAL;
		}
		return total > stage_budget_bytes ? E_STORE_FULL
		                                  : stage_open(hash, total, now, ret_blob);
	}
	if (blob->total != total) {
		return E_INVAL;
	}
	blob->touched = now;
	*ret_blob = blob;
	return E_OK;
}

err_t stage_advance(struct blob *blob, uint64_t bytes, nsec_t now)
{
	blob->held += bytes;
	blob->touched = now;
	if (!blob_is_complete(blob)) {
		return E_OK;
	}
	if (!stage_hash_is_right(blob)) {
		stage_blob_free(blob);
		return E_V_HASH;
	}
	return E_OK;
}

err_t stage_drop(const uint8_t hash[RS_HASH_LEN])
{
	struct blob *blob = stage_find_in(stage_blobs, STAGE_N_BLOBS, hash);

	if (blob == NULL) {
		return E_NOTFOUND;
	}
	if (blob->n_users > 0) {
		return E_BUSY;
	}
	stage_blob_free(blob);
	return E_OK;
}

bool stage_describe(uint32_t n, struct rs_blob *ret_blob)
{
	for (uint32_t i = 0; i < STAGE_N_BLOBS; i++) {
		const struct blob *blob = &stage_blobs[i];

		if (blob->bytes == NULL || n-- > 0) {
			continue;
		}
		memset(ret_blob, 0, sizeof(*ret_blob));
		memcpy(ret_blob->hash, blob->hash, RS_HASH_LEN);
		ret_blob->total = blob->total;
		ret_blob->held = blob->held;
		ret_blob->is_used = blob->n_users > 0;
		return true;
	}
	return false;
}

uint64_t stage_budget(void)
{
	return stage_budget_bytes;
}

uint64_t stage_used(void)
{
	return stage_used_bytes;
}

uint32_t stage_count(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < STAGE_N_BLOBS; i++) {
		n += stage_blobs[i].bytes != NULL;
	}
	return n;
}
