/*
 * What the kernel does for hundreds who wait for one: their waits end with that one, or with what it
 * was, and their copies go on when it is opened.
 */
#include "osd/suites/bench/worst.h"
#include "osd/suites/bare/crowd.h"

/* Has taken so many messages of a crowd, and answers none. */
static void server_main(uint64_t n)
{
	struct message msg;

	for (uint64_t i = 0; i < n; i++) {
		(void)sys_receive(EP_ANY, &msg);
	}
	(void)sys_receive(EP_HARDWARE, &msg);
}

static void crowd_wait(struct child *server, enum crowd_kind kind, uint32_t n_taken)
{
	struct crowd crowd = {.n = CROWD_MAX, .kind = kind, .priority = CHILD_PRIORITY};

	child_run(server, "server", server_main, n_taken);
	crowd.target = server->ep;
	(void)sys_personality_set(0, &server->ep, 1);
	crowd_begin(&crowd);
	if (!crowd_becomes(SLOT_WAITING_REPLY, n_taken) ||
	        !crowd_becomes(kind == CROWD_RECEIVE ? SLOT_RECEIVING : SLOT_SENDING,
	                CROWD_MAX - n_taken)) {
		bare_die("not all of a crowd wait", 0);
	}
}

/* All that wait have the result. */
static void crowd_gets(err_t result)
{
	if (!crowd_events(CROWD_MAX) || crowd_results(result) != CROWD_MAX) {
		bare_die("one of a crowd did not get its result", result);
	}
	crowd_end();
}

/* The waits of hundreds end with the one they wait for, or because that one begins anew. */
static void worst_crowd(void)
{
	static const enum crowd_kind kinds[] = {CROWD_SENDREC, CROWD_RECEIVE, CROWD_FOREIGN};
	struct child server, fresh;

	for (uint32_t i = 0; i < 3; i++) {
		crowd_wait(&server, kinds[i], kinds[i] == CROWD_RECEIVE ? 0 : CROWD_MAX / 2);
		child_free(&server);
		crowd_gets(E_DEAD);
	}
	crowd_wait(&server, CROWD_FOREIGN, CROWD_MAX);
	child_new(&fresh, "fresh");
	if (sys_slot_stop(server.ep) != E_OK ||
	        sys_slot_swap(server.ep, fresh.ep, SWAP_FRESH) != E_OK) {
		bare_die("slot_swap", 0);
	}
	crowd_gets(E_RESTART);
	(void)sys_slot_swap(server.ep, fresh.ep, 0);
	child_free(&fresh);
	child_free(&server);
}

/* Copies of hundreds go on when the one that they copy from is opened. */
static void worst_parked(void)
{
	struct crowd crowd = {.n = CROWD_MAX, .kind = CROWD_COPY, .priority = CHILD_PRIORITY};
	struct child server, next;

	child_new(&server, "server");
	child_space_new(&next);
	if (child_slot_new(&next, "next", SLOT_UNCOMMITTED) != E_OK ||
	        sys_slot_swap(server.ep, next.ep, SWAP_HOLD) != E_OK) {
		bare_die("no slot that is held", 0);
	}
	crowd.target = server.ep;
	crowd_begin(&crowd);
	if (!crowd_becomes(SLOT_PARKED, CROWD_MAX) || sys_slot_commit(server.ep) != E_OK) {
		bare_die("slot_commit", 0);
	}
	crowd_gets(E_GRANT);
	(void)sys_slot_swap(server.ep, next.ep, 0);
	child_free(&next);
	child_free(&server);
}

void worst_crowds(void)
{
	worst_crowd();
	worst_parked();
}
