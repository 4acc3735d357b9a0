/*
 * What RS tells: services, results, events, resources. Records go straight into the asker's grant,
 * one by one; a grant that is too short for all gets the first ones, and the reply says how many.
 * An answer is a picture of one moment: nothing changes in RS while a request is handled.
 *
 * Where a service lies in memory is nobody's business but that of the service which carries its
 * payloads, and so has the right to control RS. Others get the same records without what gives a
 * layout away: bases, hashes of payloads (a build id is one), and the texts of crashes and failures,
 * which name addresses or quote the words of the service that failed. A layout that RS made itself is
 * nobody's business at all; of its seed everybody gets the commitment, which tells nothing of it. The
 * seed sealed to the audit key goes the way out of the machine only: who holds that key need not know
 * what runs in it.
 */
#include "osd/servers/rs/base/handler.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/memory/memory.h"
#include "osd/servers/rs/update/result.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/trust/trust.h"
#include "osd/servers/rs/update/update.h"

static struct vm_region status_regions[RS_N_REGIONS]; /* scratch of status_memory() */

/*
 * Memory that is in use, and whether an update could move it: device registers and memory that a
 * device knows cannot. What is said here is asked again when an update is verified.
 */
static void status_memory(const struct service *service, struct rs_service *record)
{
	uint32_t n;

	record->is_updatable = service_is_updatable(service) && service->endpoint != EP_NONE;
	if (service->is_kernel_loaded || !service->instance.has_space ||
	        memory_regions(service->instance.space, status_regions, RS_N_REGIONS, &n) != E_OK) {
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		record->resident_bytes += status_regions[i].resident_pages * PAGE_SIZE;
		if ((status_regions[i].flags & (VM_REGION_DMA | VM_REGION_DEVICE)) != 0) {
			record->is_updatable = 0;
		}
	}
}

/* What it runs from: release, generation, layout. */
static void status_binary(const struct binary *binary, struct rs_service *record)
{
	record->release = binary->kit.counter;
	record->generation = binary->generation.number;
	record->generation_epoch = binary->generation.epoch;
	memcpy(record->release_id, binary->release_id, sizeof(record->release_id));
	record->n_made = binary->n_made;
	record->made_first = binary->made_first;
	record->made_last = binary->made_last;
	memcpy(record->made_head, binary->made_head, sizeof(record->made_head));
	record->is_machine_made = binary_is_machine_made(binary);
	record->is_layout_kept = binary->is_kept;
	memcpy(record->commitment, binary->layout.commitment, sizeof(record->commitment));
	memcpy(record->sealed, binary->layout.sealed, sizeof(record->sealed));
	if (binary->image.header != NULL && !record->is_machine_made) {
		record->base = binary->image.header->base;
		memcpy(record->build_id, binary->image.header->build_id, sizeof(record->build_id));
	}
	memcpy(record->payload, binary->payload_hash, RS_HASH_LEN);
	memcpy(record->metric_names, binary->kit.metrics, sizeof(record->metric_names));
}

/* All of it; what the asker may not see is taken out afterwards. */
static void status_service(const struct service *service, struct rs_service *record)
{
	memset(record, 0, sizeof(*record));
	memcpy(record->name, service->name, SERVICE_NAME_LEN);
	record->endpoint = service->endpoint;
	record->n_restarts = service->n_restarts;
	record->is_up =
	        service->state == RS_SERVICE_RUNNING || service->state == RS_SERVICE_UPDATING;
	record->in_transaction = service->state == RS_SERVICE_UPDATING;
	record->started = service->started;
	record->last_blackout = service->last_blackout;
	record->longest_gap = service->longest_gap;
	record->state_bytes = service->state_bytes;
	record->state_objects = service->state_objects;
	record->floor = trust_floor(&machine.trust, service->name);
	record->state = service->state;
	memcpy(record->metrics, service->metrics, sizeof(record->metrics));
	record->ping_open = service->ping_open;
	record->pong_at = service->pong_at;
	record->pong_took = service->pong_took;
	status_binary(&service->binary, record);
	status_memory(service, record);
}

/* Where it lies, and by what that can be looked up. */
static void status_service_hide(struct rs_service *record)
{
	record->base = 0;
	memset(record->payload, 0, sizeof(record->payload));
	memset(record->build_id, 0, sizeof(record->build_id));
	memset(record->sealed, 0, sizeof(record->sealed));
}

/*
 * Texts quote the instances, which know their addresses. Of the pads, whose sizes are drawn, the
 * length of a payload tells the sum.
 */
static void status_result_hide(struct rs_result *result)
{
	struct sef_transfer_result *transfer = &result->transfer;

	result->base = 0;
	result->image_bytes = 0;
	memset(result->build_id, 0, sizeof(result->build_id));
	memset(result->sealed, 0, sizeof(result->sealed));
	memset(transfer->element, 0, sizeof(transfer->element));
	memset(transfer->message, 0, sizeof(transfer->message));
	memset(transfer->removed, 0, sizeof(transfer->removed));
}

/* Texts of crashes name addresses; kind, step and error stay. */
static void status_event_hide(struct rs_event *event)
{
	memset(event->text, 0, sizeof(event->text));
}

