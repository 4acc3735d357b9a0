/* Two rings of results: accepted ones in the order of their ids, and those that were refused. */
#include "osd/servers/rs/result.h"

#include <string.h>

#include "osd/abi/errors.h"

static struct rs_result results[RS_N_RESULTS];
static struct rs_result results_refused[RESULT_N_REFUSED];
static uint64_t results_highest; /* accepted id; 0: none yet */
/* Entries that are used next: free, or the oldest. */
static uint32_t results_next, results_refused_next;

static struct rs_result *result_in(struct rs_result *ring, uint32_t n, uint64_t transaction)
{
	for (uint32_t i = 0; i < n; i++) {
		if (transaction != 0 && ring[i].transaction == transaction) {
			return &ring[i];
		}
	}
	return NULL;
}

struct rs_result *result_find_accepted(uint64_t transaction)
{
	return result_in(results, RS_N_RESULTS, transaction);
}

struct rs_result *result_find(uint64_t transaction)
{
	struct rs_result *result = result_find_accepted(transaction);

	return result != NULL ? result : result_in(results_refused, RESULT_N_REFUSED, transaction);
}

err_t result_open(uint64_t transaction, struct rs_result **ret_result)
{
	struct rs_result *result = result_in(results_refused, RESULT_N_REFUSED, transaction);

	if (transaction <= results_highest) {
		return E_NOTFOUND;
	}
	if (result == NULL) {
		result = &results_refused[results_refused_next];
		results_refused_next = (results_refused_next + 1) % RESULT_N_REFUSED;
	}
	memset(result, 0, sizeof(*result));
	result->transaction = transaction;
	*ret_result = result;
	return E_OK;
}

struct rs_result *result_accept(struct rs_result *opened)
{
	struct rs_result *result = &results[results_next];

	results_next = (results_next + 1) % RS_N_RESULTS;
	results_highest = opened->transaction;
	*result = *opened;
	memset(opened, 0, sizeof(*opened));
	return result;
}
