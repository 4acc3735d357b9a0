#pragma once
/*
 * The table of services. An entry is made at boot from the boot image and never goes: a service
 * that was given up stays, as DOWN, and can be started on request. What a service is and may do is
 * in the kit manifest of its binary; no code in RS knows one by its name.
 *
 * Pointers to entries are good for as long as the machine runs.
 */
#include "osd/abi/calls.h"
#include "osd/servers/rs/life/instance.h"
#include "osd/servers/rs/base/machine.h"

#define RS_N_SERVICES 64
/* From the start of an instance to its STARTED report. */
#define RS_START_TIMEOUT (10 * NSEC_SEC)

struct service {
	char name[SERVICE_NAME_LEN];
	enum rs_service_state state; /* set by service_set_state only */
	bool is_kernel_loaded; /* VM and RS themselves: RS has not made them and cannot end them */
	endpoint_t endpoint;   /* EP_NONE: not started yet, or gave up */
	struct binary binary;  /* it runs from this; a fresh start after a crash, too */
	struct instance instance; /* behind the endpoint, but for the time from switch to commit */
	/* Of the instance that an update is to put there, from its creation to commit or rollback. */
	const struct kit_manifest *next_kit; /* NULL: there is none */
	space_t next_space;
	const uint8_t *boot_envelope; /* as the boot image has it, for the host; NULL: none */
	uint64_t boot_envelope_bytes, boot_generation;

	/* Recovery; see recover.c. Limits are NSEC_NEVER when they do not run. */
	uint32_t n_restarts, n_crashes_in_row;
	nsec_t started, crashed; /* crashed: 0, or when the outage began */
	nsec_t start_deadline;   /* STARTING, RESTARTING */
	nsec_t retry_at;         /* RESTARTING without an instance: when to try again */
	nsec_t ping_at;          /* UP with a heartbeat */
	uint32_t n_pings_missed;
	nsec_t ping_open; /* the first ping that it has not answered; 0: none */
	nsec_t pong_at,
	        pong_took; /* the last one that it has: when it was sent, and for how long it was open; 0: none */

	/* Figures for the status. */
	nsec_t last_blackout, longest_gap;   /* of updates; longest_gap also of outages */
	uint64_t state_bytes, state_objects; /* that the last transfer moved */
	uint64_t metrics[RS_N_METRICS];      /* as the service reported them last */
};

struct service *service_at(uint32_t n); /* NULL: there are not so many */
/* By name; by endpoint. NULL: there is none. */
struct service *service_find(const char name[SERVICE_NAME_LEN]);
struct service *service_of(endpoint_t endpoint);
/* A new entry, in RS_SERVICE_NONE; NULL: the table is full. */
struct service *service_add(const char name[SERVICE_NAME_LEN]);
/*
 * Can it be updated live, as far as its kit says? It needs a state description, and a quiescent
 * state to stand in. Whether its memory can be moved is asked when an update is verified.
 */
bool service_is_updatable(const struct service *service);
/*
 * One that could be, whose description nobody has read yet (binary_has_description()). NULL: there
 * is none, and will be none: only those of the boot image are not read before their service runs.
 */
struct service *service_undescribed(void);
/* Does the caller's kit let it control RS, and see the layouts of others? */
bool service_may_control(endpoint_t caller);
/* The only writer of service->state; a move that is not in its table is a panic. */
void service_set_state(struct service *service, enum rs_service_state state);
/*
 * The domain of a space that RS made gets the privileges of a kit, with the targets that exist now. E_PERM:
 * it asks for more than RS may give.
 */
__must_check err_t service_privileges_give(const struct kit_manifest *kit, space_t space);
/*
 * A service has a new endpoint, or lost it, or runs from another kit: whoever may send to it gets
 * the right, or loses it, and so does who is to run there next. The kernel knows targets by slot, kits by
 * name, or as their clients.
 */
void service_privileges_refresh(void);
