/*
 * Which order may be carried out, and what a component of it may run. Verifying an order accepts
 * nothing: its number counts from trust_accept() on, so that an order which is refused blocks no
 * other one.
 */
#include "osd/servers/rs/trust/priv.h"

#include <string.h>

#include "osd/abi/errors.h"
#include "proto/image/link.h"

/*
 * E_V_EXPIRED leaves *ret_order set: only time is wrong with it, and an order that was carried out
 * is answered with its result for as long as that is kept.
 */
err_t trust_order(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        const struct order_manifest **ret_order)
{
	struct envelope_view view;
	err_t err = trust_verify(t, bytes, len, uptime, TRUST_KIND(ENVELOPE_OF_ORDER), &view);

	if (err == E_OK || err == E_V_EXPIRED) {
		*ret_order = view.order;
	}
	return err;
}

err_t trust_order_is_new(const struct trust_state *t, const struct order_manifest *order)
{
	struct trust_number number = {order->epoch, order->transaction};

	if (!t->has_statement) {
		return E_V_STATEMENT;
	}
	return trust_number_is_later(number, t->newest_order) ? E_OK : E_NOTFOUND;
}

bool trust_is_machine_made(const struct order_component *component)
{
	static const uint8_t none[RS_HASH_LEN];

	return memcmp(component->variant_hash, none, sizeof(none)) == 0;
}

/* What the component says of its variant or kit is what was signed. */
static err_t trust_component_match(const struct order_component *c, const struct trust_variant *v)
{
	const uint8_t *release_id = v->is_kit ? v->hash : v->variant.release_id;
	uint32_t recipe = v->is_kit ? LINK_RECIPE : v->variant.recipe;

	if (memcmp(c->service, v->kit.service, SERVICE_NAME_SIZE) != 0) {
		return E_V_SERVICE;
	}
	return memcmp(c->release_id, release_id, sizeof(c->release_id)) == 0 && c->recipe == recipe
	               ? E_OK
	               : E_V_RELEASE;
}

err_t trust_component(struct trust_state *t, const struct order_manifest *order,
        const struct order_component *component, uint64_t uptime,
        struct trust_variant **ret_variant)
{
	struct trust_number generation = {order->epoch, component->generation};
	struct trust_variant *v = trust_is_machine_made(component)
	                                  ? trust_find_kit(t, component->release_id)
	                                  : trust_find_variant(t, component->variant_hash);
	err_t err;

	if (v == NULL) {
		return E_V_UNADMITTED;
	}
	err = trust_component_match(component, v);
	if (err == E_OK) {
		err = trust_variant_is_current(t, v, uptime);
	}
	if (err != E_OK) {
		return err;
	}
	if (v->kit.counter < trust_floor(t, component->service)) {
		return E_V_FLOOR;
	}
	if (!trust_number_is_later(generation, trust_generation(t, component->service))) {
		return E_V_REPLAY;
	}
	*ret_variant = v;
	return E_OK;
}

void trust_accept(struct trust_state *t, const struct order_manifest *order)
{
	t->newest_order = (struct trust_number){order->epoch, order->transaction};
}
