/*
 * Linking in the machine; see layout.h.
 *
 * The linker asks for nothing: what it works in and what it writes to is memory of RS, taken before
 * and bounded by the kit, whose size a release key signed. The work memory goes when a call
 * returns. A seed is never anywhere but on the stack of layout_make(), and is wiped there, like the key
 * that it was sealed with (agree.c): RS cannot open what it has sealed. That there is no audit key is
 * the root's word, and no reason to leave a service without a layout.
 *
 *	addresses of the pieces | header, symbols | segment | segment | segment
 *	`-- stay: reports of crashes, next update -´   `-- become the instance's, from the last one on
 *
 * Segments are linked into the very frames that the instance will have. While they are written, RS
 * alone maps them, and not executable; when VM has made them the instance's, RS maps them no more.
 *
 * All of that memory together has a budget of its own: what is staged cannot take it from a service
 * that crashed and needs another layout. Time is bounded with it, being linear in what is written,
 * and in a kit's tables, which are as long as its file.
 *
 * A layout whose window hits what is taken is dropped after the placing, which is the cheap half,
 * and another one is drawn. Address space is so empty that this hardly ever happens.
 */
#include "osd/servers/rs/layout/layout.h"

#include <string.h>

#include <sodium/utils.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/memory/memory.h"
#include "osd/servers/rs/stage/stage.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"

#define LAYOUT_TRIES 8

_Static_assert(LINK_SEED_SIZE == SEED_SIZE, "a layout's seed is what is committed to");
_Static_assert(RS_HASH_LEN == LINK_RELEASE_SIZE, "a release id is a hash");
_Static_assert(RS_SEALED_LEN == SEAL_SIZE, "a sealed seed is told as it is");

/* A kit that is being laid out, and the memory for that. */
struct layout_work {
	const struct flat_view *kit;
	void *scratch;
	uint64_t scratch_bytes; /* whole pages */
	struct link_layout layout;
};

static uint64_t layout_room; /* of the budget: bytes that may still be taken */

