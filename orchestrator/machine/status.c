/*
 * What a machine says of itself: asked for, kept, recorded, and compared with what it said
 * before, which tells a snapshot that was put back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/machine/priv.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/releases.h"

/* As long as a machine may be quiet before it counts as silent. */
#define MACHINE_STATUS_USEC (CHANNEL_SILENT_SEC * UINT64_C(1000000))

/* As long as the record may have older clocks of a service, and "seen" so long ago, while nothing else changes. */
#define MACHINE_RECORD_USEC (60 * INT64_C(1000000))

/*
 * Whatever a machine runs or was ordered is in the record before the machine hears of it. One
 * that is ahead of the record means that the record is an old copy, or that somebody else gives
 * it orders. What this record never saw before says nothing.
 */
static int machine_look_ahead(struct db *db, struct machine *machine)
{
	const Machine__Status *status = machine->status;
	uint64_t highest = 0;
	int r = store_order_highest(db, machine->row.id, status->newest_epoch, &highest);

	if (r || *machine->ahead || !machine->known) {
		return err_up(r);
	}
	/* No order of ours in this epoch: those that it took before it was attached. */
	if (highest && status->newest_txn > highest) {
		snprintf(machine->ahead, sizeof(machine->ahead),
		        "machine %s has taken order %" PRIu64 ".%" PRIu64
		        ", and the newest one here is %" PRIu64,
		        machine->row.name, status->newest_epoch, status->newest_txn, highest);
	}
	for (size_t i = 0; !r && !*machine->ahead && i < status->n_services; i++) {
		const Machine__Service *service = status->services[i];
		struct service_row row;

		r = store_service_find(db, machine->row.id, service->name, &row);
		if (!r && row.seen_us && service->generation > row.last_number) {
			snprintf(machine->ahead, sizeof(machine->ahead),
			        "machine %s runs generation %" PRIu64
			        " of %s, and the newest one here is %" PRIu64,
			        machine->row.name, service->generation, service->name,
			        row.last_number);
		}
		r = r == DB_E_NONE ? 0 : r;
	}
	if (*machine->ahead) {
		log_line(LOG_LEVEL_WARN,
		        &(struct log_about){
		                .message = LOG_RECORD_AHEAD, .machine = machine->row.name},
		        "the record is older than the machines: %s; " MACHINE_AHEAD_REMEDY,
		        machine->ahead);
		machine_tally(machine);
	}
	return err_up(r);
}

int machine_release(struct db *db, const Machine__Service *service, struct release_row *ret)
{
	if (service->release_id.len != sizeof(ret->release_id)) {
		return DB_E_NONE;
	}
	return err_up(store_release_by_hash(db, service->release_id.data, ret));
}

int64_t machine_layout_usec(struct db *db, const struct machine *machine,
        const Machine__Service *service, int64_t as_of_usec)
{
	struct generation_row generation;

	if (store_generation_find(
	            db, machine->row.id, service->name, service->generation, &generation)) {
		err_forget();
		return 0;
	}
	return service->made ? as_of_usec - (int64_t)(service->uptime_ns / 1000)
	                     : generation.committed_us;
}

struct store_seed machine_seed(
        const ProtobufCBinaryData *commitment, const ProtobufCBinaryData *sealed)
{
	return (struct store_seed){
	        .commit = commitment->len == STORE_COMMIT_SIZE ? commitment->data : NULL,
	        .sealed = sealed->len == STORE_SEALED_SIZE ? sealed->data : NULL,
	};
}

/* With what it tells of all layouts that it made by itself in this generation. */
static struct store_seed machine_service_seed(
        const struct machine *machine, const Machine__Service *service)
{
	struct store_seed seed = machine_seed(&service->commitment, &service->sealed);

	seed.first_ns = service->made_first_ns;
	seed.last_ns = service->made_last_ns;
	seed.zero_us = machine->status_usec - (int64_t)(machine->status->clock_ns / 1000);
	seed.head = service->made_head.len == STORE_COMMIT_SIZE ? service->made_head.data : NULL;
	return seed;
}

/* Its bytes without what goes on by itself, whatever the service does, and what no column has. The caller frees them. */
static uint8_t *machine_service_still(const Machine__Service *service, size_t *ret_size)
{
	Machine__Service still = *service;
	uint8_t *packed;

	still.uptime_ns = 0;
	still.ping_open_ns = 0;
	still.pong_at_ns = 0;
	still.pong_took_ns = 0;
	still.base.n_unknown_fields = 0;
	*ret_size = machine__service__get_packed_size(&still);
	packed = mem_zero(*ret_size + 1);
	machine__service__pack(&still, packed);
	return packed;
}

