/*
 * Address spaces, keyed by the kernel's number: a space stays with an instance when instances
 * change slots, so endpoints mean nothing here.
 */
#include "osd/servers/vm/priv.h"

#include "osd/lib/sef/sef.h"

static struct space *spaces; /* N_SPACES; those behind the first n_known mean nothing yet */
static uint32_t n_known;
static uint64_t n_tables_all;

void spaces_init(struct space *storage)
{
	spaces = storage;
	n_known = 0;
	n_tables_all = 0;
}

struct space *space_of(space_t id)
{
	return id < n_known && spaces[id].is_live ? &spaces[id] : NULL;
}

/* The kernel gives one number after the other before any comes again. */
static struct space *space_begin(space_t id)
{
	while (n_known <= id) {
		spaces[n_known++].is_live = false;
	}
	spaces[id] = (struct space){.is_live = true, .id = id};
	return &spaces[id];
}

struct space *space_adopt(space_t id)
{
	struct space *space = id < N_SPACES ? space_begin(id) : NULL;

	if (space) {
		space->is_boot = true;
	}
	return space;
}

/* What the kernel has of a space from its beginning. */
enum { FRAME_ROOT, FRAME_SPACE, FRAME_FPU, FRAME_DOMAIN, N_FRAMES };

/* All or none. */
static bool space_frames_take(paddr_t ret_frames[N_FRAMES])
{
	uint32_t n;

	for (uint32_t i = 0; i < N_FRAMES; i++) {
		ret_frames[i] = frame_take(1, &n);
		if (ret_frames[i] == FRAME_PA_NONE) {
			while (i-- > 0) {
				frame_give(ret_frames[i], 1);
			}
			return false;
		}
	}
	return true;
}

err_t space_new(struct space **ret_space)
{
	paddr_t frames[N_FRAMES];
	err_t id;

	if (!space_frames_take(frames)) {
		return E_NOMEM;
	}
	id = sys_space_create(frames[FRAME_ROOT], frames[FRAME_SPACE]);
	if (id < 0) {
		for (uint32_t i = 0; i < N_FRAMES; i++) {
			frame_give(frames[i], 1);
		}
		return id;
	}
	*ret_space = space_begin((space_t)id);
	space_tables_add(*ret_space, N_FRAMES);
	/* Now, since an instance that has not committed cannot wait for memory. It is our own frame. */
	if (sys_space_fpu((space_t)id, frames[FRAME_FPU]) != E_OK) {
		sef_panic("space_fpu");
	}
	if (sys_domain_create((space_t)id, frames[FRAME_DOMAIN]) != E_OK) {
		sef_panic("domain_create");
	}
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
		space_tables_add(space, -(int32_t)n);
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

void space_tables_add(struct space *space, int32_t n)
{
	space->n_tables += (uint32_t)n;
	n_tables_all += (uint64_t)n;
}

uint64_t space_n_tables(void)
{
	return n_tables_all + batch_n_reserved();
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
