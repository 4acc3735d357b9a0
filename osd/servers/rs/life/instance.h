#pragma once
/*
 * A program in memory: an address space, and the slot whose identity it has at the moment. The two
 * are separate because an update exchanges what runs behind slots: space and addresses stay with
 * the instance, the endpoint stays with the slot.
 *
 * Everything that an instance owns is in its record, so that instance_destroy() is enough at any
 * time; regions of its space need no list, they go with it.
 */
#include "osd/abi/start.h"
#include "osd/abi/vm.h"
#include "osd/servers/rs/life/binary.h"

struct instance {
	endpoint_t slot; /* EP_NONE: it has none */
	space_t space;
	bool has_space;
	vaddr_t entry, stack_pointer, start_page; /* what slot_start takes */
	vaddr_t stack_low;
	bool is_shown_secret; /* from creation to commit: a predecessor whose layout RS made */
	vaddr_t heap;         /* 0 when heap_limit is 0: it has no typed heap */
	uint64_t heap_limit;  /* bytes reserved, not all of them backed */
	/*
	 * Of a successor, mapped from creation to commit or rollback; bytes 0: not mapped. shares:
	 * both descriptions and both address vectors, which are RS's own pages shown read-only.
	 */
	struct span_bytes {
		vaddr_t base;
		uint64_t bytes;
	} scratch, shares[4];
};

/* What is to be made. Nothing in it is kept: it lives on the caller's stack. */
struct instance_plan {
	struct binary *binary; /* a layout that RS made is handed over: it serves one instance */
	enum start_kind kind;
	endpoint_t self; /* that it will serve; START_FRESH: ignored, its slot is new */
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
 * Make a stopped instance in a slot of its own, uncommitted unless START_FRESH: until its commit it
 * may use what is mapped and report, and the kernel refuses every other call. On an error nothing
 * is left. Errors are those of VM and of slot_create; E_AGAIN: no room was found for a region.
 */
__must_check err_t instance_create(const struct instance_plan *plan, struct instance *ret_instance);
/* Let it run. Its first report, or its end, comes as a supervisor event. */
__must_check err_t instance_start(const struct instance *instance);
/* Take away what is mapped until commit only. */
void instance_settle(struct instance *instance);
/* End it, with its slot and memory. Takes a half-made one. */
void instance_destroy(struct instance *instance);
