/*
 * Giving pages of one space to another: the frames change hands, nothing is copied. So RS writes what
 * a new instance consists of into memory of its own and hands it over.
 *
 * The invariant: the giver's pages are out of its tables before the first is in the taker's, and
 * nobody else shows them. So what is executable there was writable before, and is writable nowhere
 * any more.
 */
#include "osd/servers/vm/priv.h"

/* The region whose end is given: pages that are all there, and that nobody else looks at. */
static err_t give_check(struct space *from, vaddr_t from_va, const struct give_request *give,
        struct region **ret_source)
{
	struct region *source = region_find(from->regions, from_va);

	if (!region_range_is_valid(from_va, give->n_pages) ||
	        !region_range_is_valid(give->to_va, give->n_pages) ||
	        !map_prot_is_valid(give->prot) || from == give->to) {
		return E_INVAL;
	}
	if (!source || region_end(source) != from_va + give->n_pages * PAGE_SIZE) {
		return E_FAULT;
	}
	if (source->kind != REGION_ANONYMOUS) {
		return E_PERM;
	}
	if (source->n_backed != source->n_pages) {
		return E_FAULT;
	}
	/* A mirror of the giver would go on showing them. */
	if (source->n_shares > 0 || from->n_mirrored_by > 0) {
		return E_BUSY;
	}
	*ret_source = source;
	return E_OK;
}

/* The frames behind the pages of `source` from `first` on, at `va` of a space. */
static err_t give_show(
        struct space *space, const struct region *source, uint64_t first, vaddr_t va, uint32_t prot)
{
	batch_begin(space);
	for (uint32_t frame = source->runs; frame != FRAME_NONE;) {
		const struct frame_run *run = frame_run_of(frame);
		uint64_t skip = run->page < first ? first - run->page : 0;

		if (skip < run->n) {
			batch_add(SPACE_MAP, va + (run->page + skip - first) * PAGE_SIZE,
			        frame_run_pa(frame) + skip * PAGE_SIZE, run->n - skip, prot);
		}
		frame = run->next;
	}
	return batch_end();
}

/*
 * From one space's tables to the other's. The giver's tables stay when what they show goes, so that
 * the pages can always be put back.
 */
static err_t give_move(struct space *from, const struct region *source, struct space *to,
        const struct region *region)
{
	uint64_t first = source->n_pages - region->n_pages;
	vaddr_t va = source->va + first * PAGE_SIZE;
	err_t err = batch_unmap(from, va, region->n_pages);

	if (err == E_OK) {
		err = give_show(to, source, first, region->va, region->prot);
	}
	if (err != E_OK) {
		(void)batch_unmap(to, region->va, region->n_pages);
		(void)give_show(from, source, first, va, source->prot);
	}
	return err;
}

/* The frames, and what is left of the region that they come from. */
static void give_frames(struct space *from, struct region *source, struct region *region)
{
	uint64_t first = source->n_pages - region->n_pages;

	frame_run_split(&source->runs, (uint32_t)first, &region->runs);
	region->n_backed = region->n_pages;
	source->n_backed = source->n_pages = first;
	if (first == 0) {
		region_remove(&from->regions, source);
		(void)region_free(source);
	}
}

err_t give_map(struct space *from, vaddr_t from_va, const struct give_request *give)
{
	struct region *source, *region;
	err_t err = give_check(from, from_va, give, &source);

	if (err != E_OK) {
		return err;
	}
	region = region_new();
	if (!region) {
		return E_FULL;
	}
	region->kind = REGION_ANONYMOUS;
	region->va = give->to_va;
	region->n_pages = give->n_pages;
	region->prot = give->prot;
	err = region_insert(&give->to->regions, region);
	if (err == E_OK) {
		err = give_move(from, source, give->to, region);
		if (err != E_OK) {
			region_remove(&give->to->regions, region);
		}
	}
	if (err != E_OK) {
		(void)region_free(region);
		return err;
	}
	give_frames(from, source, region);
	from->n_changes++;
	give->to->n_changes++;
	return E_OK;
}
