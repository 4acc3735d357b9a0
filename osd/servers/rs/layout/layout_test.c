/*
 * Layouts that RS makes and checks, with the machine's linker and libsodium: bytes that fit their
 * commitment, no two alike, away from what is taken; nothing but the same bytes passes the check;
 * every refusal leaves memory as it was.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "osd/servers/rs/layout/play.h"
#include "proto/envelope/envelope_crypto.h"

/* A kit whose header has been spoilt. */
static err_t check_spoilt(void (*spoil)(struct flat_header *))
{
	struct layout_kit kit = kit_good();
	err_t err;

	kit.view.header = NULL;
	spoil((struct flat_header *)(uintptr_t)kit.bytes);
	err = layout_kit_check(&kit, SERVICE);
	assert(err == E_OK || kit.view.header == NULL);
	kit_free(&kit);
	return err;
}

static void spoil_nothing(struct flat_header *header)
{
}

static void spoil_magic(struct flat_header *header)
{
	header->magic[0]++;
}

static void spoil_version(struct flat_header *header)
{
	header->version++;
}

static void spoil_recipe(struct flat_header *header)
{
	header->recipe++;
}

static void spoil_service(struct flat_header *header)
{
	header->service[0]++;
}

static void test_kit_check(void)
{
	assert(check_spoilt(spoil_nothing) == E_OK);
	assert(check_spoilt(spoil_magic) == E_V_IMAGE);
	assert(check_spoilt(spoil_version) == E_V_VERSION);
	assert(check_spoilt(spoil_recipe) == E_V_VERSION);
	assert(check_spoilt(spoil_service) == E_V_SERVICE);
}

/* What the host would have made of the same seed: the build id is in it, too. */
static void name_payload(struct layout *layout)
{
	struct image_header *header = (struct image_header *)layout->payload;
	uint8_t hash[RS_HASH_LEN];

	envelope_hash(layout->payload, layout->n_bytes, hash);
	memcpy(header->build_id, hash, sizeof(header->build_id));
}

/* A byte that is not the signed one, though the kit is well formed with it. */
static void test_kit_hash(void)
{
	struct layout_kit kit = kit_good();
	uint8_t *last = (uint8_t *)(uintptr_t)kit.bytes + kit.n_bytes - 1, hash[RS_HASH_LEN];

	envelope_hash(kit.bytes, kit.n_bytes, hash);
	kit.hash = hash;
	kit.view.header = NULL;
	*last ^= 1;
	assert(layout_kit_check(&kit, SERVICE) == E_V_HASH && kit.view.header == NULL);
	*last ^= 1;
	assert(layout_kit_check(&kit, SERVICE) == E_OK && kit.view.header != NULL);
	kit_free(&kit);
}

/* What is made is what the linker makes of the drawn seed, which is committed to and forgotten. */
static void test_make(void)
{
	struct layout_kit kit = kit_good();
	uint8_t seed[LINK_SEED_SIZE], commitment[RS_HASH_LEN];
	struct layout layout = {0};

	seed_next(seed);
	assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK && n_taken == 1);
	assert(memcmp(wiped, seed, sizeof(seed)) == 0);
	assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes) == E_V_LAYOUT);
	name_payload(&layout);
	assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes) == E_OK);
	layout_commit(release, seed, commitment);
	assert(memcmp(commitment, layout.commitment, sizeof(commitment)) == 0);
	assert(layout.image.header == (const void *)layout.payload);
	assert(layout.image.header->n_symbols == kit.view.header->n_symbols);
	assert(n_taken == 1);
	layout_free(&layout);
	assert(n_taken == 0 && layout.payload == NULL);
	layout_free(&layout);
	kit_free(&kit);
}

/* Of every piece the first byte and the last are found, and the one behind it is not. */
static void test_locate(void)
{
	struct layout_kit kit = kit_good();
	struct layout layout = {0};
	uint32_t piece, offset;

	assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK);
	for (uint32_t i = 0; i < kit.view.n_pieces; i++) {
		uint32_t size = kit.view.pieces[i].size;
		uint64_t at = layout.address[i];

		assert(layout_locate(&kit, &layout, at, &piece, &offset));
		assert(piece == i && offset == 0);
		assert(layout_locate(&kit, &layout, at + size - 1, &piece, &offset));
		assert(piece == i && offset == size - 1);
		assert(!layout_locate(&kit, &layout, at + size, &piece, &offset));
	}
	assert(!layout_locate(&kit, &layout, layout.image.header->base - 1, &piece, &offset));
	assert(layout_locate(&kit, &layout, layout.image.header->entry, &piece, &offset));
	assert(piece == kit.view.header->entry_piece);
	assert(offset == kit.view.header->entry_offset);
	layout_free(&layout);
	kit_free(&kit);
}

