/*
 * Pairing two kits on the host by the machine's own code, with loss accepted, so that all of
 * it is seen and not only the first. Both are linked in a fixed layout: any addresses do for
 * pairing, and the linked programs have the initial values that initial.c compares.
 *
 * pair_check_self() asks the same of one description against itself, without linking: a
 * release whose state could not even be carried over to itself is refused when its kit is
 * made.
 */
#include "forge/pair/pair.h"

#include <string.h>

#include "forge/base/report.h"
#include "proto/envelope/pairing.h"
#include "proto/image/link.h"

#define PAIR_SCRATCH (UINT64_C(64) << 20)

void pair_side_fini(struct pair_side *side)
{
	kit_fini(&side->kit);
	buf_fini(&side->payload);
}

void pair_fini(struct pair *pair)
{
	for (size_t i = 0; i < pair->n_initial; i++) {
		free(pair->initial[i].member);
	}
	for (size_t i = 0; i < pair->n_tables; i++) {
		free(pair->tables[i].member);
	}
	free(pair->initial);
	free(pair->tables);
	free(pair->scratch);
}

/*
 * In one fixed layout for all kits: what is alive and what it starts with do not depend on one,
 * and pairing takes any addresses. *ret_linked points into *ret_payload.
 */
static int pair_side_link(
        const struct kit *kit, struct buf *ret_payload, struct image_view *ret_linked)
{
	static const uint8_t seed[LINK_SEED_SIZE], release[LINK_RELEASE_SIZE];
	const struct link_request request = {
	        .seed = seed, .release_id = release, .fixed_base = IMAGE_BASE_MIN};
	const size_t size = link_scratch_size(&kit->dir.flat);
	MEM_FREE void *scratch = mem_zalloc(1, size);
	struct link_layout layout;
	enum link_error error = link_place(&kit->dir.flat, &request, scratch, size, &layout);
	enum image_error bad;

	if (error == LINK_OK) {
		buf_add_zero(ret_payload, layout.payload_size);
		error = link_payload_write(&kit->dir.flat, &layout, ret_payload->bytes);
	}
	if (error != LINK_OK) {
		return report_refuse(kit->path, "cannot be linked: %s; make the kit again",
		        link_error_text(error));
	}
	bad = image_check(ret_payload->bytes, ret_payload->len, ret_linked);
	return bad == IMAGE_OK ? 0
	                       : report_failed(kit->path, "what was linked is no payload: %s",
	                                 image_error_text(bad));
}

/* *ret_side is to be given to pair_side_fini() also on failure; it starts zeroed. */
int pair_side_read(struct pair_side *ret_side, const char *path)
{
	enum state_desc_error error;
	int r = kit_read(&ret_side->kit, path, NULL);

	if (r < 0) {
		return r;
	}
	error = state_desc_check(
	        ret_side->kit.state.bytes, ret_side->kit.state.len, &ret_side->desc);
	if (error != STATE_DESC_OK ||
	        ret_side->kit.dir.flat.header->n_symbols != ret_side->desc.n_entries) {
		return report_refuse(path,
		        "the state description is damaged: %s; make the kit again",
		        state_desc_error_text(error));
	}
	return pair_side_link(&ret_side->kit, &ret_side->payload, &ret_side->linked);
}

static struct state_side pair_setup_side(const struct buf *state, const uint64_t *addr, size_t n)
{
	return (struct state_side){
	        .desc = state->bytes, .desc_size = state->len, .addr = addr, .n_addr = n};
}

/*
 * Kits of two services are refused: nothing of theirs would ever meet. That no update is
 * possible is a result, ret_pair->result.
 */
int pair_make(struct pair *ret_pair, const struct pair_side *old, const struct pair_side *new)
{
	struct state_setup setup = {
	        .old = pair_setup_side(&old->kit.state, old->linked.symbols, old->desc.n_entries),
	        .new = pair_setup_side(&new->kit.state, new->linked.symbols, new->desc.n_entries),
	        .scratch_size = PAIR_SCRATCH,
	        .accepts_loss = true, /* all of it is to be seen */
	};

	if (strcmp(old->kit.manifest->service, new->kit.manifest->service) != 0) {
		return report_refuse(new->kit.path, "is a kit of %s, not of %s",
		        new->kit.manifest->service, old->kit.manifest->service);
	}
	ret_pair->side[0] = old;
	ret_pair->side[1] = new;
	ret_pair->scratch = mem_zalloc(1, PAIR_SCRATCH);
	setup.scratch = ret_pair->scratch;
	envelope_pairing_id(
	        old->kit.manifest->state_hash, new->kit.manifest->state_hash, ret_pair->id);
	if (state_pair(&setup, &ret_pair->result, &ret_pair->pairing) == STATE_OK) {
		pair_compare_initial(ret_pair);
	}
	return 0;
}

/*
 * Needs no link: addresses are made up, 16 MiB apart, so that no object reaches into the
 * next. The new side is a copy: of one description for both, pairing would believe every entry to
 * be its own partner, and look at no annotation. What follows this release is another one.
 */
int pair_check_self(const char *where, const struct buf *state)
{
	MEM_FREE void *scratch = mem_zalloc(1, PAIR_SCRATCH);
	MEM_FREE uint64_t *addr = NULL;
	BUF_CLEANUP struct buf copy = {0};
	struct state_result result;
	struct state_pairing *pairing;
	struct state_desc desc;
	struct state_setup setup = {.scratch = scratch, .scratch_size = PAIR_SCRATCH};
	enum state_desc_error error = state_desc_check(state->bytes, state->len, &desc);

	if (error != STATE_DESC_OK) {
		return report_failed(where, "its own state description is damaged: %s",
		        state_desc_error_text(error));
	}
	/* Any addresses do, so long as they differ. */
	addr = mem_zalloc(desc.n_entries + 1, sizeof(*addr));
	for (uint32_t i = 0; i < desc.n_entries; i++) {
		addr[i] = (i + UINT64_C(1)) << 24;
	}
	buf_add(&copy, state->bytes, state->len);
	setup.old = pair_setup_side(state, addr, desc.n_entries);
	setup.new = pair_setup_side(&copy, addr, desc.n_entries);
	if (state_pair(&setup, &result, &pairing) != STATE_OK) {
		return report_refuse(where,
		        "no update could follow this release: %s (%s); change the type, or say "
		        "what "
		        "it means with an annotation (docs/guide/state.md)",
		        result.error, state_code_text(result.code));
	}
	return 0;
}
