#pragma once
/*
 * Instances: what runs behind a slot. Registers, address space, what it waits for, grant table, and
 * how it is scheduled. A swap moves an instance to another slot with all of that.
 *
 * All fields: big kernel lock.
 */
#include "osd/abi/calls.h"
#include "osd/abi/message.h"
#include "osd/arch/arch.h"
#include "osd/kernel/base/list.h"

struct rights;
struct space;
struct slot;

#define N_PRIORITIES 8

/*
 * What a call answers that has made its caller wait: whoever wakes it stores the result, or the
 * call is made again (kcall.h).
 */
#define KCALL_PENDING ((err_t)INT64_MIN)

/* What the instance waits for when its state is SLOT_FAULTED. */
enum fault_wait {
	FAULT_WAIT_NONE,
	FAULT_WAIT_QUEUED, /* in VM's queue */
	FAULT_WAIT_VM,     /* VM has taken it, fault_done follows */
	FAULT_WAIT_SUPERVISOR,
	FAULT_WAIT_N
};

struct instance {
	struct arch_context context; /* first: entry code saves registers here */
	/* One word, compared as a whole by the fast path. */
	union {
		struct {
			uint8_t state; /* enum slot_state; written by instance_state_set only */
			uint8_t is_stopped;
			uint8_t is_uncommitted;
			uint8_t is_ready : 1; /* linked in a run queue */
			uint8_t is_foreign : 1; /* its `syscall` is a message: never the fast path's */
		};
		uint32_t run_word;
	};
	endpoint_t peer; /* SENDING, WAITING_REPLY, PARKED: the other side; RECEIVING: from whom */
	struct slot *slot;
	struct space *space; /* in which it runs, and which has the memory of the thread */
	/* What it may do now, in the space's domain; kept by domain_rights_give(). */
	const struct rights *rights;
	uint64_t cpu_cycles; /* charged so far; arch_cycles_nsec() converts */
	uint32_t above_mask; /* bit p: priority p is more urgent */
	uint32_t priority;
	uint32_t is_sendrec;  /* SENDING: a reply is waited for afterwards */
	uint32_t personality; /* is_foreign: who answers its calls */
	nsec_t quantum_nsec, quantum_left_nsec;
	struct list ready_link;  /* run queue */
	struct list sender_link; /* SENDING: target slot's senders */

	vaddr_t grant_table;
	uint32_t n_grants;
	uint32_t cpu;           /* in whose run queue it is, or else was last */
	uint64_t call_progress; /* of a call that restarts; 0 at every fresh call: reset before a
	                           final result */
	uint64_t call_place; /* more of it, for a call that needs more; means nothing by itself */
	struct space_op call_op; /* of space_batch: the operation that has come to that place */

	/* Page fault, own or met by a kernel copy on its behalf. */
	uint8_t fault_wait; /* enum fault_wait */
	uint8_t fault_is_copy;
	uint8_t fault_is_mended; /* WAIT_SUPERVISOR: who has written other registers */
	struct page_fault fault;
	vaddr_t copy_fault_asked; /* VM was asked for this page once by the running call; 0: none */
	struct list fault_link;

	/* Supervisor event not yet taken. */
	struct list event_link;  /* supervisor's `events`; empty: none */
	struct slot_event event; /* endpoint is filled in when it is taken */
	uint32_t n_vm_faults;
	uint32_t
	        ready_since; /* run queue: how many had come to the end of one before it; it wraps */
};