/* What a layout shares with itself, with its copy elsewhere, and with another one. */
static void test_compare(void)
{
	struct layout_kit kit = kit_good();
	struct layout a = {0}, b = {0};
	struct layout_kept kept;
	uint32_t n = kit.view.n_pieces, n_address = 0, n_base = 0;

	assert(layout_make(&kit, release, &audit, &nothing, &a) == E_OK);
	assert(layout_make(&kit, release, &audit, &nothing, &b) == E_OK);
	layout_compare(&kit, &a, &a, &kept);
	assert(kept.pieces == n && kept.address == n && kept.base == n);
	for (uint32_t i = 0; i < n; i++) {
		n_address += a.address[i] == b.address[i];
		n_base +=
		        a.address[i] - a.image.header->base == b.address[i] - b.image.header->base;
	}
	layout_compare(&kit, &a, &b, &kept);
	assert(kept.pieces == n && kept.address == n_address && kept.base == n_base);
	assert(n_address == 0 && n_base < n);
	/* One piece that stayed where it was, though the window moved. */
	((uint64_t *)(uintptr_t)b.address)[n - 1] = a.address[n - 1];
	layout_compare(&kit, &a, &b, &kept);
	assert(kept.address == 1);
	/* All of them moved with the window. */
	for (uint32_t i = 0; i < n; i++) {
		((uint64_t *)(uintptr_t)b.address)[i] =
		        a.address[i] - a.image.header->base + b.image.header->base;
	}
	layout_compare(&kit, &a, &b, &kept);
	assert(kept.address == 0 && kept.base == n);
	layout_free(&a);
	layout_free(&b);
	kit_free(&kit);
}

/* Byte for byte as variants have it: whoever is shown the seed has one way to check for both. */
static void test_commit_form(void)
{
	uint8_t input[16 + RS_HASH_LEN + 8 + LINK_SEED_SIZE] = "samsara commit";
	uint8_t seed[LINK_SEED_SIZE], commitment[RS_HASH_LEN], expect[RS_HASH_LEN];

	seed_next(seed);
	memcpy(input + 16, release, RS_HASH_LEN);
	input[16 + RS_HASH_LEN] = LINK_RECIPE;
	memcpy(input + 16 + RS_HASH_LEN + 8, seed, LINK_SEED_SIZE);
	envelope_hash(input, sizeof(input), expect);
	layout_commit(release, seed, commitment);
	assert(memcmp(commitment, expect, sizeof(expect)) == 0);
}

/* Seed, release and recipe are in the commitment. */
static void test_commit(void)
{
	uint8_t seed[LINK_SEED_SIZE] = {1}, a[RS_HASH_LEN], b[RS_HASH_LEN];
	uint8_t other[RS_HASH_LEN] = {0};

	layout_commit(release, seed, a);
	layout_commit(other, seed, b);
	assert(memcmp(a, b, sizeof(a)) != 0);
	seed[LINK_SEED_SIZE - 1]++;
	layout_commit(release, seed, b);
	assert(memcmp(a, b, sizeof(a)) != 0);
}

static void test_another_each_time(void)
{
	struct layout_kit kit = kit_good();
	struct layout a = {0}, b = {0};

	assert(layout_make(&kit, release, &audit, &nothing, &a) == E_OK);
	assert(layout_make(&kit, release, &audit, &nothing, &b) == E_OK);
	assert(a.image.header->base != b.image.header->base);
	assert(memcmp(a.commitment, b.commitment, sizeof(a.commitment)) != 0);
	assert(memcmp(a.sealed, b.sealed, SEAL_PUB_SIZE) != 0);
	layout_free(&a);
	layout_free(&b);
	kit_free(&kit);
}

/* A layout in the way is drawn again; where everything is taken there is none. */
static void test_taken(void)
{
	struct layout_kit kit = kit_good();
	struct layout a = {0}, b = {0};
	struct span_set taken;
	uint64_t word_was = word;

	assert(layout_make(&kit, release, &audit, &nothing, &a) == E_OK);
	span_set_init(&taken);
	assert(span_set_add(&taken, a.image.header->base, a.image.header->window_len) == E_OK);
	word = word_was;
	assert(layout_make(&kit, release, &audit, &taken, &b) == E_OK);
	assert(!span_set_hits(&taken, b.image.header->base, b.image.header->window_len));
	layout_free(&a);
	layout_free(&b);

	span_set_init(&taken);
	assert(span_set_add(&taken, PAGE_SIZE, SPAN_END - PAGE_SIZE) == E_OK);
	assert(layout_make(&kit, release, &audit, &taken, &a) == E_AGAIN && a.payload == NULL);
	assert(n_taken == 0);
	kit_free(&kit);
}

