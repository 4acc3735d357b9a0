/*
 * Layouts that RS makes and checks, with the machine's linker and libsodium: bytes that fit their
 * commitment, no two alike, away from what is taken; nothing but the same bytes passes the check;
 * every refusal leaves memory as it was.
 */
#undef NDEBUG
#include "osd/servers/rs/layout/layout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/stage/stage.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seal.h"
#include "proto/envelope/seal_vectors.h"
#include "proto/image/flat_sample.h"

#define SERVICE "sample\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define BUDGET (UINT64_C(8) << 20)
#define WORD_STEP UINT64_C(0x9e3779b97f4a7c15)

static uint64_t word; /* the next random word */
static size_t n_wiped;
static uint32_t n_taken, n_until_none = UINT32_MAX;
static uint64_t n_left;               /* bytes of RS's last region */
static uint8_t wiped[LINK_SEED_SIZE]; /* what was in the memory that was wiped last */
static const uint8_t release[RS_HASH_LEN] = {1, 2, 3};
static const struct span_set nothing;
static const struct agree_audit audit = {1, seal_vectors[0].audit_pub};

/* The kernel: every call draws a random word. */
void host_enter(struct host_registers *r)
{
	assert(r->rax == KCALL_random);
	r->rax = E_OK;
	r->rdx = word;
	word += WORD_STEP;
}

void *stage_memory_new(uint64_t bytes)
{
	assert(bytes > 0 && bytes % PAGE_SIZE == 0);
	if (n_taken == n_until_none) {
		return NULL;
	}
	n_taken++;
	n_left = bytes;
	return memset(aligned_alloc(PAGE_SIZE, bytes), 0, bytes);
}

void stage_memory_free(void *memory, uint64_t bytes)
{
	assert(bytes > 0 && bytes % PAGE_SIZE == 0);
	n_taken--;
	free(memory);
}

/* Stands before libsodium's, which uses it as well. */
void sodium_memzero(void *const memory, const size_t len)
{
	n_wiped += len;
	if (len == sizeof(wiped)) {
		memcpy(wiped, memory, len);
	}
	memset(memory, 0, len);
}

#define SPACE 5

/* The instance: its pages by address, and how it may use them. */
static struct page {
	vaddr_t va;
	uint32_t prot;
	uint8_t bytes[PAGE_SIZE];
} pages[64];
static uint32_t n_pages, n_until_refused = UINT32_MAX;

static err_t play_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed)
{
	assert(space == SPACE && bytes > 0 && bytes % PAGE_SIZE == 0 && backed == bytes);
	if (n_until_refused-- == 0) {
		return E_NOMEM;
	}
	for (uint64_t at = 0; at < bytes; at += PAGE_SIZE) {
		assert(n_pages < sizeof(pages) / sizeof(pages[0]));
		pages[n_pages].va = va + at;
		pages[n_pages].prot = prot;
		memset(pages[n_pages++].bytes, 0, PAGE_SIZE);
	}
	return E_OK;
}

/* The end of what RS has; it is out of RS's reach at once. */
static err_t play_give(const void *from, space_t to, vaddr_t to_va, uint64_t bytes, uint32_t prot)
{
	uint32_t first = n_pages;
	err_t err = play_map(to, to_va, bytes, prot, bytes);

	assert((uintptr_t)from % PAGE_SIZE == 0 && bytes < n_left);
	for (uint64_t at = 0; err == E_OK && at < bytes; at += PAGE_SIZE) {
		uint8_t *page = (uint8_t *)(uintptr_t)from + at;

		memcpy(pages[first + at / PAGE_SIZE].bytes, page, PAGE_SIZE);
		memset(page, 0xee, PAGE_SIZE);
	}
	return err;
}

void stage_memory_cut(void *memory, uint64_t bytes)
{
	n_left = bytes;
}

err_t memory_give(const void *from, space_t to, vaddr_t to_va, uint64_t bytes, uint32_t prot)
{
	return play_give(from, to, to_va, bytes, prot);
}

err_t memory_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed)
{
	return play_map(space, va, bytes, prot, backed);
}

_Noreturn void rs_panic(const char *text)
{
	abort();
}

/* The seed that the next draw gives. */
static void seed_next(uint8_t ret_seed[LINK_SEED_SIZE])
{
	for (uint32_t i = 0; i < LINK_SEED_SIZE / 8; i++) {
		uint64_t bits = word + i * WORD_STEP;

		memcpy(ret_seed + 8 * i, &bits, 8);
	}
}

static struct layout_kit kit_of(const struct sample_kit *sample)
{
	size_t n;
	struct layout_kit kit = {.bytes = sample_file(sample, &n)};

	kit.n_bytes = n;
	return kit;
}

