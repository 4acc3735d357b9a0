#undef NDEBUG
#include "osd/servers/rs/stage/stage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "proto/envelope/envelope_crypto.h"

#define BUDGET (16 * PAGE_SIZE)

static bool is_out_of_memory;

void *stage_memory_new(uint64_t bytes)
{
	assert(bytes % PAGE_SIZE == 0);
	return is_out_of_memory ? NULL : malloc(bytes);
}

void stage_memory_free(void *memory, uint64_t bytes)
{
	(void)bytes;
	free(memory);
}

static void make(uint8_t *bytes, size_t len, uint8_t seed, uint8_t ret_hash[RS_HASH_LEN])
{
	for (size_t i = 0; i < len; i++) {
		bytes[i] = (uint8_t)(seed + i * 7);
	}
	envelope_hash(bytes, len, ret_hash);
}

/* Send bytes [from, to) of a blob. */
static err_t append(struct blob *blob, const uint8_t *bytes, uint64_t to, nsec_t now)
{
	uint64_t n = to - blob->held;

	memcpy(blob->bytes + blob->held, bytes + blob->held, n);
	return stage_advance(blob, n, now);
}

static void test_resume(void)
{
	uint8_t bytes[3 * PAGE_SIZE + 5], hash[RS_HASH_LEN];
	struct blob *blob = NULL, *again = NULL;

	make(bytes, sizeof(bytes), 1, hash);
	assert(stage_find(hash) == NULL);
	assert(stage_begin(hash, 0, 0, &blob) == E_INVAL && blob == NULL);
	assert(stage_begin(hash, sizeof(bytes), 0, &blob) == E_OK);
	assert(blob->held == 0 && !blob_is_complete(blob));
	assert(append(blob, bytes, 100, 1) == E_OK);
	assert(stage_begin(hash, sizeof(bytes) + 1, 2, &again) == E_INVAL);
	assert(stage_begin(hash, sizeof(bytes), 2, &again) == E_OK);
	assert(again == blob && again->held == 100);
	hash[RS_HASH_LEN - 1] ^= 1;
	assert(stage_find(hash) == NULL);
	hash[RS_HASH_LEN - 1] ^= 1;
	assert(append(blob, bytes, sizeof(bytes), 3) == E_OK);
	assert(blob_is_complete(blob) && stage_used() == 4 * PAGE_SIZE && stage_count() == 1);
	blob_ref(blob);
	assert(stage_drop(hash) == E_BUSY);
	blob_unref(blob);
	blob_unref(NULL);
	assert(stage_drop(hash) == E_OK);
	assert(stage_drop(hash) == E_NOTFOUND && stage_used() == 0 && stage_count() == 0);
}

static void test_wrong_hash(void)
{
	uint8_t bytes[64], hash[RS_HASH_LEN];
	struct blob *blob;

	make(bytes, sizeof(bytes), 2, hash);
	bytes[33] ^= 1;
	assert(stage_begin(hash, sizeof(bytes), 0, &blob) == E_OK);
	assert(append(blob, bytes, sizeof(bytes), 0) == E_V_HASH);
	assert(stage_find(hash) == NULL && stage_used() == 0);
	make(bytes, sizeof(bytes), 2, hash);
	hash[RS_HASH_LEN - 1] ^= 1;
	assert(stage_begin(hash, sizeof(bytes), 0, &blob) == E_OK);
	assert(append(blob, bytes, sizeof(bytes), 0) == E_V_HASH);
}

/*
 * A full store refuses; a half blob that nobody goes on with makes
 * room, a complete one does not.
 */
static void test_budget(void)
{
	static uint8_t bytes[BUDGET];
	uint8_t full[RS_HASH_LEN], half[RS_HASH_LEN], more[RS_HASH_LEN];
	struct blob *blob;
	nsec_t late = 5 + STAGE_IDLE_NSEC;

	make(bytes, sizeof(bytes), 3, more);
	make(bytes, BUDGET / 2, 4, full);
	memset(half, 9, sizeof(half));
	assert(stage_begin(more, BUDGET + 1, 0, &blob) == E_STORE_FULL);
	assert(stage_begin(full, BUDGET / 2, 0, &blob) == E_OK);
	assert(append(blob, bytes, BUDGET / 2, 1) == E_OK);
	assert(stage_begin(half, BUDGET / 2, 5, &blob) == E_OK);
	assert(stage_begin(more, PAGE_SIZE, 6, &blob) == E_STORE_FULL);
	assert(stage_begin(more, BUDGET / 2 + 1, late, &blob) == E_STORE_FULL);
	assert(stage_find(half) == NULL && stage_find(full) != NULL);
	is_out_of_memory = true;
	assert(stage_begin(more, PAGE_SIZE, late, &blob) == E_NOMEM);
	is_out_of_memory = false;
	assert(stage_used() == BUDGET / 2);
	assert(stage_drop(full) == E_OK);
}

static void test_table_full(void)
{
	uint8_t hash[RS_HASH_LEN] = {0};
	struct rs_blob record;
	struct blob *blob;

	stage_init(2 * STAGE_N_BLOBS * PAGE_SIZE);
	for (int i = 0; i < STAGE_N_BLOBS; i++) {
		hash[0] = (uint8_t)i;
		assert(stage_begin(hash, 7, 0, &blob) == E_OK);
	}
	hash[1] = 1;
	assert(stage_begin(hash, 7, 0, &blob) == E_STORE_FULL);
	assert(stage_describe(STAGE_N_BLOBS - 1, &record) && record.total == 7 && !record.is_used);
	assert(!stage_describe(STAGE_N_BLOBS, &record));
	hash[1] = 0;
	for (int i = 0; i < STAGE_N_BLOBS; i++) {
		hash[0] = (uint8_t)i;
		assert(stage_drop(hash) == E_OK);
	}
	assert(stage_used() == 0);
}

/*
 * A part of the boot image needs no staging and cannot be dropped; what it is said to be is compared
 * when it is asked for. A false name can be staged afterwards.
 */
static void test_boot(void)
{
	static uint8_t bytes[2][300];
	uint8_t good[RS_HASH_LEN], bad[RS_HASH_LEN], hash[RS_HASH_LEN];
	struct rs_blob record;
	struct blob *blob;

	make(bytes[0], 300, 11, good);
	make(bytes[1], 300, 12, bad);
	stage_add_boot(good, bytes[0], 300);
	stage_add_boot(bad, bytes[0], 300);
	assert(stage_used() == 0 && stage_count() == 0 && !stage_describe(0, &record));
	assert(stage_begin(good, 300, 0, &blob) == E_OK && blob->held == 300);
	assert(stage_find_complete(good, &blob) == E_OK && blob->bytes == bytes[0]);
	assert(stage_drop(good) == E_NOTFOUND && stage_find(good) == blob);
	assert(stage_find_complete(bad, &blob) == E_V_HASH);
	assert(stage_find_complete(bad, &blob) == E_NOTFOUND);
	assert(stage_begin(bad, 300, 0, &blob) == E_OK && blob->held == 0);
	assert(stage_find_complete(bad, &blob) == E_INCOMPLETE);
	assert(append(blob, bytes[1], 300, 0) == E_OK);
	assert(stage_find_complete(bad, &blob) == E_OK && stage_drop(bad) == E_OK);
	make(bytes[1], 300, 13, hash);
	assert(stage_find_complete(hash, &blob) == E_NOTFOUND);
}

int main(void)
{
	stage_init(BUDGET);
	test_boot();
	test_resume();
	test_wrong_hash();
	test_budget();
	test_table_full();
	return EXIT_SUCCESS;
}