/* One bit anywhere, a length, another release, another seed. */
static void test_check(void)
{
	struct layout_kit kit = kit_good();
	uint8_t seed[LINK_SEED_SIZE], other[RS_HASH_LEN] = {0};
	struct layout layout = {0};

	seed_next(seed);
	assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK);
	name_payload(&layout);
	assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes) == E_OK);
	for (uint64_t i = 0; i < layout.n_bytes; i += i < 512 ? 1 : 61) {
		layout.payload[i] ^= 1;
		assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes) ==
		        E_V_LAYOUT);
		layout.payload[i] ^= 1;
	}
	layout.payload[layout.n_bytes - 1] ^= 0x80;
	assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes) == E_V_LAYOUT);
	layout.payload[layout.n_bytes - 1] ^= 0x80;
	assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes - 1) == E_V_LAYOUT);
	assert(layout_check(&kit, other, seed, layout.payload, layout.n_bytes) == E_V_LAYOUT);
	seed[0] ^= 1;
	assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes) == E_V_LAYOUT);
	assert(n_taken == 1);
	layout_free(&layout);
	kit_free(&kit);
}

/*
 * The budget holds both the work and the payload, of making and of checking; what is refused takes
 * nothing, and what is freed can be taken again.
 */
static void test_budget(void)
{
	struct layout_kit kit = kit_good();
	uint8_t seed[LINK_SEED_SIZE];
	struct layout layout = {0}, other = {0};
	uint64_t work = (link_scratch_size(&kit.view) + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	uint64_t payload;

	seed_next(seed);
	assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK);
	name_payload(&layout);
	payload = layout.n_mapped;
	for (uint64_t budget = 0; budget < work + payload; budget += PAGE_SIZE) {
		layout_init(budget);
		assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes) ==
		        E_STORE_FULL);
		assert(n_taken == 1);
	}
	layout_init(work + payload);
	assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes) == E_OK);
	layout_free(&layout);
	layout_init(2 * work + 2 * payload);
	assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK);
	layout_init(work);
	assert(layout_make(&kit, release, &audit, &nothing, &other) == E_STORE_FULL);
	assert(other.payload == NULL && n_taken == 1);
	layout_free(&layout);
	assert(n_taken == 0);
	layout_init(BUDGET);
	kit_free(&kit);
}

/* Without memory for the work, or for the payload. */
static void test_no_memory(void)
{
	struct layout_kit kit = kit_good();
	uint8_t seed[LINK_SEED_SIZE];
	struct layout layout = {0}, untouched = {0};

	seed_next(seed);
	assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK);
	for (n_until_none = 1; n_until_none < 3; n_until_none++) {
		assert(layout_make(&kit, release, &audit, &nothing, &untouched) == E_NOMEM);
		assert(untouched.payload == NULL && n_taken == 1);
		assert(layout_check(&kit, release, seed, layout.payload, layout.n_bytes) ==
		        E_NOMEM);
		assert(n_taken == 1);
	}
	n_until_none = UINT32_MAX;
	layout_free(&layout);
	kit_free(&kit);
}

/* Two pieces that each refer to what lies 2 GiB behind the other: one of the two is out of reach. */
static void test_out_of_reach(void)
{
	struct flat_piece pieces[2] = {{.size = 16, .n_relocs = 1, .align_log2 = 4},
	        {.size = 16, .n_relocs = 1, .align_log2 = 4}};
	struct flat_reloc relocs[2] = {{.where = FLAT_PC32, .target = 1, .addend = INT32_MAX},
	        {.where = FLAT_PC32, .target = 0, .addend = INT32_MAX}};
	struct sample_kit sample = {.header = {.magic = FLAT_MAGIC,
	                                    .version = FLAT_VERSION,
	                                    .header_size = sizeof(struct flat_header),
	                                    .service = "sample",
	                                    .recipe = LINK_RECIPE,
	                                    .n_pieces = {1, 1},
	                                    .n_relocs = 2},
	        .pieces = pieces,
	        .relocs = relocs,
	        .n_bytes = 32};
	struct layout_kit kit = kit_of(&sample);
	struct layout layout = {0};
	uint8_t seed[LINK_SEED_SIZE] = {0}, payload[PAGE_SIZE];

	assert(layout_kit_check(&kit, SERVICE) == E_OK);
	assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_V_IMAGE);
	assert(layout.payload == NULL && n_taken == 0);
	assert(layout_check(&kit, release, seed, payload, sizeof(payload)) != E_OK && n_taken == 0);
	kit_free(&kit);
}

int main(void)
{
	play_begin();
	test_kit_check();
	test_kit_hash();
	test_make();
	test_locate();
	test_compare();
	test_commit_form();
	test_commit();
	test_another_each_time();
	test_taken();
	test_check();
	test_budget();
	test_no_memory();
	test_out_of_reach();
	return 0;
}
