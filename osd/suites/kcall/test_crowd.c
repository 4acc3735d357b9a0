/*
 * Hundreds wait for one that ends, begins anew or is opened. The kernel does that in pieces: each of
 * them gets its answer all the same, once, and whoever runs between two pieces finds things as they are
 * behind the last one.
 */
#include "osd/suites/bare/crowd.h"
#include "osd/suites/kcall/kcall.h"

#define PERSONALITY 1u
#define N_CROWD 200u
#define N_STOPPED 10u

static struct puppet server, other;

/* In a puppet: so many messages, none of which it answers. */
static err_t take(uint64_t n)
{
	struct message msg;
	err_t r = E_OK;

	for (uint64_t i = 0; i < n && r == E_OK; i++) {
		r = sys_receive(EP_ANY, &msg);
	}
	return r;
}

/* They wait for the server, which has taken this many of their messages. */
static void crowd_new(enum crowd_kind kind, uint32_t priority, uint32_t n_taken)
{
	struct crowd crowd = {
	        .n = N_CROWD, .kind = kind, .personality = PERSONALITY, .priority = priority};

	puppet_new(&server, 0, "server", 0);
	crowd.target = server.child.ep;
	IS(E_OK, sys_personality_set(PERSONALITY, &server.child.ep, 1));
	crowd_begin(&crowd);
	IS(E_OK, puppet_call(&server, PUPPET_CALL, (uint64_t)take, n_taken));
	OK(crowd_becomes(SLOT_WAITING_REPLY, n_taken));
}

static void crowd_free(void)
{
	IS(0, crowd_events_twice());
	crowd_end();
	IS(E_OK, sys_personality_set(PERSONALITY, NULL, 0));
}

static void crowd_all_get(err_t result)
{
	OK(crowd_events(N_CROWD));
	child_settle(1000);
	OK(crowd_events(N_CROWD)); /* and whatever else there is */
	IS(N_CROWD, crowd_results(result));
}

static void test_ends(void)
{
	static const enum crowd_kind kinds[] = {CROWD_SENDREC, CROWD_FOREIGN};

	for (unsigned int i = 0; i < 2; i++) {
		crowd_new(kinds[i], CHILD_PRIORITY, N_CROWD / 2);
		OK(crowd_becomes(SLOT_SENDING, N_CROWD / 2));
		puppet_free(&server);
		crowd_all_get(E_DEAD);
		crowd_free();
	}
}

/* They run while the server is ending, and ask for it again. */
static void test_ending(void)
{
	crowd_new(CROWD_ASK, 0, N_CROWD / 2);
	OK(crowd_becomes(SLOT_SENDING, N_CROWD / 2));
	puppet_free(&server);
	crowd_all_get(E_DEAD);
	crowd_free();
}

static void test_stopped(void)
{
	crowd_new(CROWD_SENDREC, CHILD_PRIORITY, N_CROWD / 2);
	OK(crowd_becomes(SLOT_SENDING, N_CROWD / 2));
	for (uint32_t i = 0; i < N_CROWD; i += N_CROWD / N_STOPPED) {
		IS(E_OK, sys_slot_stop(crowd_endpoint(i)));
	}
	puppet_free(&server);
	OK(crowd_events(N_CROWD - N_STOPPED));
	IS(N_STOPPED, crowd_count(SLOT_STOPPED));
	for (uint32_t i = 0; i < N_CROWD; i += N_CROWD / N_STOPPED) {
		IS(E_OK, sys_slot_resume(crowd_endpoint(i), 0));
	}
	crowd_all_get(E_DEAD);
	crowd_free();
}

/* Who receives from somebody who never did anything. */
static void test_received_from(void)
{
	crowd_new(CROWD_RECEIVE, CHILD_PRIORITY, 0);
	OK(crowd_becomes(SLOT_RECEIVING, N_CROWD));
	puppet_free(&server);
	crowd_all_get(E_DEAD);
	crowd_free();
}

/* Only those whose message was taken have waited for nothing. */
static void test_begins_anew(void)
{
	static const enum crowd_kind kinds[] = {CROWD_SENDREC, CROWD_FOREIGN};

	for (unsigned int i = 0; i < 2; i++) {
		crowd_new(kinds[i], CHILD_PRIORITY, N_CROWD - 20);
		OK(crowd_becomes(SLOT_SENDING, 20));
		puppet_new(&other, 1, "other", 0);
		IS(E_OK, sys_slot_swap(server.child.ep, other.child.ep, SWAP_FRESH));
		OK(crowd_events(N_CROWD - 20));
		IS(N_CROWD - 20, crowd_results(E_RESTART));
		IS(20, crowd_count(SLOT_SENDING));
		IS(20, info_of(server.child.ep).n_senders);
		IS(E_OK, sys_slot_swap(server.child.ep, other.child.ep, 0));
		puppet_free(&other);
		puppet_free(&server);
		OK(crowd_events(N_CROWD));
		IS(20, crowd_results(E_DEAD));
		crowd_free();
	}
}

/* How the hold of a server ends for copies out of its memory. */
static void opened(err_t (*end)(void))
{
	puppet_new(&server, 0, "server", 0);
	puppet_new(&other, 1, "other", SLOT_UNCOMMITTED);
	IS(E_OK, sys_slot_swap(server.child.ep, other.child.ep, SWAP_HOLD));
	crowd_begin(&(struct crowd){.n = N_CROWD,
	        .kind = CROWD_COPY,
	        .target = server.child.ep,
	        .priority = CHILD_PRIORITY});
	OK(crowd_becomes(SLOT_PARKED, N_CROWD));
	IS(E_OK, end());
	crowd_all_get(E_GRANT); /* it has none */
	crowd_end();
	puppet_free(&other);
	puppet_free(&server);
}

static err_t end_commit(void)
{
	err_t r = sys_slot_commit(server.child.ep);

	IS(E_OK, sys_slot_swap(server.child.ep, other.child.ep, 0));
	return r;
}

static err_t end_rollback(void)
{
	IS(E_OK, sys_slot_swap(server.child.ep, other.child.ep, 0));
	return sys_slot_unhold(server.child.ep);
}

static void test_opened(void)
{
	opened(end_commit);
	opened(end_rollback);
}

const struct test tests_crowd[] = {
        {"hundreds wait for one that ends", test_ends},
        {"hundreds ask for one that is ending", test_ending},
        {"one ends for whom some wait that are stopped", test_stopped},
        {"hundreds receive from one that ends", test_received_from},
        {"hundreds wait for one that begins anew", test_begins_anew},
        {"hundreds wait for one that is held", test_opened},
        {0},
};
