#pragma once
/*
 * The rules of IPC once more, in plain C, for a handful of processes: what test_random.c expects of
 * the kernel. Written for clarity and without a look at the kernel's own code, so there is no fast
 * path here: reference_call only says which calls may take it.
 *
 * One event at a time: every function below leads from one state in which nothing runs to the next.
 */
#include "osd/suites/kcall/kcall.h"

#define N_ACTORS 4u
#define REFERENCE_QUEUE 64u /* asynchronous messages that wait for one receiver at most */
/* While the reference is told that somebody computes, it is at this priority. */
#define BUSY_PRIORITY CHILD_PRIORITY

enum actor_state {
	ACTOR_IDLE, /* makes no call: may be told to */
	ACTOR_SENDING,
	ACTOR_RECEIVING,
	ACTOR_WAITING_REPLY,
	ACTOR_DONE, /* its call has ended: result and message are to be looked at */
};

struct actor {
	endpoint_t ep;
	uint32_t priority;
	uint32_t may_send_to; /* bit n: actor n */
	enum actor_state state;
	endpoint_t peer;
	bool is_sendrec; /* SENDING */
	bool is_stopped, is_held, is_uncommitted;
	bool is_first; /* the next receive is the first one after the commit */
	struct message sent;
	/* DONE */
	err_t result;
	bool has_message;
	bool has_given; /* its own message was taken before the call failed: its registers are free */
	struct message got;
	/* What waits for it. */
	bool is_alarmed;
	uint32_t notified_by; /* bit n: by actor n */
	uint32_t n_async, n_senders;
	struct message async[REFERENCE_QUEUE];
	uint32_t senders[N_ACTORS];
	uint32_t n_masked; /* sends of its own that the mask refused */
};

struct reference {
	struct actor actors[N_ACTORS]; /* in the order of their slots */
	bool is_busy;                  /* somebody computes at BUSY_PRIORITY */
};

/* The actor makes an IPC call. True: the fast path can do the whole of it. */
bool reference_call(struct reference *ref, uint32_t self, enum kcall number, endpoint_t to,
        const struct message *msg);
/* Its alarm rings. */
void reference_alarm(struct reference *ref, uint32_t self);
void reference_resume(struct reference *ref, uint32_t self);
void reference_unhold(struct reference *ref, uint32_t self);
/* As reference_unhold, for an actor that has not committed. */
void reference_commit(struct reference *ref, uint32_t self);
/* The actor's slot is destroyed: what it leaves in others; the actor is not touched. */
void reference_end(struct reference *ref, uint32_t self);
