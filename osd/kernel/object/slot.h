#pragma once
/*
 * Slots. A slot is an identity: endpoint, waiting senders, queues, alarm, interrupt hooks. What runs behind
 * it is an instance (instance.h), which has its rights from its space's domain; slot_swap exchanges the
 * instances of two slots and nothing else. Every slot has exactly one instance at any time, used or not.
 *
 * The two lie side by side in a struct thread, for the fast path and so that one piece of memory has
 * all of a thread. What runs stays where it is, so it is the identities that change places in a swap:
 * a `struct slot *` is good until then, a number or an endpoint for longer.
 *
 * All fields: big kernel lock.
 */
#include "osd/abi/calls.h"
#include "osd/abi/message.h"
#include "osd/kernel/object/instance.h"
#include "osd/kernel/base/heap.h"
#include "osd/kernel/base/list.h"
#include "osd/kernel/base/log_rate.h"

#define N_ASYNC ASEND_MAX

struct slot {
	/* Of the memory, not of the identity: a swap leaves these where they are, the lists with
	 * what the other one had in them. */
	struct instance *instance; /* in the same struct thread */
	struct message *async;     /* ring of N_ASYNC, in the space's memory; NULL: none */
	struct list senders;       /* instances in SLOT_SENDING, oldest first */
	struct list parked;        /* instances in SLOT_PARKED, oldest first */
	struct list link;          /* threads of the space that have a slot, or that have none */

	endpoint_t endpoint;
	uint8_t is_live;
	uint8_t is_held;
	/* Others may wait for it, have a notification of its, or be supervised by it: it is set
	 * before the first does, and stays. */
	uint8_t is_known;
	uint8_t pad;
	/* Anything to receive without waiting? Bits PENDING_*; kept by ipc.c. */
	uint32_t pending;
	uint32_t number; /* in endpoint */
	/* Of the bit in a sender's ipc_to: the number, or N_SERVICE_SLOTS and the class of a program. */
	uint32_t ipc_index;
	uint32_t n_senders; /* in `senders` */
	uint64_t notified_by[N_SERVICE_SLOTS / 64];
	uint32_t notified_by_kernel; /* NOTIFIED_* */
	uint32_t n_async, async_first;
	uint64_t irq_bits;
	endpoint_t supervisor; /* EP_NONE: its end is a panic */
	uint32_t n_supervised; /* live slots that have it above them, at any distance */
	char name[SERVICE_NAME_LEN];
	struct heap
	        alarm; /* where it is in that of a CPU, of the memory, too; its key is when it is due */
	nsec_t commit_nsec, first_receive_nsec;
	uint32_t n_ipc_masked;
	struct log_rate log_rate;
	struct list events; /* instances it supervises, whose event nobody has taken */
};

struct thread {
	struct instance instance;
	struct slot slot;
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

/* Whose slot has each number; one that nobody has is thread_none's, the fast path looks here. */
extern struct instance *slot_table[N_SLOTS];

void slots_init(void);
/* The slot with this number, or one that is not live. */
static inline struct slot *slot_at(uint32_t number)
{
	return &((struct thread *)(void *)slot_table[number])->slot;
}
/* The first number from this one on that a slot has; N_SLOTS: none. */
uint32_t slot_number_next(uint32_t number);
static inline struct thread *slot_thread(struct slot *slot)
{
	return list_entry(slot, struct thread, slot);
}
/*
 * Was it made by the kernel, so that nobody has given it what it has? Others give what they have
 * themselves, and no more.
 */
static inline bool slot_is_root(const struct slot *slot)
{
	return slot->supervisor == EP_NONE;
}
/* The live slot behind an endpoint, or NULL. EP_SELF is not understood here. */
struct slot *slot_of(endpoint_t endpoint);
/* As slot_of, for slots that `self` supervises: E_DEAD, or E_PERM. */
err_t slot_supervised(struct instance *self, endpoint_t endpoint, struct slot **ret_slot);
/* The same two, of a slot that is ending, too (slot_die). */
struct slot *slot_of_any(endpoint_t endpoint);
err_t slot_supervised_any(struct instance *self, endpoint_t endpoint, struct slot **ret_slot);
/* Who supervises it, and may be ending; NULL: nobody, it is one of the kernel's. */
static inline struct slot *slot_supervisor(const struct slot *slot)
{
	return slot_is_root(slot) ? NULL : slot_at(EP_SLOT(slot->supervisor));
}
/* Nobody's thread, in memory that may have held anything. */
void slot_thread_init(struct thread *thread);
/*
 * May it supervise one more slot? Neither its domain nor that of anybody above it has as many as it may,
 * whichever of its slots they are below, and there are no more above it than SUPERVISORS_MAX.
 */
bool slot_may_supervise(const struct slot *slot);
/* The slot counts, or counts no more, with all that are above it: change is 1 or -1. */
void slot_count(const struct slot *slot, int32_t change);
/* Nobody has it above them any more. */
void slot_count_clear(struct slot *slot);
/*
 * A number for a new slot, not yet taken; N_SLOTS: there is none. That of a
 * service is the lowest; those of programs come again as late as can be, so that an endpoint that
 * somebody has kept means nobody for long.
 */
uint32_t slot_number_free(bool is_program);
/* A slot with this number, which nobody has, in its next incarnation, in this memory; it is live. */
struct slot *slot_take(uint32_t number, struct thread *thread);
/*
 * The slot is ending: nothing leads to it but its number, which is taken until slot_give. Its endpoint is
 * that of no slot; it was slot_endpoint_was().
 */
void slot_die(struct slot *slot);
endpoint_t slot_endpoint_was(const struct slot *slot);
/* Its number is free, and the memory is its owner's (space_thread_put). */
void slot_give(struct slot *slot);
uint32_t slots_free_count(void);
/*
 * Exchange the identities of two slots, with all that waits for them: behind each is the other one's
 * instance then. Both have a queue for asynchronous messages, or neither has.
 */
void slot_exchange(struct slot *a, struct slot *b);
