/* A ring of the last RS_N_RESULTS results, in the order of their ids. */
#include "osd/servers/rs/result.h"

#include <string.h>

#include "osd/abi/errors.h"

static struct rs_result results[RS_N_RESULTS];
static uint64_t results_highest; /* id; 0: none yet */
static uint32_t results_next;    /* entry that is used next: free, or the oldest */

struct rs_result *result_find(uint64_t transaction)
{
	for (uint32_t i = 0; i < RS_N_RESULTS; i++) {
		if (transaction != 0 && results[i].transaction == transaction) {
			return &results[i];
		}
	}
	return NULL;
}

err_t result_open(uint64_t transaction, struct rs_result **ret_result)
{
	struct rs_result *result = &results[results_next];

	if (transaction <= results_highest) {
		return E_NOTFOUND;
	}
	results_highest = transaction;
	results_next = (results_next + 1) % RS_N_RESULTS;
	memset(result, 0, sizeof(*result));
	result->transaction = transaction;
	*ret_result = result;
	return E_OK;
}
