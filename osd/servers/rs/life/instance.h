#pragma once
/* A program in memory: an address space, and the slot whose identity it has at the moment. */
#include "osd/abi/start.h"
#include "osd/abi/vm.h"
#include "osd/servers/rs/life/binary.h"

struct instance {
	endpoint_t slot; /* EP_NONE: it has none */
	space_t space;
	bool has_space;
	vaddr_t entry, stack_pointer, start_page;
	vaddr_t heap;
	uint64_t heap_limit;
	/* Mapped from creation to commit or rollback; bytes 0: not mapped. */
	struct span_bytes {
		vaddr_t base;
		uint64_t bytes;
	} scratch, shares[4];
};

struct instance_plan {
	const struct binary *binary;
	enum start_kind kind;
	endpoint_t self;
	/* START_UPDATE: the predecessor, its regions, and bytes of heap to back. */
	const struct instance *old;
	const struct binary *old_binary;
	const struct vm_region *old_regions;
	uint32_t n_old_regions;
	uint32_t asked_state;
	bool accepts_loss;
	uint64_t heap_backed;
};

/*
 * Make a stopped instance in a slot of its own, uncommitted unless START_FRESH. On an error nothing
 * is left.
 */
__must_check err_t instance_create(const struct instance_plan *plan, struct instance *ret_instance);
__must_check err_t instance_start(const struct instance *instance);
/* Take away what is mapped until commit only. */
void instance_settle(struct instance *instance);
/* End it, with its slot and memory. Takes a half-made one. */
void instance_destroy(struct instance *instance);
