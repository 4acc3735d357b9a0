#pragma once
/*
 * The table of services. An entry is made at boot from the boot image and never goes; what a service
 * is and may do is in the kit manifest of its binary.
 */
#include "osd/abi/calls.h"
#include "osd/servers/rs/life/instance.h"
#include "osd/servers/rs/base/machine.h"

#define RS_N_SERVICES 64
#define RS_START_TIMEOUT (10 * NSEC_SEC)

struct service {
	char name[SERVICE_NAME_LEN];
	enum rs_service_state state; /* set by service_set_state only */
	bool is_kernel_loaded;
	endpoint_t endpoint; /* EP_NONE: not started yet, or gave up */
	struct binary binary;
	struct instance instance;
	const uint8_t *boot_envelope;
	uint64_t boot_envelope_bytes, boot_generation;

	uint32_t n_restarts, n_crashes_in_row;
	nsec_t started, crashed; /* crashed: 0, or when the outage began */
	nsec_t start_deadline;   /* STARTING, RESTARTING */
	nsec_t retry_at;         /* RESTARTING without an instance: when to try again */
	nsec_t ping_at;          /* UP with a heartbeat */
	uint32_t n_pings_missed;

	nsec_t last_blackout, longest_gap;
	uint64_t state_bytes, state_objects;
	uint64_t metrics[RS_N_METRICS];
};

struct service *service_at(uint32_t n); /* NULL: there are not so many */
struct service *service_find(const char name[SERVICE_NAME_LEN]);
struct service *service_of(endpoint_t endpoint);
/* A new entry; NULL: the table is full. */
struct service *service_add(const char name[SERVICE_NAME_LEN]);
/* Can it be updated live, as far as its kit says? */
bool service_is_updatable(const struct service *service);
/* Does the caller's kit let it control RS, and see the layouts of others? */
bool service_may_control(endpoint_t caller);
void service_set_state(struct service *service, enum rs_service_state state);
/* Privileges of a kit, with the targets that exist now. */
void service_privileges(const struct kit_manifest *kit, struct slot_privileges *ret_privileges);
/* A service has a new endpoint: whoever may send to it gets the right. */
void service_privileges_refresh(void);
