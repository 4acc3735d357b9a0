#pragma once
/* Inside VM: spaces, batches, and the requests. */
#include "osd/abi/boot.h"
#include "osd/abi/vm.h"
#include "osd/lib/request/serve.h"
#include "osd/lib/sys/sys.h"
#include "osd/servers/vm/region.h"

/* Frames that only RS may use: a service that eats all memory must not keep RS from acting. */
#define VM_RESERVE_FRAMES 512u
#define VM_RESERVE_REGIONS 512u /* kept for RS in the same way */
/* Of a space, asked for by itself: a list of them is gone through for each request and each page fault. */
#define VM_SPACE_REGIONS_MAX 4096u
/* Page tables are shared by mirrors in this unit. */
#define VM_CHUNK_BYTES (UINT64_C(2) << 20)

struct space {
	bool is_live;
	bool is_boot; /* made by the kernel; never freed */
	space_t id;
	struct region *regions;
	uint32_t
	        n_tables; /* frames that the kernel keeps for it: page tables, FPU, domain, itself */
	uint32_t n_mirrored_by; /* spaces that show this one */
	uint32_t n_changes;     /* of its memory regions, since it was made */
	struct space *mirror_of;
	uint64_t mirror_state; /* mirror_state_of(mirror_of) when the view was made */
};

/* Room for N_SPACES, in memory that may hold anything. */
void spaces_init(struct space *storage);
/* The live space with this number, or NULL. */
struct space *space_of(space_t id);
/* Take note of a space made by the kernel. */
struct space *space_adopt(space_t id);
err_t space_new(struct space **ret_space);
/*
 * Free a space and all its memory: E_BUSY while somebody runs in it,
 * mirrors it, or shares its pages.
 */
err_t space_free(struct space *space);
/* So many more, or fewer, of its frames are the kernel's. */
void space_tables_add(struct space *space, int32_t n);
uint64_t space_n_backed(const struct space *space);
/* Page-table frames of all spaces, and those kept ready. */
uint64_t space_n_tables(void);
/* The space that an endpoint's instance runs in. */
err_t space_of_endpoint(endpoint_t endpoint, struct space **ret_space);

/*
 * Mapping operations on one space, collected and then run by the kernel. Frames for page tables are
 * found as needed. The first error stops everything up to batch_end(), which returns it.
 */
void batch_begin(struct space *space);
void batch_add(enum space_op_kind kind, vaddr_t va, uint64_t arg, uint64_t n_pages, uint32_t prot);
err_t batch_end(void);
/* A batch of its own; of use where another one failed, since what that did before its error stays done. */
static inline err_t batch_unmap(struct space *space, vaddr_t va, uint64_t n_pages)
{
	batch_begin(space);
	batch_add(SPACE_UNMAP, va, 0, n_pages, 0);
	return batch_end();
}
/* Frames kept ready to become page tables. */
uint32_t batch_n_reserved(void);

/* Demand-zero region; its first n_populate pages are backed now. */
struct map_request {
	vaddr_t va;
	uint64_t n_pages;
	uint64_t n_populate;
	uint32_t prot;
	bool may_use_reserve;
};
err_t map_anonymous(struct space *space, const struct map_request *request);
/*
 * Back n pages of an ANONYMOUS region from `page` on, all absent. On error
 * the caller unmaps the region.
 */
err_t map_back(struct space *space, struct region *region, uint64_t page, uint64_t n);
/* Back one page: E_BUSY when it is backed already; nothing has changed then. */
err_t map_back_page(struct space *space, struct region *region, uint64_t page);
/*
 * Remove a whole region: E_NOTFOUND, E_PERM (made by the kernel), E_BUSY (its
 * pages are shown elsewhere).
 */
err_t map_remove(struct space *space, vaddr_t va, uint64_t n_pages);
err_t map_protect(struct space *space, vaddr_t va, uint64_t n_pages, uint32_t prot);
err_t map_gate(struct space *space, vaddr_t va);
/* Free what a region owns, and the region; it is in no list and mapped nowhere. */
void map_release(struct region *region);
bool map_prot_is_valid(uint32_t prot);

err_t share_map(
        struct space *from, vaddr_t from_va, struct space *to, vaddr_t to_va, uint64_t n_pages);
/* The end of an anonymous region, all of it backed, becomes a region of another space. */
struct give_request {
	struct space *to;
	vaddr_t to_va;
	uint64_t n_pages;
	uint32_t prot;
};
/*
 * E_FAULT: not the end of a region, or not all of it backed. E_BUSY: shown elsewhere. E_EXISTS, E_FULL,
 * E_NOMEM. After an error both are as they were.
 */
err_t give_map(struct space *from, vaddr_t from_va, const struct give_request *give);
/* Show all memory of a space in another one. Repeating it brings the view up to date. */
err_t mirror_map(struct space *old, struct space *new);
err_t mirror_unmap(struct space *old, struct space *new);
err_t device_map_dma(struct space *space, uint64_t bytes, vaddr_t *ret_va, paddr_t *ret_pa);
err_t device_map_registers(struct space *space, paddr_t pa, uint64_t bytes, vaddr_t *ret_va);
/* Keep the frames of a DMA region that ends; a device may still write to them. */
void device_dma_keep(paddr_t pa, uint32_t n);

/* Answer all page faults that wait. */
void fault_answer_all(void);
/* Serve a request (table.c): *msg becomes the reply. */
bool table_dispatch(struct message *msg);
#define REQUEST SERVE_PROTOTYPE
#include "osd/abi/vm.def"
#undef REQUEST
/* Take over the machine's memory. */
void boot_take_over(const struct boot_info *info);
/* Frames of RAM that the machine has. */
uint64_t boot_total_frames(void);
