#pragma once
/* Inside rollout: what its files share. A row that was changed is written with rollout_write(). */
#include "orchestrator/rollout/rollout.h"

struct rollouts {
	struct db *db;
	struct rules *rules;
	struct rollouts_ops ops;
	void *arg;
	struct event *look; /* rollouts_on_look() */
};

/* rollout.c */

/* For the history: who changed it; asked NULL: lud itself decided, as its policy says. */
struct rollout_change_row rollout_change_of(
        const struct rollout_row *row, enum rollout_changed what, const struct rules_asked *asked);
/*
 * The only one that moves a rollout. The row is written by the caller, in the transaction that has the change for
 * the history, too.
 */
void rollout_set(struct rollout_row *row, enum rollout_state state, const char *why);
/* A ring's deadline counts from here; one that is resumed has all of it again. */
void rollout_ring_begin(struct rollout_row *row, uint32_t ring);
/* What somebody, or a look, makes of a rollout. */
struct rollout_txn {
	struct rollout_row *row;
	const struct rollout_change_row *change; /* NULL: nothing for the history */
	bool again;                              /* machines that failed wait once more */
};
/* The state, its reason in the history, and machines, or none of it. */
int __must_check rollout_write(struct rollouts *rollouts, struct rollout_txn *txn);
/* Whether a person blocked the release since its rollout began. */
bool rollout_is_blocked(const struct rollouts *rollouts, const struct rollout_row *row,
        char ret_why[sizeof(row->why)]);
/* After the transaction: jobs may go, or have to end. */
void rollout_tell(
        struct rollouts *rollouts, const struct rollout_row *row, enum rollout_changed what);

/* look.c */

/* One look at a rollout. */
struct rollout_look {
	struct rollouts *rollouts;
	struct rollout_row *row;
	bool again; /* what failed is to be tried again, and so pending */
	struct rollout_ring_row ring;
	uint32_t n_failed;            /* of all rings */
	uint32_t n_pending;           /* of the rings that are open: neither well nor failed */
	uint32_t n_left_out, n_tried; /* of this ring: somebody ended its job; well, or failed */
	enum rollout_changed what;    /* what follows; 0: nothing */
};
/* Counts over all machines, for the ring that the row is at. */
int rollout_look_machines(struct rollout_look *look);
/* Whether there is a ring of this number, from 0. */
bool rollout_has_ring(const struct rollout_look *look, uint32_t n);
/* Whether as many persons as it asks for have approved of the end of the ring that was looked at. */
bool rollout_is_approved(const struct rollout_look *look);
void rollouts_on_look(evutil_socket_t fd, short what, void *arg);
