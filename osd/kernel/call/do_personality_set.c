/* Who answers the system calls of foreign threads of a personality. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/foreign/foreign.h"

/* Read whole before it is checked. Under the kernel's lock, as all else. */
static endpoint_t routes[PERSONALITY_ROUTES_MAX];

static err_t check_personality_set(struct instance *self, const uint64_t *args)
{
	uint32_t n = (uint32_t)args[2];
	err_t err = personality_check_owner((uint32_t)args[0], self->slot->endpoint);

	if (err == E_OK && n > PERSONALITY_ROUTES_MAX) {
		err = E_INVAL;
	}
	if (err == E_OK) {
		err = user_read(self, args[1], routes, n * sizeof(routes[0]));
	}
	for (uint32_t i = 0; err == E_OK && i < n; i++) {
		err = routes[i] == EP_NONE || slot_of(routes[i]) != NULL ? E_OK : E_DEAD;
	}
	return err;
}

err_t do_personality_set(struct instance *self, const uint64_t *args)
{
	err_t err = check_personality_set(self, args);

	if (err == E_OK) {
		personality_set((uint32_t)args[0], self->slot->endpoint, routes, (uint32_t)args[2]);
	}
	return err;
}
