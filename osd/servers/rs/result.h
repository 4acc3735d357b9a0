#pragma once
/*
 * Results of transactions, by the orchestrator's id. Ids only rise: an id that is not above all
 * known ones is either still kept, and answered from here, or unknown for good and never run again.
 */
#include "osd/abi/rs.h"

/* The kept result of a transaction; NULL: not kept. */
struct rs_result *result_find(uint64_t transaction);
/* Open the result of a new transaction, zeroed but for its id; the oldest goes. E_NOTFOUND: the id
 * did not rise. */
err_t result_open(uint64_t transaction, struct rs_result **ret_result);