static uint64_t layout_round(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

static bool layout_hash_is_right(const struct layout_kit *kit)
{
	uint8_t hash[RS_HASH_LEN];

	if (kit->hash == NULL) {
		return true;
	}
	envelope_hash(kit->bytes, kit->n_bytes, hash);
	return memcmp(hash, kit->hash, sizeof(hash)) == 0;
}

err_t layout_kit_check(struct layout_kit *kit, const char service[SERVICE_NAME_LEN])
{
	struct flat_view view;
	enum flat_error error;

	if (kit->view.header != NULL) {
		return E_OK;
	}
	if (!layout_hash_is_right(kit)) {
		return E_V_HASH;
	}
	error = flat_check(kit->bytes, kit->n_bytes, &view);
	if (error != FLAT_OK) {
		return error == FLAT_E_VERSION ? E_V_VERSION : E_V_IMAGE;
	}
	if (view.header->recipe != LINK_RECIPE) {
		return E_V_VERSION;
	}
	if (memcmp(view.header->service, service, SERVICE_NAME_LEN) != 0) {
		return E_V_SERVICE;
	}
	kit->view = view;
	return E_OK;
}

/* A checked kit can be refused for one reason: it refers to places that are out of reach. */
static err_t layout_error(enum link_error error)
{
	switch (error) {
	case LINK_OK:
		return E_OK;
	case LINK_E_RANGE:
		return E_V_IMAGE;
	case LINK_E_RECIPE:
	case LINK_E_CIPHER:
	case LINK_E_WINDOW:
	case LINK_E_SCRATCH:
	case _LINK_E_N:
		break;
	}
	rs_panic("the linker was called with what it does not take");
}

void layout_init(uint64_t budget)
{
	layout_room = budget;
}

/* Whole pages. E_STORE_FULL: the budget has no room for them. E_NOMEM. */
static err_t layout_memory_take(uint64_t bytes, void **ret_memory)
{
	void *memory;

	if (bytes > layout_room) {
		return E_STORE_FULL;
	}
	memory = stage_memory_new(bytes);
	if (memory == NULL) {
		return E_NOMEM;
	}
	layout_room -= bytes;
	*ret_memory = memory;
	return E_OK;
}

static void layout_memory_free(void *memory, uint64_t bytes)
{
	stage_memory_free(memory, bytes);
	layout_room += bytes;
}

/* E_STORE_FULL, E_NOMEM. Ended by layout_end(). */
static err_t layout_begin(const struct layout_kit *kit, struct layout_work *ret_work)
{
	struct layout_work work = {
	        .kit = &kit->view, .scratch_bytes = layout_round(link_scratch_size(&kit->view))};
	err_t err = layout_memory_take(work.scratch_bytes, &work.scratch);

	if (err == E_OK) {
		*ret_work = work;
	}
	return err;
}

static void layout_end(struct layout_work *work)
{
	layout_memory_free(work->scratch, work->scratch_bytes);
}

static err_t layout_place(struct layout_work *work, const uint8_t release_id[RS_HASH_LEN],
        const uint8_t seed[LINK_SEED_SIZE])
{
	const struct link_request request = {.seed = seed, .release_id = release_id};

	return layout_error(
	        link_place(work->kit, &request, work->scratch, work->scratch_bytes, &work->layout));
}

/*
 * The bytes of what was placed, in memory of its own; `write` is one of the linker's two. A layout that
 * RS makes has no build id: it would be told to nobody.
 */
static err_t layout_write(const struct layout_work *work,
        enum link_error (*write)(const struct flat_view *, const struct link_layout *, uint8_t *),
        struct layout *ret_layout)
{
	uint64_t n_addresses = work->kit->n_pieces * sizeof(uint64_t);
	uint64_t at = layout_round(n_addresses);
	struct layout layout = {.n_bytes = work->layout.payload_size,
	        .n_mapped = at + layout_round(work->layout.payload_size)};
	void *memory;
	err_t err = layout_memory_take(layout.n_mapped, &memory);

	if (err != E_OK) {
		return err;
	}
	layout.address = memcpy(memory, work->layout.address, n_addresses);
	layout.payload = (uint8_t *)memory + at;
	err = layout_error(write(work->kit, &work->layout, layout.payload));
	if (err == E_OK && image_check(layout.payload, layout.n_bytes, &layout.image) != IMAGE_OK) {
		err = E_V_IMAGE;
	}
	if (err != E_OK) {
		layout_free(&layout);
		return err;
	}
	*ret_layout = layout;
	return E_OK;
}

/* Draw until the window is free. The seed is the caller's to wipe. */
static err_t layout_draw(struct layout_work *work, const uint8_t release_id[RS_HASH_LEN],
        const struct span_set *taken, uint8_t ret_seed[LINK_SEED_SIZE])
{
	for (uint32_t i = 0; i < LAYOUT_TRIES; i++) {
		err_t err;

		agree_draw(ret_seed);
		err = layout_place(work, release_id, ret_seed);
		if (err != E_OK ||
		        !span_set_hits(taken, work->layout.base, work->layout.window_len)) {
			return err;
		}
	}
	return E_AGAIN;
}

err_t layout_make(const struct layout_kit *kit, const uint8_t release_id[RS_HASH_LEN],
        const struct agree_audit *audit, const struct span_set *taken, struct layout *ret_layout)
{
	uint8_t seed[LINK_SEED_SIZE];
	struct layout_work work;
	err_t err = layout_begin(kit, &work);

	if (err != E_OK) {
		return err;
	}
	err = layout_draw(&work, release_id, taken, seed);
	if (err == E_OK) {
		err = layout_write(&work, link_payload_write_unnamed, ret_layout);
	}
	if (err == E_OK) {
		layout_commit(release_id, seed, ret_layout->commitment);
		(void)agree_seal(audit, ret_layout->commitment, seed, ret_layout->sealed);
	}
	sodium_memzero(seed, sizeof(seed));
	layout_end(&work);
	return err;
}

/* The pages of a segment's bytes: the end of what RS has. */
static err_t layout_give_bytes(
        struct layout *layout, const struct image_segment *segment, uint64_t bytes, space_t space)
{
	err_t err = memory_give(
	        layout->payload + segment->file_off, space, segment->vaddr, bytes, segment->prot);

	if (err == E_OK) {
		layout->n_mapped -= bytes;
		layout_room += bytes;
		stage_memory_cut((void *)(uintptr_t)layout->address, layout->n_mapped);
	}
	return err;
}

/* Its bytes, and behind them pages of zeros, all backed: the image is there before the instance runs. */
static err_t layout_give_segment(
        struct layout *layout, const struct image_segment *segment, space_t space)
{
	uint64_t bytes = layout_round(segment->file_size);
	uint64_t rest = segment->mem_size - bytes;
	err_t err = E_OK;

	if (bytes > 0) {
		err = layout_give_bytes(layout, segment, bytes, space);
	}
	if (err == E_OK && rest > 0) {
		err = memory_map(space, segment->vaddr + bytes, rest, segment->prot, rest);
	}
	return err;
}

err_t layout_give(struct layout *layout, space_t space)
{
	err_t err = E_OK;

	if (layout->is_given) {
		return E_STATE;
	}
	layout->is_given = true;
	for (uint32_t i = layout->image.header->n_segments; i-- > 0 && err == E_OK;) {
		err = layout_give_segment(layout, &layout->image.segments[i], space);
	}
	return err;
}

bool layout_locate(const struct layout_kit *kit, const struct layout *layout, uint64_t address,
        uint32_t *ret_piece, uint32_t *ret_offset)
{
	for (uint32_t i = 0; i < kit->view.n_pieces; i++) {
		if (address - layout->address[i] < kit->view.pieces[i].size) {
			*ret_piece = i;
			*ret_offset = (uint32_t)(address - layout->address[i]);
			return true;
		}
	}
	return false;
}

/* Some instructions for each piece, and no memory: both maps are there for reports of crashes. */
void layout_compare(const struct layout_kit *kit, const struct layout *before,
        const struct layout *after, struct layout_kept *ret_kept)
{
	uint64_t shift = after->image.header->base - before->image.header->base;
	struct layout_kept kept = {.pieces = kit->view.n_pieces};

	for (uint32_t i = 0; i < kit->view.n_pieces; i++) {
		uint64_t moved = after->address[i] - before->address[i];

		kept.address += moved == 0;
		kept.base += moved == shift;
	}
	*ret_kept = kept;
}

void layout_free(struct layout *layout)
{
	if (layout->payload != NULL) {
		layout_memory_free((void *)(uintptr_t)layout->address, layout->n_mapped);
	}
	*layout = (struct layout){0};
}

/* Made a second time and compared: what was made here is the only bytes that nobody could choose. */
err_t layout_check(const struct layout_kit *kit, const uint8_t release_id[RS_HASH_LEN],
        const uint8_t seed[LINK_SEED_SIZE], const void *payload, uint64_t n_bytes)
{
	struct layout_work work;
	struct layout own = {0};
	err_t err = layout_begin(kit, &work);

	if (err != E_OK) {
		return err;
	}
	err = layout_place(&work, release_id, seed);
	if (err == E_OK && work.layout.payload_size != n_bytes) {
		err = E_V_LAYOUT;
	}
	if (err == E_OK) {
		err = layout_write(&work, link_payload_write, &own);
	}
	if (err == E_OK && memcmp(own.payload, payload, n_bytes) != 0) {
		err = E_V_LAYOUT;
	}
	layout_free(&own);
	layout_end(&work);
	return err;
}

void layout_commit(const uint8_t release_id[RS_HASH_LEN], const uint8_t seed[LINK_SEED_SIZE],
        uint8_t ret_commitment[RS_HASH_LEN])
{
	envelope_seed_commit(release_id, LINK_RECIPE, seed, ret_commitment);
}
