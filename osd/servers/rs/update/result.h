#pragma once
/*
 * Results of transactions, by epoch and number: a ring of those that orders made, and a smaller one
 * of RS's own (epoch 0, prepare checks), which needs no order and so drives no order's result out.
 * Which numbers may still be used is decided in trust.c.
 */
#include "osd/servers/rs/trust/trust.h"

/* Kept of RS's own; of orders RS_N_RESULTS are. */
#define RESULT_N_OWN 16

/* The kept result of a transaction; NULL: not kept. */
struct rs_result *result_find(struct trust_number number);
/*
 * Open a result, zeroed but for its number; the oldest that is not of a
 * running transaction goes.
 */
struct rs_result *result_open(struct trust_number number);
