#pragma once
/* What the files of RS share: services, instances, events. Transactions are in txn.h. */
#include "osd/abi/boot.h"
#include "osd/abi/calls.h"
#include "osd/abi/errors.h"
#include "osd/abi/rs.h"
#include "osd/abi/start.h"
#include "osd/abi/vm.h"
#include "osd/servers/rs/log.h"
#include "osd/servers/rs/stage.h"
#include "osd/servers/rs/trust.h"
#include "proto/envelope/envelope.h"
#include "proto/image/image.h"

#define __must_check __attribute__((warn_unused_result))

#define NSEC_USEC UINT64_C(1000)
#define NSEC_MSEC (1000 * NSEC_USEC)
#define NSEC_SEC (1000 * NSEC_MSEC)
#define NSEC_NEVER UINT64_MAX

#define RS_N_SERVICES 64
#define RS_N_REGIONS 128
#define RS_STAGING_BUDGET (UINT64_C(24) << 20)
#define RS_START_TIMEOUT (10 * NSEC_SEC)
#define RS_N_SUBSCRIBERS 8

/*
 * What an instance is made from. The bytes are in the boot image, or in blobs that it holds a
 * reference to; everything in it was checked.
 */
struct binary {
	struct kit_manifest kit;
	struct trust_number generation;
	struct image_view image; /* header NULL: no payload (a service that the kernel loaded) */
	uint64_t payload_bytes;
	const uint8_t *description; /* NULL: none */
	uint64_t description_bytes;
	vaddr_t heap_root; /* of its typed heap; 0: it has none */
	struct blob *payload_blob, *description_blob;
	struct trust_variant *variant; /* NULL: it came with the boot image */
	uint8_t payload_hash[RS_HASH_LEN];
};

/* A program in memory: an address space, and the slot whose identity it has at the moment. */
struct instance {
	endpoint_t slot; /* EP_NONE: it has none */
	space_t space;
	bool has_space;
	vaddr_t entry, stack_pointer, start_page;
	vaddr_t heap;
	uint64_t heap_limit;
	/* Mapped from creation to commit or rollback; bytes 0: not mapped. */
	struct span_bytes {
		vaddr_t base;
		uint64_t bytes;
	} scratch, shares[4];
};

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

/* rs: what RS knows of itself and its machine */
struct machine {
	const struct start_info *start;
	struct boot_view boot;
	struct trust_state trust;
	nsec_t boot_done;
};
extern struct machine machine;
/* service.c */
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

/* binary.c */
/* Give back what a binary refers to. Takes an empty one. */
void binary_release(struct binary *binary);
/*
 * Read from a checked payload and its description what RS wants to know. False:
 * they do not belong together.
 */
bool binary_describe(struct binary *binary);

/* boot.c */
/*
 * Read the boot image; start what depends on nothing. Panics on a boot
 * image that is not well-formed.
 */
void boot_begin(const struct start_info *start);
/* Start every service whose dependencies are up. */
void boot_step(void);
/* Make and start the first instance of a service in STARTING; on an error it is DOWN. */
err_t boot_start(struct service *service);

/* instance.c */
struct instance_plan {
	const struct binary *binary;
	enum start_kind kind;
	endpoint_t self;
	/* START_UPDATE: the predecessor, its regions, and bytes of heap to back. */
	const struct instance *old;
	const struct binary *old_binary;
	const struct vm_region *old_regions;
	uint32_t n_old_regions;
	uint32_t asked_state;
	bool accepts_loss;
	uint64_t heap_backed;
};
/* Make a stopped instance in a slot of its own, uncommitted unless START_FRESH. On an error nothing
 * is left. */
err_t instance_create(const struct instance_plan *plan, struct instance *ret_instance) __must_check;
err_t instance_start(const struct instance *instance) __must_check;
/* Take away what is mapped until commit only. */
void instance_settle(struct instance *instance);
/* End it, with its slot and memory. Takes a half-made one. */
void instance_destroy(struct instance *instance);

/* memory.c: requests to VM */
err_t memory_space_new(space_t *ret_space) __must_check;
void memory_space_free(space_t space);
/* backed: bytes from va that are backed at once. */
err_t memory_map(
        space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed) __must_check;
void memory_unmap(space_t space, vaddr_t va, uint64_t bytes);
err_t memory_gate(space_t space, vaddr_t va) __must_check;
/* Show pages of RS in another space. All page aligned. */
err_t memory_share(const void *from, space_t to, vaddr_t to_va, uint64_t bytes) __must_check;
err_t memory_mirror(space_t old, space_t new) __must_check;
void memory_unmirror(space_t old, space_t new);
err_t memory_regions(
        space_t space, struct vm_region *ret_regions, uint32_t max, uint32_t *ret_n) __must_check;
err_t memory_usage(space_t space, struct vm_reply *ret_usage) __must_check;

/* recover.c */
#define RECOVER_SILENT "no sign of life"
/*
 * The instance behind a service ended or must end: start afresh behind the
 * same endpoint, or give up.
 */
void recover_crash(struct service *service, err_t err, const char *text);
/* Start afresh on request; the crash count does not move. */
err_t recover_restart(struct service *service) __must_check;
/* A fresh instance said that it has initialised itself. */
void recover_started(struct service *service);
/* (Re)start the heartbeat of a service that is up. */
void recover_heartbeat_arm(struct service *service, nsec_t now);
/* Start deadlines, retries and heartbeats. */
void recover_tick(nsec_t now);
void recover_pong(const struct message *msg);
nsec_t recover_next_deadline(void);
/* All limits of services run on by so much. */
void recover_extend(nsec_t by);

/* event.c */
/* Take all supervisor events of the kernel. */
void event_drain(void);
/* In words: why an instance ended. */
void event_describe(const struct slot_event *event, char *ret_text, size_t size);

/* journal.c: numbered events and who is told of them */
struct journal_entry {
	enum rs_event_kind kind;
	enum rs_step step;
	struct trust_number transaction;
	err_t err;
	const char *service; /* SERVICE_NAME_LEN bytes */
	const char *text;
};
void journal_add(const struct journal_entry *entry);
/*
 * While it is quiet, events are kept and nobody is notified: a subscriber's
 * work would lengthen a blackout.
 */
void journal_quiet(bool is_quiet);
err_t journal_subscribe(endpoint_t who) __must_check;
void journal_acknowledge(uint64_t below);
uint64_t journal_oldest(void);
uint64_t journal_next(void);
/* The event with this number, oldest <= sequence < next. */
const struct rs_event *journal_get(uint64_t sequence);

/* table.c */
/* Handle a request and answer it. */
void table_dispatch(const struct message *msg);

/* Seconds that the machine has been up. */
uint64_t rs_uptime(void);

/* status.c, request.c, stage_request.c, order.c: handlers of requests. They fill *ret_reply but for
 * err, which they return. */
typedef err_t rs_handler(const struct message *msg, struct rs_reply *ret_reply);
rs_handler status_services, status_resources, status_result, status_events, status_envelope;
rs_handler request_admit, request_stage_begin, request_stage_chunk, request_stage_list;
rs_handler request_stage_drop, request_subscribe, request_acknowledge, request_metrics;
rs_handler request_statement, request_time;
rs_handler order_request, order_prepare_check, order_cancel;
/* Copy an envelope out of the caller's grant to where RS verifies it; good until the next call. */
err_t request_envelope(const struct message *msg, const void **ret_bytes) __must_check;