static struct layout_kit kit_good(void)
{
	static const struct sample_size size = {
	        .pieces = {40, 20, 20, 20}, .bytes = 200, .relocs = 3, .symbols = 30};
	uint64_t state = 4711;
	struct sample_kit sample = sample_draw(&state, &size);
	struct layout_kit kit = kit_of(&sample);

	assert(layout_kit_check(&kit, SERVICE) == E_OK);
	sample_fini(&sample);
	return kit;
}

static void kit_free(struct layout_kit *kit)
{
	free((void *)kit->bytes);
}

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

/* The random words are `n` seeds further, or back. */
static void words_skip(int n)
{
	word += (uint64_t)n * (LINK_SEED_SIZE / 8) * WORD_STEP;
}

/* Is the seed sealed as it must be with this ephemeral key? */
static bool is_sealed_by(const struct layout *layout, const uint8_t *audit_pub,
        const uint8_t seed[LINK_SEED_SIZE], const uint8_t ephemeral[LINK_SEED_SIZE])
{
	uint8_t drawn[LINK_SEED_SIZE], sealed[SEAL_SIZE];
	struct seal_agreement agreement;

	memcpy(drawn, ephemeral, sizeof(drawn));
	assert(envelope_seal_agree(audit_pub, drawn, &agreement) == 0);
	envelope_seal(&agreement, layout->commitment, seed, sealed);
	return memcmp(layout->sealed, sealed, sizeof(sealed)) == 0;
}

/*
 * Make a layout: it draws `n` times 32 bytes, the seed first. Its seed is sealed with the key that
 * was agreed on ahead (`kept`), or with one of the second draw.
 */
static void make_sealed(const struct agree_audit *to, const uint8_t *kept)
{
	struct layout_kit kit = kit_good();
	uint8_t seed[LINK_SEED_SIZE], next[LINK_SEED_SIZE];
	struct layout layout = {0};
	uint64_t begin = word;

	seed_next(seed);
	words_skip(1);
	seed_next(next);
	words_skip(-1);
	assert(layout_make(&kit, release, to, &nothing, &layout) == E_OK);
	assert(is_sealed_by(&layout, to->pub, seed, kept != NULL ? kept : next));
	words_skip(kept != NULL ? -1 : -2);
	assert(word == begin);
	words_skip(2);
	layout_free(&layout);
	kit_free(&kit);
}

/* The seed for the audit key, bound to the commitment; with a key of its own each time. */
static void test_sealed(void)
{
	make_sealed(&audit, NULL);
	make_sealed(&audit, NULL);
}

static void agree_next(const struct agree_audit *to, uint8_t ret_ephemeral[LINK_SEED_SIZE])
{
	seed_next(ret_ephemeral);
	agree_ahead(to);
}

/* Keys that were kept are used, each once; then there are none, and it goes on without. */
static void test_agreed_ahead(void)
{
	uint8_t kept[2][LINK_SEED_SIZE];

	for (int round = 0; round < 2; round++) {
		assert(agree_is_wanted(&audit));
		agree_next(&audit, kept[0]);
		assert(agree_is_wanted(&audit));
		agree_next(&audit, kept[1]);
		assert(!agree_is_wanted(&audit));
		make_sealed(&audit, kept[1]);
		assert(agree_is_wanted(&audit));
		make_sealed(&audit, kept[0]);
		make_sealed(&audit, NULL);
		make_sealed(&audit, NULL);
	}
}

/* No more than there is room for, however often it is asked for. */
static void test_agreed_enough(void)
{
	uint8_t kept[2][LINK_SEED_SIZE];
	uint64_t was;

	agree_next(&audit, kept[0]);
	agree_next(&audit, kept[1]);
	was = word;
	agree_ahead(&audit);
	assert(word == was);
	make_sealed(&audit, kept[1]);
	make_sealed(&audit, kept[0]);
}

/* Under another root, with the same audit key or with another, nothing that was kept is used. */
static void test_agreed_root(void)
{
	const struct agree_audit roots[] = {{2, audit.pub}, {2, seal_vectors[1].audit_pub}, audit};
	uint8_t kept[2][LINK_SEED_SIZE];

	agree_next(&audit, kept[0]);
	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		n_wiped = 0;
		assert(agree_is_wanted(&roots[i]));
		assert(n_wiped == 2 * sizeof(struct seal_agreement));
		make_sealed(&roots[i], NULL);
		agree_next(&roots[i], kept[0]);
		agree_next(&roots[i], kept[1]);
	}
	make_sealed(&audit, kept[1]);
	make_sealed(&audit, kept[0]);
}

