#pragma once
/*
 * Slots and instances. A slot is an identity: endpoint, waiting senders, queues, alarm, interrupt
 * hooks, privileges. An instance is what runs behind it: registers, address space, blocked state,
 * grant table. slot_swap() exchanges the instances of two slots and nothing else.
 *
 * Both live in static arrays; every slot owns exactly one instance at any time, used or not.
 * All fields: big kernel lock.
 */
#include "osd/abi/calls.h"
#include "osd/abi/message.h"
#include "osd/arch/arch.h"
#include "osd/kernel/list.h"
#include "osd/kernel/log_rate.h"

struct space;
struct slot;

#define N_ASYNC 32
#define N_PRIORITIES 8
#define QUANTUM_DEFAULT_NSEC (10 * 1000 * 1000ull)

/* What the instance waits for when its state is SLOT_FAULTED. */
enum fault_wait {
	FAULT_WAIT_NONE,
	FAULT_WAIT_QUEUED, /* in VM's queue */
	FAULT_WAIT_VM,     /* VM has taken it, fault_done follows */
	FAULT_WAIT_SUPERVISOR,
};

struct instance {
	struct arch_context context; /* first: entry code saves registers here */
	/* One word, compared as a whole by the fast path. */
	union {
		struct {
			uint8_t state; /* enum slot_state; written by instance_state_set only */
			uint8_t is_stopped;
			uint8_t is_uncommitted;
			uint8_t is_ready; /* linked in a run queue */
		};
		uint32_t run_word;
	};
	endpoint_t peer; /* SENDING, WAITING_REPLY, PARKED: the other side; RECEIVING: from whom */
	struct slot *slot;
	struct space *space;    /* NULL before slot_create and after slot_destroy */
	uint64_t calls_allowed; /* bit n: may make call KCALL_BASE + n now; kept by
	                           slot_calls_refresh */
	uint64_t cpu_cycles;    /* charged so far; arch_cycles_nsec() converts */
	uint32_t above_mask;    /* bit p: priority p is more urgent */
	uint32_t priority;
	uint32_t is_sendrec; /* SENDING: a reply is waited for afterwards */
	nsec_t quantum_nsec, quantum_left_nsec;
	struct list ready_link;  /* run queue */
	struct list sender_link; /* SENDING: target slot's senders */

	vaddr_t grant_table;
	uint32_t n_grants;
	uint64_t call_progress; /* of a call that restarts; 0 at every fresh call: reset before a
	                           final result */

	/* Page fault, own or met by a kernel copy on its behalf. */
	uint8_t fault_wait; /* enum fault_wait */
	uint8_t fault_is_copy;
	struct page_fault fault;
	vaddr_t copy_fault_asked; /* VM was asked for this page once by the running call; 0: none */
	struct list fault_link;

	/* Supervisor event not yet taken. */
	struct list event_link;  /* empty: none */
	struct slot_event event; /* endpoint is filled in when it is taken */
	uint32_t n_vm_faults;
};

struct slot {
	endpoint_t endpoint;
	uint8_t is_live;
	uint8_t is_held;
	uint16_t pad;
	/* Anything to receive without waiting? Bits PENDING_*; kept by ipc.c. */
	uint32_t pending;
	uint32_t incarnation; /* last one used */
	struct instance *instance;
	uint64_t ipc_to[N_SLOTS /
	                64]; /* copy of privileges.ipc_to: near the endpoint for the fast path */
	struct list senders; /* instances in SLOT_SENDING, oldest first */
	uint64_t notified_by[N_SLOTS / 64];
	uint32_t notified_by_kernel; /* NOTIFIED_* */
	uint32_t n_async, async_first;
	uint64_t irq_bits;
	endpoint_t supervisor; /* EP_NONE: its end is a panic */
	char name[SERVICE_NAME_LEN];
	struct slot_privileges privileges;
	nsec_t alarm_at; /* 0: none */
	struct list alarm_link;
	nsec_t commit_nsec, first_receive_nsec;
	uint32_t n_ipc_masked;
	struct log_rate log_rate;
	struct message async[N_ASYNC];
};

#define PENDING_NOTIFY 1u
#define PENDING_ASYNC 2u
#define PENDING_SENDER 4u
/*
 * Not a message: the next receive is the first one after slot_commit (set
 * there), its time is recorded.
 */
#define PENDING_FIRST_RECEIVE 8u

#define NOTIFIED_KERNEL 1u
#define NOTIFIED_CLOCK 2u
#define NOTIFIED_HARDWARE 4u

extern struct slot slots[N_SLOTS];

void slots_init(void);
/* The live slot behind an endpoint, or NULL. EP_SELF is not understood here. */
struct slot *slot_of(endpoint_t endpoint);
/* As slot_of, for slots that `self` supervises: E_DEAD, or E_PERM. */
err_t slot_supervised(struct instance *self, endpoint_t endpoint, struct slot **ret_slot);
/* A free slot, not yet taken; NULL: none. */
struct slot *slot_free_find(void);
uint32_t slots_free_count(void);
/*
 * Take a free slot: new incarnation, instance in SLOT_NEW over space (which has no instance yet),
 * no privileges.
 */
void slot_open(struct slot *slot, const struct slot_params *params, struct space *space,
        endpoint_t supervisor);
/*
 * End a slot and the instance behind it: its supervisor takes over what it supervised, senders and
 * callers get E_DEAD, parked calls restart, its notification bits, alarm, IRQ hooks and events go.
 * Never fails. The address space stays, without an instance.
 */
void slot_close(struct slot *slot);
/* Set privileges of a slot (already checked) and what follows from them. */
void slot_privileges_set(struct slot *slot, const struct slot_privileges *privileges);
/*
 * Recompute calls_allowed of the instance behind the slot: after a change of
 * privileges, commit or swap.
 */
void slot_calls_refresh(struct slot *slot);
/*
 * Exchange the instances of two live slots. Neither may be in a run queue, inside an IPC
 * (ipc_cancel first) or parked. Events and faults stay with the instances.
 */
void slot_instances_exchange(struct slot *a, struct slot *b);
/*
 * The instance behind the slot is a new beginning of the service: callers waiting for a reply get
 * E_RESTART, alarm and IRQ hooks go, other notification bits stay.
 */
void slot_fresh(struct slot *slot);
/* Hold: nothing is delivered to the instance any more. */
void slot_hold(struct slot *slot);
/* Open a held slot: wake parked callers, deliver what waits (ipc_deliver_waiting). */
void slot_unhold(struct slot *slot);

/* The only writer of instance->state; checks the move and keeps the run queues. */
void instance_state_set(struct instance *instance, enum slot_state state);
/* Stop or let go; what waits for a stopped instance is delivered when it is let go. Idempotent. */
void instance_stop(struct instance *instance);
void instance_unstop(struct instance *instance);
