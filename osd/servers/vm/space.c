/*
 * Address spaces, keyed by the kernel's number: a space stays with an instance when instances
 * change slots, so endpoints mean nothing here.
 */
#include "osd/servers/vm/priv.h"

#include "osd/lib/sef/sef.h"

static struct space spaces[N_SPACES];

struct space *space_of(space_t id)
{
	return id < N_SPACES && spaces[id].is_live ? &spaces[id] : NULL;
}

struct space *space_adopt(space_t id)
{
	struct space *space = id < N_SPACES ? &spaces[id] : NULL;

	if (space) {
		*space = (struct space){.is_live = true, .is_boot = true, .id = id};
	}
	return space;
}

/* Frames for a space's root and its FPU, both or none. */
static bool space_frames_take(paddr_t *ret_root, paddr_t *ret_fpu)
{
	uint32_t n;

	*ret_root = frame_take(1, &n);
	if (*ret_root == FRAME_PA_NONE) {
		return false;
	}
	*ret_fpu = frame_take(1, &n);
	if (*ret_fpu == FRAME_PA_NONE) {
		frame_give(*ret_root, 1);
		return false;
	}
	return true;
}

err_t space_new(struct space **ret_space)
{
	paddr_t root, fpu;
	err_t id;

	if (!space_frames_take(&root, &fpu)) {
		return E_NOMEM;
	}
	id = sys_space_create(root);
	if (id < 0) {
		frame_give(root, 1);
		frame_give(fpu, 1);
		return id;
	}
	spaces[id] = (struct space){.is_live = true, .id = (space_t)id, .n_tables = 2};
	/* Now, since an instance that has not committed cannot wait for memory. It is our own frame. */
	if (sys_space_fpu((space_t)id, fpu) != E_OK) {
		sef_panic("space_fpu");
	}
	*ret_space = &spaces[id];
	return E_OK;
}

/* Take the frames that the kernel keeps for the space back, which refuses while it is in use. */
static err_t space_tables_take_back(struct space *space)
{
	paddr_t frames[64];
	uint64_t n;
	err_t err;

	do {
		n = 0;
		err = sys_space_destroy(space->id, frames, 64, &n);
		if (err != E_OK && err != E_AGAIN) {
			return err;
		}
		for (uint64_t i = 0; i < n; i++) {
			frame_give(frames[i], 1);
		}
		space->n_tables -= (uint32_t)n;
	} while (err == E_AGAIN);
	return E_OK;
}

static err_t space_check_free(const struct space *space)
{
	if (space->is_boot) {
		return E_PERM;
	}
	if (space->n_mirrored_by > 0) {
		return E_BUSY;
	}
	for (const struct region *region = space->regions; region; region = region->next) {
		if (region->n_shares > 0) {
			return E_BUSY;
		}
	}
	return E_OK;
}

err_t space_free(struct space *space)
{
	err_t err = space_check_free(space);

	if (err == E_OK && space->mirror_of) {
		err = mirror_unmap(space->mirror_of, space);
	}
	if (err == E_OK) {
		err = space_tables_take_back(space);
	}
	if (err != E_OK) {
		return err;
	}
	while (space->regions) {
		struct region *region = space->regions;

		region_remove(&space->regions, region);
		map_release(region);
	}
	space->is_live = false;
	return E_OK;
}

uint64_t space_n_backed(const struct space *space)
{
	uint64_t n = 0;

	for (const struct region *region = space->regions; region; region = region->next) {
		n += region->n_backed;
	}
	return n;
}

uint64_t space_n_tables(void)
{
	uint64_t n = batch_n_reserved();

	for (uint32_t i = 0; i < N_SPACES; i++) {
		n += spaces[i].is_live ? spaces[i].n_tables : 0;
	}
	return n;
}

err_t space_of_endpoint(endpoint_t endpoint, struct space **ret_space)
{
	struct slot_info info;
	err_t err = sys_slot_info(endpoint, &info);

	if (err != E_OK) {
		return err;
	}
	*ret_space = space_of(info.space);
	return *ret_space ? E_OK : E_NOTFOUND;
}
