/*
 * Which standing order is believed, and what one may move. It is judged like an order, with numbers
 * of its own: the newest counts, and ends the one before it. What it names is judged each time
 * again, since a newer root, a floor or the end of a key may come in between; a standing order
 * gives no right that an order for the same layout would not have.
 *
 * Its end is not asked here: the caller counts from when it was accepted, so that no time statement
 * makes it longer.
 */
#include "osd/servers/rs/trust/priv.h"

#include <string.h>

#include "osd/abi/errors.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/image/link.h"

err_t trust_standing(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        const struct standing_manifest **ret_standing, bool *ret_is_new)
{
	struct envelope_view view;
	struct trust_number number;
	uint8_t hash[RS_HASH_LEN];
	err_t err = trust_verify(t, bytes, len, uptime, TRUST_KIND(ENVELOPE_OF_STANDING), &view);

	if (err != E_OK) {
		return err;
	}
	if (!t->has_statement) {
		return E_V_STATEMENT;
	}
	envelope_hash(view.standing, view.standing->size, hash);
	number = (struct trust_number){view.standing->epoch, view.standing->number};
	*ret_is_new = trust_number_is_later(number, t->newest_standing);
	if (!*ret_is_new && memcmp(hash, t->standing_hash, sizeof(hash)) != 0) {
		return E_NOTFOUND;
	}
	*ret_standing = view.standing;
	return E_OK;
}

void trust_standing_accept(struct trust_state *t, const struct standing_manifest *standing)
{
	t->newest_standing = (struct trust_number){standing->epoch, standing->number};
	envelope_hash(standing, standing->size, t->standing_hash);
}

bool trust_standing_holds(const struct trust_state *t, uint64_t epoch)
{
	return epoch == t->root_serial;
}

err_t trust_standing_service(struct trust_state *t, const struct standing_service *service,
        uint64_t uptime, struct trust_variant **ret_kit)
{
	struct trust_variant *kit = trust_find_kit(t, service->release_id);
	err_t err;

	if (kit == NULL) {
		return E_V_UNADMITTED;
	}
	if (memcmp(service->service, kit->kit.service, SERVICE_NAME_SIZE) != 0) {
		return E_V_SERVICE;
	}
	if (service->recipe != LINK_RECIPE) {
		return E_V_RELEASE;
	}
	err = trust_variant_is_current(t, kit, uptime);
	if (err != E_OK) {
		return err;
	}
	if (kit->kit.counter < trust_floor(t, service->service)) {
		return E_V_FLOOR;
	}
	*ret_kit = kit;
	return E_OK;
}