static bool machine_service_is_same(const Machine__Service *a, const Machine__Service *b)
{
	size_t a_size, b_size;
	_cleanup_(freep) uint8_t *a_still = machine_service_still(a, &a_size);
	_cleanup_(freep) uint8_t *b_still = machine_service_still(b, &b_size);

	return a_size == b_size && !memcmp(a_still, b_still, a_size);
}

/* DB_E_NONE: there is nothing to compare it with. */
static int machine_service_compare(
        struct db *db, int64_t id, const Machine__Service *service, bool *ret_same)
{
	Machine__Service *recorded;
	int r = store_service_status(db, id, NULL, &recorded);

	if (r) {
		return err_up(r);
	}
	*ret_same = machine_service_is_same(service, recorded);
	machine__service__free_unpacked(recorded, NULL);
	return 0;
}

/*
 * Whether the record has all that the machine says of the service, but for its clocks, and had it a
 * moment ago. It is compared with the record, not with the status before: the record may be another
 * one by now. What cannot be read is news, and the write says what is wrong.
 */
static bool machine_service_is_recorded(
        struct db *db, const struct machine *machine, const Machine__Service *service)
{
	const struct store_seed seed = machine_service_seed(machine, service);
	struct service_row row;
	int64_t age;
	bool same = false;

	if (store_service_find(db, machine->row.id, service->name, &row)) {
		err_forget();
		return false;
	}
	age = machine->status_usec - row.seen_us;
	if (age < 0 || age >= MACHINE_RECORD_USEC ||
	        machine_service_compare(db, row.id, service, &same) || !same ||
	        store_generation_news(db, row.id, service->generation, service->made, &seed) !=
	                DB_E_NONE) {
		err_forget();
		return false;
	}
	return true;
}

static int machine_service_record(
        struct db *db, const struct machine *machine, const Machine__Service *service)
{
	const struct store_seed seed = machine_service_seed(machine, service);
	struct service_row row;
	int r = store_service_ensure(db, machine->row.id, service->name, &row);

	row.floor = service->floor;
	row.run_epoch = service->generation_epoch;
	row.run_number = service->generation;
	if (!r) {
		r = store_service_seen(db, &row, service);
	}
	if (!r) {
		r = store_generation_runs(db, row.id, service->generation);
	}
	if (!r) {
		r = store_generation_layout(db, row.id, service->generation, service->made, &seed);
	}
	return err_up(r);
}

/* Every service that the machine has, known or new, and which of its generations runs: those with news. */
static int machine_status_txn(struct db *db, void *arg)
{
	const struct machine *machine = arg;
	int r = 0;

	for (size_t i = 0; !r && i < machine->status->n_services; i++) {
		const Machine__Service *service = machine->status->services[i];

		if (!machine_service_is_recorded(db, machine, service)) {
			r = machine_service_record(db, machine, service);
		}
	}
	return err_fold(r);
}

/* A question whose answer is no news writes nothing, so that whoever asks does not wait for the disk. */
static int machine_status_record(struct machine *machine)
{
	struct db *db = machine->machines->db;
	size_t n = 0;
	int r = machine_look_ahead(db, machine);

	while (n < machine->status->n_services &&
	        machine_service_is_recorded(db, machine, machine->status->services[n])) {
		n++;
	}
	if (!r && n < machine->status->n_services) {
		r = db_txn(db, machine_status_txn, machine);
	}
	return err_fold(r);
}

/* Whether the machine knows less of this boot than it once did. */
/*
 * By its clock, which only rises within a boot, and by the newest order that it told us it
 * accepted.
 */
static bool machine_went_back(const struct machine *machine, const Machine__Status *status)
{
	struct order_row order;

	if (machine->status && machine->status->boot_id == status->boot_id &&
	        status->clock_ns < machine->status->clock_ns) {
		return true;
	}
	if (store_order_accepted(machine->machines->db, machine->row.id, status->boot_id,
	            machine->row.line, &order)) {
		err_forget();
		return false;
	}
	return status->newest_epoch < order.epoch ||
	       (status->newest_epoch == order.epoch && status->newest_txn < order.txn);
}

/* A restored snapshot is another boot in all but its id: numbers begin a line of their own. */
static void machine_look_back(struct machine *machine, const Machine__Status *status)
{
	if (status->boot_id != machine->row.boot_id || !machine_went_back(machine, status)) {
		return;
	}
	log_line(LOG_LEVEL_WARN,
	        &(struct log_about){.message = LOG_MACHINE_WENT_BACK, .machine = machine->row.name},
	        "machine %s was put back to an earlier state of this boot (a snapshot); it is "
	        "treated as a new boot",
	        machine->row.name);
	machine->row.line++;
	machine->row.event_seq = 0;
	machine->newest_seq = 0;
	if (machine_save(machine) < 0) {
		log_error("machine %s: %s", machine->row.name, err_trace());
	}
}