/* RS_STATUS: the services, in the order of the boot image. */
err_t rs_on_status(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	struct service *service;
	bool may_see = service_may_control(who);
	struct rs_service record;
	uint32_t n = 0;

	for (; (service = service_at(n)) != NULL && (n + 1) * sizeof(record) <= request->bytes;
	        n++) {
		err_t err;

		if (may_see && request->argument == RS_STATUS_PING) {
			recover_ping(service, sys_clock_read());
		}
		status_service(service, &record);
		if (!may_see) {
			status_service_hide(&record);
		}
		err = sys_copy_to_grant(
		        who, request->grant, n * sizeof(record), &record, sizeof(record));
		if (err != E_OK) {
			return err;
		}
	}
	ret_reply->count = n;
	return E_OK;
}

/* What the kernel counts; zeros when it does not answer. */
static void status_kernel(struct rs_resources *resources)
{
	struct kernel_stats stats;

	if (sys_kernel_stats(&stats) != E_OK) {
		return;
	}
	resources->n_slots_free = stats.n_slots_free;
	resources->n_spaces_free = stats.n_spaces_free;
	resources->n_irq_hooks_free = stats.n_irq_hooks_free;
	resources->n_uncommitted_faults = stats.n_uncommitted_faults;
	resources->kernel_bytes = stats.kernel_bytes;
}

/*
 * RS_RESOURCES: one record of what there is and what is used, with what an orchestrator must know
 * before it signs: boot id, time and its nonce, root, newest order, the transaction that runs.
 */
err_t rs_on_resources(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	/* A move of RS's own gives way: nobody has to wait for it. */
	const struct trust_number running =
	        update_is_moving() ? (struct trust_number){0} : update_running();
	struct rs_resources resources = {
	        .n_blobs = stage_count(),
	        .staged_bytes = stage_used(),
	        .staging_budget = stage_budget(),
	        .uptime = sys_clock_read(),
	        .boot_done = machine.boot_done,
	        .boot_id = machine.trust.boot_id,
	        .time = trust_time(&machine.trust, rs_uptime()),
	        .time_nonce = machine.trust.time_nonce,
	        .root_serial = machine.trust.root_serial,
	        .busy = running.number,
	        .busy_epoch = running.epoch,
	        .newest = machine.trust.newest_order.number,
	        .newest_epoch = machine.trust.newest_order.epoch,
	        .has_statement = machine.trust.has_statement,
	        .keeps_no_kits = !machine_keeps_kits(),
	};
	struct vm_reply usage;

	if (request->bytes < sizeof(resources)) {
		return E_INVAL;
	}
	if (memory_usage(VM_SPACE_SELF, &usage) == E_OK) {
		resources.total_frames = usage.total_frames;
		resources.free_frames = usage.free_frames;
		resources.table_frames = usage.table_frames;
	}
	status_kernel(&resources);
	memcpy(resources.machine_id, machine.boot.header->machine_id, sizeof(resources.machine_id));
	ret_reply->count = 1;
	return sys_copy_to_grant(who, request->grant, 0, &resources, sizeof(resources));
}

/*
 * RS_RESULT: of the transaction `argument` of epoch `total`; also while it runs. E_NOTFOUND: not
 * kept.
 */
err_t rs_on_result(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	const struct rs_result *found =
	        result_find((struct trust_number){request->total, request->argument});
	struct rs_result result;

	if (found == NULL) {
		return E_NOTFOUND;
	}
	if (request->bytes < sizeof(result)) {
		return E_INVAL;
	}
	result = *found;
	if (!service_may_control(who)) {
		status_result_hide(&result);
	}
	ret_reply->count = 1;
	return sys_copy_to_grant(who, request->grant, 0, &result, sizeof(result));
}

/*
 * RS_EVENTS: from number `argument` on, or from the oldest that is kept; the reply says which are.
 */
err_t rs_on_events(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	uint64_t sequence =
	        request->argument < journal_oldest() ? journal_oldest() : request->argument;
	uint64_t end = journal_fetchable();
	bool may_see = service_may_control(who);
	struct rs_event event;
	uint64_t n = 0;

	ret_reply->a = journal_oldest();
	ret_reply->b = journal_next();
	for (; sequence < end && (n + 1) * sizeof(event) <= request->bytes; sequence++, n++) {
		err_t err;

		event = *journal_get(sequence);
		if (!may_see) {
			status_event_hide(&event);
		}
		err = sys_copy_to_grant(
		        who, request->grant, n * sizeof(event), &event, sizeof(event));
		if (err != E_OK) {
			return err;
		}
	}
	ret_reply->count = n;
	return E_OK;
}

/* RS_ENVELOPE: what signed the variant that a service was booted with, whole or not at all. */
err_t rs_on_envelope(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	const struct service *service = service_find(request->service);

	if (service == NULL || service->boot_envelope == NULL) {
		return E_NOTFOUND;
	}
	if (request->bytes < service->boot_envelope_bytes) {
		return E_TOO_LONG;
	}
	ret_reply->count = service->boot_envelope_bytes;
	ret_reply->a = service->boot_generation;
	return sys_copy_to_grant(
	        who, request->grant, 0, service->boot_envelope, service->boot_envelope_bytes);
}