/* Without an audit key, and with one that protects nothing: a layout, and no sealed seed. */
static void test_not_sealed(void)
{
	static const uint8_t keys[2][32] = {{0}, {1}}, none[SEAL_SIZE];
	struct layout_kit kit = kit_good();

	for (uint32_t i = 0; i < 2; i++) {
		const struct agree_audit useless = {3 + i, keys[i]};
		struct layout layout = {0};

		assert(agree_is_wanted(&useless) == (i == 1));
		agree_ahead(&useless);
		assert(!agree_is_wanted(&useless));
		assert(layout_make(&kit, release, &useless, &nothing, &layout) == E_OK);
		assert(memcmp(layout.commitment, none, RS_HASH_LEN) != 0);
		assert(memcmp(layout.sealed, none, sizeof(none)) == 0);
		layout_free(&layout);
	}
	kit_free(&kit);
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

static const struct page *page_at(vaddr_t va)
{
	for (uint32_t i = 0; i < n_pages; i++) {
		if (pages[i].va == va) {
			return &pages[i];
		}
	}
	return NULL;
}

/*
 * All of the image, byte for byte, is the instance's, zeros included; RS keeps what it needs for the
 * next update, and the budget has room again.
 */
static void test_give(void)
{
	struct layout_kit kit = kit_good();
	struct layout layout = {0};
	static uint8_t copy[64 * PAGE_SIZE];
	uint64_t all, given = 0, kept;
	uint32_t piece, offset;

	assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK);
	all = layout.n_mapped;
	n_left = all;
	assert(layout.n_bytes <= sizeof(copy));
	memcpy(copy, layout.payload, layout.n_bytes);
	assert(!layout.is_given && layout_give(&layout, SPACE) == E_OK && layout.is_given);
	for (uint32_t i = 0; i < layout.image.header->n_segments; i++) {
		const struct image_segment *s = &layout.image.segments[i];

		for (uint64_t at = 0; at < s->mem_size; at++) {
			const struct page *page = page_at(s->vaddr + at / PAGE_SIZE * PAGE_SIZE);

			assert(page->prot == s->prot);
			assert(page->bytes[at % PAGE_SIZE] ==
			        (at < s->file_size ? copy[s->file_off + at] : 0));
		}
		given += (s->file_size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	}
	kept = layout.image.header->symbols_off + layout.image.header->n_symbols * sizeof(uint64_t);
	assert(layout.n_mapped == all - given && n_left == layout.n_mapped);
	assert(memcmp(layout.payload, copy, kept) == 0);
	assert(layout_locate(&kit, &layout, layout.image.header->entry, &piece, &offset));
	assert(layout_give(&layout, SPACE) == E_STATE);
	layout_free(&layout);
	assert(n_taken == 0);
	n_pages = 0;
	kit_free(&kit);
}

/* The same layout a second time: there is room for it when the segments of the first are gone. */
static void test_give_budget(void)
{
	struct layout_kit kit = kit_good();
	struct layout first = {0}, second = {0};
	uint64_t work = (link_scratch_size(&kit.view) + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	uint64_t word_was = word, all, kept;

	assert(layout_make(&kit, release, &audit, &nothing, &first) == E_OK);
	n_left = all = first.n_mapped;
	assert(layout_give(&first, SPACE) == E_OK && first.n_mapped < all);
	kept = first.n_mapped;
	layout_free(&first);
	layout_init(work + all + kept);
	word = word_was;
	assert(layout_make(&kit, release, &audit, &nothing, &first) == E_OK);
	n_left = all;
	word = word_was;
	assert(layout_make(&kit, release, &audit, &nothing, &second) == E_STORE_FULL);
	n_left = all;
	assert(layout_give(&first, SPACE) == E_OK);
	word = word_was;
	assert(layout_make(&kit, release, &audit, &nothing, &second) == E_OK);
	layout_free(&first);
	layout_free(&second);
	n_pages = 0;
	layout_init(BUDGET);
	kit_free(&kit);
}

/* Whatever is refused, RS has lost count of nothing. */
static void test_give_refused(void)
{
	struct layout_kit kit = kit_good();
	struct layout layout = {0};
	err_t err = E_NOMEM;

	for (uint32_t n = 0; err != E_OK; n++) {
		uint64_t all;

		assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK);
		n_left = all = layout.n_mapped;
		n_until_refused = n;
		err = layout_give(&layout, SPACE);
		n_until_refused = UINT32_MAX;
		assert(err == E_OK || (n < 4 && n_left <= all && (n > 0 || n_left == all)));
		assert(layout.is_given && layout.n_mapped == n_left);
		layout_free(&layout);
		n_pages = 0;
	}
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
	sys_gate = (vaddr_t)host_gate;
	layout_init(BUDGET);
	test_kit_check();
	test_kit_hash();
	test_make();
	test_locate();
	test_compare();
	test_commit_form();
	test_commit();
	test_sealed();
	test_agreed_ahead();
	test_agreed_enough();
	test_agreed_root();
	test_not_sealed();
	test_another_each_time();
	test_taken();
	test_check();
	test_budget();
	test_no_memory();
	test_give();
	test_give_budget();
	test_give_refused();
	test_out_of_reach();
	return 0;
}
