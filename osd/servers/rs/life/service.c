/*
 * The table of services, their states, and what the kernel lets them do. See service.h.
 *
 * Privileges are computed anew from kits and endpoints each time, never changed bit by bit: so a
 * service that went and one that came leave nothing behind. What a kit asks for beyond what RS has
 * itself is refused by the kernel, not here.
 */
#include "osd/servers/rs/life/service.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/log.h"

static struct service services[RS_N_SERVICES];
static uint32_t services_n;

struct service *service_at(uint32_t n)
{
	return n < services_n ? &services[n] : NULL;
}

struct service *service_find(const char name[SERVICE_NAME_LEN])
{
	for (uint32_t i = 0; i < services_n; i++) {
		if (strncmp(services[i].name, name, SERVICE_NAME_LEN) == 0) {
			return &services[i];
		}
	}
	return NULL;
}

struct service *service_of(endpoint_t endpoint)
{
	for (uint32_t i = 0; i < services_n; i++) {
		if (endpoint != EP_NONE && services[i].endpoint == endpoint) {
			return &services[i];
		}
	}
	return NULL;
}

struct service *service_add(const char name[SERVICE_NAME_LEN])
{
	struct service *service;

	if (services_n == RS_N_SERVICES) {
		return NULL;
	}
	service = &services[services_n++];
	memcpy(service->name, name, SERVICE_NAME_LEN);
	service->endpoint = EP_NONE;
	service->instance.slot = EP_NONE;
	return service;
}

bool service_is_updatable(const struct service *service)
{
	return !service->is_kernel_loaded && service->binary.description != NULL &&
	       strncmp(service->binary.kit.quiescent, "none", SERVICE_NAME_LEN) != 0;
}

struct service *service_undescribed(void)
{
	static uint32_t n; /* of the first ones, which are done with */

	for (; n < services_n; n++) {
		if (service_is_updatable(&services[n]) && services[n].binary.described == NULL) {
			return &services[n];
		}
	}
	return NULL;
}

bool service_may_control(endpoint_t caller)
{
	const struct service *service = service_of(caller);

	return service != NULL && (service->binary.kit.flags & KIT_CONTROL) != 0;
}

/*
 *	from        to          by
 *	NONE        STARTING    start_step: all it depends on is up
 *	NONE        RUNNING     boot: the kernel has loaded it
 *	NONE        DOWN        boot, start_step: malformed, or depends on what does not run
 *	STARTING    RUNNING     recover_started
 *	STARTING    RESTARTING  recover_crash
 *	STARTING    DOWN        start_service, recover_crash: cannot be made, crashes too often
 *	RUNNING     UPDATING    component_claim
 *	RUNNING     RESTARTING  recover_crash, recover_restart
 *	RUNNING     DOWN        recover_crash: it is not to be restarted
 *	UPDATING    RUNNING     component_end: whatever became of the transaction
 *	RESTARTING  RESTARTING  recover_crash: it crashed before it was up
 *	RESTARTING  RUNNING     recover_started
 *	RESTARTING  DOWN        recover_crash
 *	DOWN        STARTING    recover_restart: on request
 *
 * A crash within a transaction is recovered after it has ended, so UPDATING has one way out.
 */
static bool service_may_move(enum rs_service_state from, enum rs_service_state to)
{
	static const uint8_t moves[RS_SERVICE_STATE_N] = {
	        [RS_SERVICE_NONE] = 1u << RS_SERVICE_STARTING | 1u << RS_SERVICE_RUNNING |
	                            1u << RS_SERVICE_DOWN,
	        [RS_SERVICE_STARTING] = 1u << RS_SERVICE_RUNNING | 1u << RS_SERVICE_RESTARTING |
	                                1u << RS_SERVICE_DOWN,
	        [RS_SERVICE_RUNNING] = 1u << RS_SERVICE_UPDATING | 1u << RS_SERVICE_RESTARTING |
	                               1u << RS_SERVICE_DOWN,
	        [RS_SERVICE_UPDATING] = 1u << RS_SERVICE_RUNNING,
	        [RS_SERVICE_RESTARTING] = 1u << RS_SERVICE_RESTARTING | 1u << RS_SERVICE_RUNNING |
	                                  1u << RS_SERVICE_DOWN,
	        [RS_SERVICE_DOWN] = 1u << RS_SERVICE_STARTING,
	};

	return moves[from] >> to & 1;
}

