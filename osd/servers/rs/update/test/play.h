#pragma once
/*
 * A machine for tests of the transaction engine: sets of up to N components, of which each work
 * leaves a word in `trace` ("create0 create1 create2 ") and does nothing else.
 */
#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/update/priv.h"

#define N 3
#define TRACE_SIZE 1024
/* What a set of N that comes back leaves in the trace. */
#define ALL_BACK "restore2 restore1 restore0 clear2 clear1 clear0 end0 end1 end2 "

extern struct update update;
/* Service i has endpoint 10 + i, and its new instance is in slot 100 + i. */
extern struct service services[N];
extern struct image_header header; /* of every new binary */
extern nsec_t now;
extern bool is_quiet;   /* what the journal was told last */
extern uint32_t n_told; /* events since the transaction began */
extern char trace[TRACE_SIZE];

/* What is to go wrong: the work of this name fails so, for this component. "": nothing. */
extern const char *bad_work;
extern uint32_t bad_component;
extern err_t bad_error;
extern uint32_t silent_component; /* N: none */
extern int64_t call_err;          /* of every kernel call but the clock */

/* The kernel: its address goes into sys_gate. */
void gate(void);

/* Compare the trace and empty it. */
bool trace_is(const char *expected);

struct txn_component *component(uint32_t i);
/* Begin an order for the first n services, and work on it until it waits. */
void begin(uint32_t n, uint32_t action);
/* A move of the first service, of this number. */
void begin_move(uint64_t number);
/* The same with N services, up to PAIR, PREPARE or TRANSFER; the trace is empty then. */
void begin_up_to(enum rs_step step);
/* A report of the new instance, or of the old one. */
void report(endpoint_t who, uint64_t what);
void report_new_all(uint32_t n, uint64_t what);
void report_prepared_all(uint32_t n);

/* The transaction is over, and this is its result. */
void assert_over(enum rs_outcome outcome, enum rs_step step, err_t err);
/* The step ends `limit` from now and not before, with component `who` to blame. */
void assert_late(nsec_t limit, enum rs_step step, uint32_t who);
