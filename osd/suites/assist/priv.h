#pragma once
/*
 * Assist's own interfaces: state of every kind (zoo.c), misbehaviour
 * (crash.c), requests (table.c).
 */
#include "osd/abi/assist.h"
#include "osd/lib/request/serve.h"

struct zoo_sum {
	uint64_t checksum; /* by content; the same for the same state at any addresses */
	uint64_t n_nodes;
};

/* Replace all state by one drawn from the seed. E_NOMEM. */
err_t zoo_build(uint64_t seed, uint32_t n_nodes);
/* Walk everything. E_CHECK: a pointer leads to the wrong place, or a sum differs from the one kept
 * at building. */
err_t zoo_check(struct zoo_sum *ret_sum);
/* Turn one pointer of the state into a wild one. */
void zoo_damage(void);
/* An object of the heap, or NULL. */
const void *zoo_object(void);

/* Misbehave at once; returns only from what does not end the service. */
void crash_now(enum assist_crash how);
/* Called when an update asks for a state: crashes if ASSIST_CRASH_LATER was asked for. */
err_t crash_prepare(uint32_t state);

/* Number of requests that are kept open. */
uint32_t table_n_held(void);
void table_alarm(void);
/* Serve a request; true if there is a reply to send now. */
bool table_dispatch(struct message *msg);
#define REQUEST SERVE_PROTOTYPE
#include "osd/abi/assist.def"
#undef REQUEST
