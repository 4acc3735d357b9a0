/* Two rings of results; see result.h. */
#include "osd/servers/rs/update/result.h"

#include <string.h>

#include "osd/servers/rs/trust/trust.h"

struct result_ring {
	struct rs_result *results;
	uint32_t n, next; /* next: used next: free, or the oldest */
};

static struct rs_result result_ordered[RS_N_RESULTS], result_own[RESULT_N_OWN];
static struct result_ring result_rings[] = {
        {.results = result_own, .n = RESULT_N_OWN},
        {.results = result_ordered, .n = RS_N_RESULTS},
};

static struct result_ring *result_ring_of(struct trust_number number)
{
	return &result_rings[number.epoch != 0];
}

struct rs_result *result_find(struct trust_number number)
{
	struct result_ring *ring = result_ring_of(number);

	for (uint32_t i = 0; i < ring->n; i++) {
		struct rs_result *result = &ring->results[i];

		if (number.number != 0 && result->transaction == number.number &&
		        result->epoch == number.epoch) {
			return result;
		}
	}
	return NULL;
}

struct rs_result *result_open(struct trust_number number)
{
	struct result_ring *ring = result_ring_of(number);
	struct rs_result *result;

	do {
		result = &ring->results[ring->next];
		ring->next = (ring->next + 1) % ring->n;
	} while (result->outcome == RS_OUTCOME_RUNNING);
	memset(result, 0, sizeof(*result));
	result->transaction = number.number;
	result->epoch = number.epoch;
	return result;
}
