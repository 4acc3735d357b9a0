/*
 * From a name to the endpoint of a service. Around an update two slots have one name: the service's own slot, and
 * the spare one that holds the new instance before the swap and the old one after it. The identity
 * is never in the spare: before the swap that one is uncommitted, during the transaction the other
 * is held, afterwards the spare is at rest.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"

static bool lookup_name_is(const struct slot *slot, const char name[SERVICE_NAME_LEN])
{
	for (unsigned int i = 0; i < SERVICE_NAME_LEN; i++) {
		if (slot->name[i] != name[i]) {
			return false;
		}
	}
	return true;
}

/* 0: never the one that is meant. */
static int lookup_rank(const struct slot *slot, const char name[SERVICE_NAME_LEN])
{
	if (slot->endpoint == EP_NONE || !lookup_name_is(slot, name)) {
		return 0;
	}
	if (slot->is_held) {
		return 3;
	}
	if (slot->instance->is_uncommitted) {
		return 0;
	}
	return call_instance_is_at_rest(slot->instance) ? 1 : 2;
}

err_t do_lookup(struct instance *self, const uint64_t *args)
{
	char name[SERVICE_NAME_LEN];
	const struct slot *best = NULL;
	int best_rank = 0;
	err_t err = user_read(self, args[0], name, sizeof(name));

	if (err != E_OK) {
		return err;
	}
	for (unsigned int i = 0; i < N_SERVICE_SLOTS; i++) {
		int rank = lookup_rank(slot_at(i), name);

		if (rank > best_rank) {
			best_rank = rank;
			best = slot_at(i);
		}
	}
	return best ? best->endpoint : E_NOTFOUND;
}
