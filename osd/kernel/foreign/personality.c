/*
 * Where calls of foreign threads go, by number. A personality has one table for all of its threads.
 *
 * A table gives no right: a thread's slot must be allowed to send to who stands in it. But who sets
 * it decides who sees a program's calls, so it belongs to the first one that sets it, until that one
 * sets none or ends. A route is an endpoint: who takes the slot over later is not meant by it.
 */
#include "osd/kernel/foreign/foreign.h"

struct personality {
	endpoint_t owner; /* means nothing without routes */
	uint32_t n_routes;
	endpoint_t routes[PERSONALITY_ROUTES_MAX];
};

/* All fields: big kernel lock. */
static struct personality personalities[N_PERSONALITIES];

err_t personality_check_owner(uint32_t personality, endpoint_t owner)
{
	const struct personality *p;

	if (personality >= N_PERSONALITIES) {
		return E_INVAL;
	}
	p = &personalities[personality];
	return p->n_routes == 0 || p->owner == owner || slot_of(p->owner) == NULL ? E_OK : E_PERM;
}

void personality_set(uint32_t personality, endpoint_t owner, const endpoint_t *routes, uint32_t n)
{
	struct personality *p = &personalities[personality];

	p->owner = owner;
	p->n_routes = n;
	__builtin_memcpy(p->routes, routes, n * sizeof(routes[0]));
}

bool personality_is_set(uint32_t personality)
{
	return personality < N_PERSONALITIES && personalities[personality].n_routes != 0;
}

endpoint_t personality_route(uint32_t personality, uint64_t number)
{
	const struct personality *p = &personalities[personality];

	return number < p->n_routes ? p->routes[number] : EP_NONE;
}
