/*
 * Requests to VM from RS and from three services. The kernel below is a model that keeps which
 * frames are page tables. After every request no frame is lost or given twice: what is free, what
 * backs a region and what is a table add up to what VM was given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "osd/lib/sef/test/host.h"
#include "osd/servers/vm/priv.h"

#define RAM_BASE UINT64_C(0x1000000)
#define RAM_BYTES (UINT64_C(24) << 20)
#define TABLES_AT UINT64_C(0x200000000000) /* where VM's own tables go on this host */
#define N_TABLES 512
#define N_KERNEL_SPACES 64u
#define N_OWN 6 /* frames of VM's own page tables at boot; not told apart from the rest */

static const endpoint_t askers[] = {
        EP_RS, EP_RS, EP_RS, EP_MAKE(2, 1), EP_MAKE(3, 1), EP_MAKE(4, 1)};

static struct {
	bool is_live;
	uint32_t n;
	paddr_t tables[N_TABLES];
} kernel[N_KERNEL_SPACES];
static bool is_booting, has_dma;
static uint64_t n_given;
static struct boot_info info;

static err_t kernel_space_create(paddr_t root, paddr_t object)
{
	for (uint32_t id = 2; id < N_KERNEL_SPACES; id++) {
		if (!kernel[id].is_live) {
			kernel[id].is_live = true;
			kernel[id].n = 2;
			kernel[id].tables[0] = root;
			kernel[id].tables[1] = object;
			return (err_t)id;
		}
	}
	return E_FULL;
}

static err_t kernel_space_destroy(uint64_t id, paddr_t *ret_frames, uint64_t max, uint64_t *ret_n)
{
	uint64_t n = 0;

	if (id >= N_KERNEL_SPACES || !kernel[id].is_live || max == 0) {
		return E_INVAL;
	}
	if (host_byte() % 8 == 7) {
		return E_BUSY;
	}
	while (kernel[id].n > 0 && n < max) {
		ret_frames[n++] = kernel[id].tables[--kernel[id].n];
	}
	*ret_n = n;
	kernel[id].is_live = kernel[id].n > 0;
	return kernel[id].is_live ? E_AGAIN : E_OK;
}

static err_t kernel_space_batch(struct space_batch *batch, uint64_t *ret_second)
{
	uint32_t needed = host_byte() % 4;
	space_t id = batch->n_ops > 0 ? batch->ops[0].space : 0;

	if (is_booting) {
		void *at = mmap((void *)batch->ops[0].va, batch->ops[0].n_pages * PAGE_SIZE,
		        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		if (at == MAP_FAILED) {
			abort();
		}
		needed = N_OWN;
	}
	if (id >= N_KERNEL_SPACES || kernel[id].n + needed > N_TABLES) {
		needed = 0;
	}
	if (needed > batch->n_tables) {
		*ret_second = needed;
		return E_TABLES;
	}
	for (uint32_t i = 0; i < needed; i++) {
		kernel[id].tables[kernel[id].n++] = batch->tables[batch->n_tables_used++];
	}
	batch->n_done = batch->n_ops;
	batch->n_spare = host_byte() % 2;
	*ret_second = needed;
	return E_OK;
}

/* Some of a space's tables become empty at times. */
static err_t kernel_space_trim(uint64_t id, paddr_t *ret_frames, uint64_t max, uint64_t *ret_n)
{
	uint64_t n = host_byte() % 3;

	while (*ret_n < n && *ret_n < max && kernel[id].n > 2) {
		ret_frames[(*ret_n)++] = kernel[id].tables[--kernel[id].n];
	}
	return *ret_n == max ? E_AGAIN : E_OK;
}

static bool kernel_call(
        enum kcall number, const uint64_t a[6], uint64_t *ret_second, err_t *ret_result)
{
	struct slot_info *slot;

	switch ((uint32_t)number) {
	case KCALL_random:
		*ret_second = is_booting ? TABLES_AT : host_word();
		*ret_result = E_OK;
		return true;
	case KCALL_space_create:
		*ret_result = kernel_space_create(a[0], a[1]);
		return true;
	case KCALL_space_fpu:
	case KCALL_domain_create:
		kernel[a[0]].tables[kernel[a[0]].n++] = a[1];
		*ret_result = E_OK;
		return true;
	case KCALL_space_destroy:
		*ret_result = kernel_space_destroy(a[0], (paddr_t *)a[1], a[2], ret_second);
		return true;
	case KCALL_space_trim:
		*ret_second = 0;
		*ret_result = kernel_space_trim(a[0], (paddr_t *)a[1], a[2], ret_second);
		return true;
	case KCALL_space_batch:
		*ret_result = kernel_space_batch((struct space_batch *)a[0], ret_second);
		return true;
	case KCALL_slot_info:
		slot = (struct slot_info *)a[1];
		*slot = (struct slot_info){
		        .space = EP_SLOT(a[0]), .has_devices = EP_SLOT(a[0]) == 4};
		*ret_result = E_OK;
		return true;
	case KCALL_fault_next: {
		struct page_fault *fault = (struct page_fault *)a[0];

		*fault = (struct page_fault){.endpoint = askers[host_byte() % 6],
		        .space = host_byte() % 8,
		        .address = host_word() >> (host_byte() % 32),
		        .flags = host_byte() % 8};
		*ret_result = host_byte() % 4 == 1 ? E_OK : E_AGAIN;
		return true;
	}
	default:
		return false;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	info = (struct boot_info){.n_free = 1,
	        .n_spaces = 2,
	        .total_bytes = RAM_BYTES,
	        .free = {{.base = RAM_BASE, .bytes = RAM_BYTES}},
	        .spaces = {{.space = 0, .endpoint = EP_VM}, {.space = 1, .endpoint = EP_RS}}};
	/* Last: variables of this file are kept as they are now, too. */
	host_init(&(struct host_setup){
	        .call = kernel_call, .name = "vm", .self = EP_VM, .supervisor = EP_NONE});
	return 0;
}

static uint64_t frames_in_use(void)
{
	uint64_t n = frame_n_free() + batch_n_reserved();

	for (uint32_t id = 0; id < N_KERNEL_SPACES; id++) {
		const struct space *space = space_of(id);

		n += kernel[id].n;
		for (const struct region *r = space ? space->regions : NULL; r; r = r->next) {
			n += r->kind == REGION_ANONYMOUS ? r->n_backed : 0;
		}
	}
	return n;
}

static void start(void)
{
	memset(kernel, 0, sizeof(kernel));
	kernel[0].is_live = kernel[1].is_live = true;
	has_dma = false;
	is_booting = true;
	boot_take_over(&info);
	is_booting = false;
	n_given = frames_in_use();
}

static void frames_check(const struct message *request, const struct message *reply)
{
	has_dma |= request->type == VM_DMA && (err_t)reply->w[0] == E_OK;
	if (!has_dma && frames_in_use() != n_given) {
		(void)fprintf(stderr, "frames after request %#x: %lu, given %lu\n", request->type,
		        frames_in_use(), n_given);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	host_begin(data, size);
	start();
	while (host_has_bytes()) {
		struct message request = host_message(VM_BASE, VM_REQUEST_N + 3, askers, 6),
		               reply = request;

		if (host_byte() % 8 == 7) {
			fault_answer_all();
			continue;
		}
		/* Spaces and access as somebody who knows would name them. */
		request.w[0] = host_byte() % 2 ? request.w[0] : host_word() & UINT64_C(0x700000007);
		reply = request;
		(void)table_dispatch(&reply);
		if (reply.type != MSG_REPLY) {
			abort();
		}
		frames_check(&request, &reply);
	}
	return 0;
}