/*
 * A deep copy, through its bytes: the reply belongs to the channel. Whoever holds
 * machine_status() over a turn of the loop holds the old one, which is gone.
 */
static void machine_status_take(struct machine *machine, const Machine__Status *status)
{
	size_t size = machine__status__get_packed_size(status);
	_cleanup_(freep) uint8_t *packed = mem_zero(size + 1);

	machine__status__pack(status, packed);
	if (machine->status) {
		machine__status__free_unpacked(machine->status, NULL);
	}
	machine->status = machine__status__unpack(NULL, size, packed);
	machine->status_usec = store_now_usec();
	if (!machine->status) {
		abort();
	}
	machine_tally(machine);
}

/* A machine without a channel is stopped, or was never started. */
int machine_request(struct machine *machine, Machine__Request *request, uint64_t timeout_usec,
        channel_reply_fn fn, void *arg)
{
	if (!machine->channel) {
		return err_raise(-ENOTCONN);
	}
	return err_up(channel_request(machine->channel, request, timeout_usec, fn, arg));
}

bool machine_is_held(const struct machine *machine)
{
	return machine->channel && channel_is_held(machine->channel);
}

static void machine_refreshing_free(struct machine_refreshing *refreshing)
{
	LIST_REMOVE(refreshing, link);
	free(refreshing);
}

void machine_refreshing_end(struct machine *machine)
{
	struct machine_refreshing *refreshing;

	while ((refreshing = LIST_FIRST(&machine->refreshing))) {
		machine_refresh_fn fn = refreshing->fn;
		void *arg = refreshing->arg;

		channel_forget(machine->channel, refreshing);
		machine_refreshing_free(refreshing);
		fn(-ETIMEDOUT, arg);
	}
}

/*
 * The snapshot is looked for first, with the status before this one; then this is what is true,
 * whether it can be recorded or not.
 */
static void machine_on_status(int r, const Machine__Reply *reply, void *arg)
{
	struct machine_refreshing *refreshing = arg;
	struct machine *machine = refreshing->machine;
	machine_refresh_fn fn = refreshing->fn;
	void *fn_arg = refreshing->arg;

	if (!r && reply->body_case != MACHINE__REPLY__BODY_STATUS) {
		r = -EPROTO;
	}
	if (!r) {
		machine_look_back(machine, reply->status);
		machine_status_take(machine, reply->status);
		/* What the machine says is true, recorded or not. */
		if (machine_status_record(machine) < 0) {
			log_warn("machine %s: its status is not recorded: %s", machine->row.name,
			        err_trace());
			err_forget();
		}
	}
	if (r < 0) {
		log_warn("machine %s: no status: %s", machine->row.name, strerror(-r));
	}
	machine_refreshing_free(refreshing);
	fn(r, fn_arg);
}

/*
 * Each asks for itself: a status that was asked for earlier may be older than what the caller has
 * just done. Services are asked for a sign of life on the way, which the next status tells.
 */
int machine_refresh(struct machine *machine, machine_refresh_fn fn, void *arg)
{
	Machine__StatusRequest status = MACHINE__STATUS_REQUEST__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;
	struct machine_refreshing *refreshing = mem_zero(sizeof(*refreshing));
	int r;

	refreshing->machine = machine;
	refreshing->fn = fn;
	refreshing->arg = arg;
	LIST_INSERT_HEAD(&machine->refreshing, refreshing, link);
	status.ping = true;
	request.body_case = MACHINE__REQUEST__BODY_STATUS;
	request.status = &status;
	r = machine_request(machine, &request, MACHINE_STATUS_USEC, machine_on_status, refreshing);
	if (r < 0) {
		machine_refreshing_free(refreshing);
	}
	return err_up(r);
}

void machine_refreshing_forget(struct machine *machine, const void *arg)
{
	struct machine_refreshing *refreshing = LIST_FIRST(&machine->refreshing);

	while (refreshing) {
		struct machine_refreshing *next = LIST_NEXT(refreshing, link);

		if (refreshing->arg == arg) {
			if (machine->channel) {
				channel_forget(machine->channel, refreshing);
			}
			machine_refreshing_free(refreshing);
		}
		refreshing = next;
	}
}

const Machine__Status *machine_status(const struct machine *machine)
{
	return machine->status;
}

const Machine__Service *machine_service(const struct machine *machine, const char *name)
{
	for (size_t i = 0; machine->status && i < machine->status->n_services; i++) {
		if (!strcmp(machine->status->services[i]->name, name)) {
			return machine->status->services[i];
		}
	}
	return NULL;
}

/* That of the channel, or of the last one that was closed. */
int64_t machine_heard_usec(const struct machine *machine)
{
	int64_t heard = machine->channel ? channel_heard_usec(machine->channel) : 0;

	return heard ? heard : machine->heard_usec;
}
