/*
 * Moves: a service gets another layout of the release that it runs, and nobody ordered just this
 * one. A move is a transaction like any other, with epoch 0 as all of RS's own. It makes no events
 * and keeps no result but the last: there may be many in a second, and who wants to know reads their
 * count and the head of the chain (binary_follow()). When to move, and what, is decided in
 * ../standing.
 */
#include "osd/servers/rs/update/update.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/update/priv.h"

/* There is no hurry: who is busy for so long is left alone until the next time. */
#define MOVE_PREPARE_LIMIT (200 * NSEC_MSEC)

/* Is this the kit of the release that the service runs from? */
static bool move_is_of_release(const struct service *service, const struct trust_variant *kit)
{
	return memcmp(&service->binary.kit, &kit->kit, sizeof(kit->kit)) == 0;
}

/* Everything that could refuse it; *ret_component is ready to begin with, or empty. */
static err_t move_component(const char name[SERVICE_NAME_LEN], struct trust_variant *kit,
        struct txn_component *ret_component)
{
	static const char own_state[SERVICE_NAME_LEN];
	struct txn_component component = {.instance = {.slot = EP_NONE}};
	nsec_t begun = sys_clock_read();
	err_t err = verify_service(name, &component.service);

	if (err == E_OK && !move_is_of_release(component.service, kit)) {
		err = E_V_RELEASE;
	}
	if (err == E_OK) {
		err = order_state(own_state, component.service, &component.state);
	}
	if (err == E_OK) {
		err = verify_update(kit, component.service->binary.generation, component.service,
		        &component.binary);
	}
	if (err != E_OK) {
		return err;
	}
	binary_follow(&component.binary, &component.service->binary);
	component.layout_nsec = sys_clock_read() - begun;
	component.image_bytes = component.binary.payload_bytes;
	*ret_component = component;
	return E_OK;
}

err_t update_move(const char name[SERVICE_NAME_LEN], struct trust_variant *kit)
{
	struct update *update = update_record();
	struct update_plan plan = {
	        .action = ORDER_UPDATE,
	        .is_move = true,
	        .limit[RS_STEP_PREPARE] = MOVE_PREPARE_LIMIT,
	};
	err_t err;

	if (update_running().number != 0) {
		return E_BUSY;
	}
	err = move_component(name, kit, &update->txn.components[0]);
	if (err != E_OK) {
		return err;
	}
	update->asked = sys_clock_read();
	plan.number.number = ++update->n_moves;
	txn_begin(update, &plan, 1);
	return E_OK;
}
