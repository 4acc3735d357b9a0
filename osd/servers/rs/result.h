#pragma once
/*
 * Results of transactions, by the orchestrator's id. An id counts once its transaction was
 * accepted, that is, its envelope was genuine: from then on ids must rise above it, and a
 * repetition is answered from here. What was refused is kept in a ring of its own: nothing was
 * begun, so it may be tried again under the same id, and no stranger's request uses ids up or
 * drives results out.
 */
#include "osd/abi/rs.h"

#define RESULT_N_REFUSED 16

/* The kept result of a transaction, accepted or refused; NULL: not kept. */
struct rs_result *result_find(uint64_t transaction);
/* The same for accepted ones only. */
struct rs_result *result_find_accepted(uint64_t transaction);
/*
 * Open the result of a transaction that is not accepted yet, zeroed but for its id. E_NOTFOUND: the
 * id is not above all accepted ones.
 */
err_t result_open(uint64_t transaction, struct rs_result **ret_result);
/* The transaction is accepted: move its result to those that count; the oldest goes. */
struct rs_result *result_accept(struct rs_result *opened);
