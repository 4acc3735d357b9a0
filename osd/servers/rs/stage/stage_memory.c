/*
 * Memory of the staging store, and of layouts that are made here. They share one window of RS's space,
 * drawn at the first use: page tables of a space stay until it ends, so places all over it would use
 * up memory.
 *
 * The window is several times as large as the store's budget, so first fit finds room in spite of
 * gaps. Where a blob lies tells nothing about where an instance will: payloads are copied, and
 * descriptions are shown at places of the instance's own.
 */
#include "osd/servers/rs/stage/stage.h"

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/memory/memory.h"
#include "osd/servers/rs/memory/span.h"

/* Address space only: memory is taken blob by blob. */
#define STAGE_WINDOW (UINT64_C(128) << 20)
/* Blobs, and two layouts for each service that RS can have: what runs, and what comes. */
#define STAGE_N_PARTS (STAGE_N_BLOBS + 128)

struct stage_part {
	vaddr_t va; /* 0: free entry */
	uint64_t bytes;
};

static struct vm_region stage_own_regions[RS_N_REGIONS];
static struct stage_part stage_parts[STAGE_N_PARTS];
static vaddr_t stage_window;

/* Draw the window: a place for it in RS's own space. */
static err_t stage_window_draw(void)
{
	uint64_t random[SPAN_TRIES];
	struct span_set set;
	uint32_t n;
	err_t err = memory_regions(VM_SPACE_SELF, stage_own_regions, RS_N_REGIONS, &n);

	span_set_init(&set);
	for (uint32_t i = 0; err == E_OK && i < n; i++) {
		err = span_set_add(&set, stage_own_regions[i].va, stage_own_regions[i].bytes);
	}
	for (uint32_t i = 0; i < SPAN_TRIES; i++) {
		random[i] = sys_random();
	}
	return err == E_OK ? span_set_draw(&set, STAGE_WINDOW, random, &stage_window) : err;
}

/*
 * Does no part overlap, and does it end inside the window? Free entries have no bytes to overlap.
 */
static bool stage_is_free(vaddr_t va, uint64_t bytes)
{
	for (uint32_t i = 0; i < STAGE_N_PARTS; i++) {
		if (va < stage_parts[i].va + stage_parts[i].bytes &&
		        stage_parts[i].va < va + bytes) {
			return false;
		}
	}
	return va + bytes <= stage_window + STAGE_WINDOW;
}

/* First fit: at the start of the window, or behind another part. */
static bool stage_part_place(uint64_t bytes, vaddr_t *ret_va)
{
	if (stage_is_free(stage_window, bytes)) {
		*ret_va = stage_window;
		return true;
	}
	for (uint32_t i = 0; i < STAGE_N_PARTS; i++) {
		vaddr_t end = stage_parts[i].va + stage_parts[i].bytes;

		if (stage_parts[i].bytes > 0 && stage_is_free(end, bytes)) {
			*ret_va = end;
			return true;
		}
	}
	return false;
}

/* The entry of the part at this address; 0: a free entry. NULL: there is none. */
static struct stage_part *stage_part_find(vaddr_t va)
{
	for (uint32_t i = 0; i < STAGE_N_PARTS; i++) {
		if (stage_parts[i].va == va) {
			return &stage_parts[i];
		}
	}
	return NULL;
}

void *stage_memory_new(uint64_t bytes)
{
	struct stage_part *part = stage_part_find(0);
	vaddr_t va;

	if ((stage_window == 0 && stage_window_draw() != E_OK) || part == NULL ||
	        !stage_part_place(bytes, &va) ||
	        memory_map(VM_SPACE_SELF, va, bytes, PROT_R | PROT_W, bytes) != E_OK) {
		return NULL;
	}
	*part = (struct stage_part){.va = va, .bytes = bytes};
	return (void *)va;
}

void stage_memory_cut(void *memory, uint64_t bytes)
{
	stage_part_find((vaddr_t)memory)->bytes = bytes;
}

void stage_memory_free(void *memory, uint64_t bytes)
{
	*stage_part_find((vaddr_t)memory) = (struct stage_part){0};
	memory_unmap(VM_SPACE_SELF, (vaddr_t)memory, bytes);
}
