/*
 * Mirrors: an old instance's memory in the new one's space, read-only and at the same addresses, by
 * sharing last-level page tables. What the old instance touches afterwards inside a shared table
 * shows up by itself; tables it gets later are brought in by asking again.
 */
#include "osd/servers/vm/priv.h"

/*
 * Changes when a view of the space may have to change: its regions did, or it has got further page
 * tables. Pages inside a shared table show up by themselves.
 */
static uint64_t mirror_state_of(const struct space *old)
{
	return (uint64_t)old->n_changes << 32 | old->n_tables;
}

static bool mirror_takes_kind(enum region_kind kind)
{
	return kind == REGION_ANONYMOUS || kind == REGION_FIXED;
}

static vaddr_t mirror_chunk_down(vaddr_t va)
{
	return va & ~(VM_CHUNK_BYTES - 1);
}

/* Next range of whole chunks that holds memory, from *at on: adjoining regions together. */
static bool mirror_range_next(const struct region **at, vaddr_t *ret_va, vaddr_t *ret_end)
{
	const struct region *region = *at;
	vaddr_t end;

	while (region && !mirror_takes_kind(region->kind)) {
		region = region->next;
	}
	if (!region) {
		return false;
	}
	*ret_va = mirror_chunk_down(region->va);
	end = mirror_chunk_down(region_end(region) - 1) + VM_CHUNK_BYTES;
	for (region = region->next; region && region->va < end; region = region->next) {
		if (mirror_takes_kind(region->kind)) {
			end = mirror_chunk_down(region_end(region) - 1) + VM_CHUNK_BYTES;
		}
	}
	*at = region;
	*ret_end = end < REGION_END ? end : mirror_chunk_down(REGION_END);
	return *ret_va < *ret_end;
}

static err_t mirror_range_note(struct space *new, vaddr_t va, vaddr_t end)
{
	struct region *region = region_new();
	err_t err;

	if (!region) {
		return E_FULL;
	}
	region->kind = REGION_MIRROR;
	region->va = va;
	region->n_pages = (end - va) / PAGE_SIZE;
	region->prot = PROT_R;
	err = region_insert(&new->regions, region);
	if (err != E_OK) {
		(void)region_free(region);
	}
	return err;
}

/* Take the view away and forget its regions. */
static err_t mirror_clear(struct space *new)
{
	struct region *region = new->regions;
	err_t err;

	batch_begin(new);
	for (; region; region = region->next) {
		if (region->kind == REGION_MIRROR) {
			batch_add(SPACE_UNMIRROR, region->va, 0, region->n_pages, 0);
		}
	}
	err = batch_end();
	region = new->regions;
	while (err == E_OK && region) {
		struct region *next = region->next;

		if (region->kind == REGION_MIRROR) {
			region_remove(&new->regions, region);
			(void)region_free(region);
		}
		region = next;
	}
	return err;
}

static err_t mirror_build(struct space *old, struct space *new)
{
	const struct region *at = old->regions;
	vaddr_t va, end;
	err_t err = E_OK;

	while (err == E_OK && mirror_range_next(&at, &va, &end)) {
		err = mirror_range_note(new, va, end);
	}
	if (err != E_OK) {
		return err;
	}
	batch_begin(new);
	for (const struct region *region = new->regions; region; region = region->next) {
		if (region->kind == REGION_MIRROR) {
			batch_add(SPACE_MIRROR, region->va, old->id, region->n_pages, 0);
			batch_add(SPACE_ZERO_ABSENT, region->va, 0, region->n_pages, 0);
		}
	}
	return batch_end();
}

static void mirror_forget(struct space *old, struct space *new)
{
	new->mirror_of = NULL;
	old->n_mirrored_by--;
}

err_t mirror_map(struct space *old, struct space *new)
{
	err_t err = E_OK;

	if (old == new || (new->mirror_of &&new->mirror_of != old)) {
		return E_INVAL;
	}
	if (new->mirror_of) {
		if (new->mirror_state == mirror_state_of(old)) {
			return E_OK;
		}
		err = mirror_clear(new);
	} else {
		new->mirror_of = old;
		old->n_mirrored_by++;
	}
	if (err == E_OK) {
		err = mirror_build(old, new);
		new->mirror_state = mirror_state_of(old);
	}
	if (err != E_OK && mirror_clear(new) == E_OK) {
		mirror_forget(old, new);
	}
	return err;
}

err_t mirror_unmap(struct space *old, struct space *new)
{
	err_t err;

	if (new->mirror_of != old) {
		return new->mirror_of ? E_INVAL : E_OK;
	}
	err = mirror_clear(new);
	if (err == E_OK) {
		mirror_forget(old, new);
	}
	return err;
}