void service_set_state(struct service *service, enum rs_service_state state)
{
	if (!service_may_move(service->state, state)) {
		rs_panic("a service made an impossible move");
	}
	service->state = state;
}

/*
 * Does a kit have this target, literally? Whole names are compared, padding included, as three
 * words: this runs between the switch of an update and its first receive, for each pair of them.
 */
static bool service_kit_targets(const struct kit_manifest *kit, const char target[SERVICE_NAME_LEN])
{
	for (uint32_t i = 0; i < kit->n_targets; i++) {
		if (memcmp(kit->targets[i], target, SERVICE_NAME_LEN) == 0) {
			return true;
		}
	}
	return false;
}

/* May what runs from a kit send to the service, by its name or as a client? */
static bool service_is_target(
        const struct service *service, const struct kit_manifest *kit, bool has_clients)
{
	return service_kit_targets(kit, service->name) ||
	       (has_clients && service_kit_targets(&service->binary.kit, kit->service));
}

/*
 * The slots that a kit may send to, as far as they exist; `*` alone means all, RS, VM and programs
 * of any class included.
 */
static void service_targets(
        const struct kit_manifest *kit, struct domain_privileges *ret_privileges)
{
	static const char all[SERVICE_NAME_LEN] = KIT_TARGET_ALL;
	static const char clients[SERVICE_NAME_LEN] = KIT_TARGET_CLIENTS;
	bool has_clients = service_kit_targets(kit, clients);

	if (service_kit_targets(kit, all)) {
		memset(ret_privileges->ipc_to, 0xff, sizeof(ret_privileges->ipc_to));
		ret_privileges->ipc_classes = UINT64_MAX;
		return;
	}
	for (uint32_t i = 0; i < services_n; i++) {
		endpoint_t endpoint = services[i].endpoint;

		if (endpoint != EP_NONE && service_is_target(&services[i], kit, has_clients)) {
			ret_privileges->ipc_to[EP_SLOT(endpoint) / 64] |= UINT64_C(1)
			                                                  << EP_SLOT(endpoint) % 64;
		}
	}
}

static void service_privileges(
        const struct kit_manifest *kit, struct domain_privileges *ret_privileges)
{
	memset(ret_privileges, 0, sizeof(*ret_privileges));
	memcpy(ret_privileges->calls, kit->call_mask, sizeof(ret_privileges->calls));
	ret_privileges->calls[0] |= kcalls_ordinary();
	service_targets(kit, ret_privileges);
	ret_privileges->rank = kit->rank;
	ret_privileges->n_slots = kit->n_slots;
	ret_privileges->n_io = (uint8_t)kit->n_io;
	ret_privileges->n_mmio = (uint8_t)kit->n_mmio;
	ret_privileges->n_irq = (uint8_t)kit->n_irqs;
	for (uint32_t i = 0; i < kit->n_io; i++) {
		ret_privileges->io[i].first = (uint16_t)kit->io[i].first;
		ret_privileges->io[i].last = (uint16_t)kit->io[i].last;
	}
	for (uint32_t i = 0; i < kit->n_mmio; i++) {
		ret_privileges->mmio[i].base = kit->mmio[i].base;
		ret_privileges->mmio[i].bytes = kit->mmio[i].len;
	}
	for (uint32_t i = 0; i < kit->n_irqs; i++) {
		ret_privileges->irq[i] = (uint8_t)kit->irqs[i];
	}
}

err_t service_privileges_give(const struct kit_manifest *kit, space_t space)
{
	struct domain_privileges privileges;

	service_privileges(kit, &privileges);
	return sys_domain_set(space, &privileges);
}

static void service_privileges_give_again(const struct kit_manifest *kit, space_t space)
{
	if (service_privileges_give(kit, space) != E_OK) {
		rs_panic("privileges that were accepted once are refused");
	}
}

void service_privileges_refresh(void)
{
	for (uint32_t i = 0; i < services_n; i++) {
		const struct service *service = &services[i];

		if (service->endpoint == EP_NONE || service->is_kernel_loaded) {
			continue;
		}
		service_privileges_give_again(&service->binary.kit, service->instance.space);
		if (service->next_kit != NULL) {
			service_privileges_give_again(service->next_kit, service->next_space);
		}
	}
}
