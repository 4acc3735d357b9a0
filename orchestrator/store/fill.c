/*
 * Jobs that went well, as the engine records them: planned, a layout given up, another forged and
 * signed, ordered, run, confirmed. What matters is how many rows each has and how large they are:
 * steps, a signed variant, an order, an event, the result.
 */
#include "orchestrator/store/fill.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/machines.h"
#include "orchestrator/store/releases.h"

#define FILL_AT_ONCE 500 /* jobs in one transaction */
/*
 * Sizes as lud has them with a real machine: a signed variant, of which root and kit are the same in all; an
 * order and its confirm, which begin with the root; events.
 */
#define FILL_ROOT 1816
#define FILL_ENVELOPE 3592
#define FILL_HEAD 3208
#define FILL_ORDER 2280
#define FILL_CONFIRM 2024
#define FILL_EVENTS_KEPT 100
/* What they are made of, in variants and results. */
#define FILL_COMMIT 7
#define FILL_SEALED 6
#define FILL_BUILD 9

const char *const fill_services[FILL_SERVICES] = {
        "ds", "vm", "rs", "virtio", "agent", "tty", "load"};

#define FILL_BASE UINT64_C(0x7f0000000000)
#define FILL_BLACKOUT_NS 1000000
#define FILL_PHASES 7

/* A result, and what it points to. */
struct fill_result {
	Machine__Result result;
	Machine__Phase phases[FILL_PHASES], *all[FILL_PHASES];
	uint8_t commit[STORE_COMMIT_SIZE], sealed[STORE_SEALED_SIZE], build[32];
};

static int fill_releases(struct fill *fill)
{
	int r = 0;

	for (int s = 0; !r && s < FILL_SERVICES; s++) {
		for (int n = 0; !r && n < FILL_RELEASES; n++) {
			struct release_row *release = &fill->releases[s][n];

			*release = (struct release_row){.counter = n + 1, .path = "/kit"};
			snprintf(
			        release->service, sizeof(release->service), "%s", fill_services[s]);
			memset(release->release_id, 16 * s + n + 1, sizeof(release->release_id));
			r = store_release_put(fill->db, release);
		}
	}
	return err_fold(r);
}

static int fill_machines(struct db *db, void *arg)
{
	struct fill *fill = arg;
	int r = fill_releases(fill);

	for (int64_t m = 0; !r && m < fill->n_machines; m++) {
		struct machine_row machine = {.wanted = true, .attached = true};

		snprintf(machine.name, sizeof(machine.name), "m%lld", (long long)m);
		r = store_machine_insert(db, &machine);
		for (int s = 0; !r && s < FILL_SERVICES; s++) {
			struct service_row service;

			r = store_service_ensure(db, machine.id, fill_services[s], &service);
			if (!m && !s) {
				fill->busy = service;
			}
		}
	}
	return err_fold(r);
}

static int fill_steps(struct db *db, int64_t job)
{
	static const struct {
		enum job_step step;
		const char *detail;
	} steps[] = {{JOB_STEP_PLAN, "layout by the machine: update.layout says so"},
	        {JOB_STEP_PAIR, "the same release"}, {JOB_STEP_SEED, ""}, {JOB_STEP_FORGE, ""},
	        {JOB_STEP_SIGN, ""}, {JOB_STEP_STAGE, "157045 bytes"},
	        {JOB_STEP_ORDER, "order 1.48"}, {JOB_STEP_RUN, ""}, {JOB_STEP_CONFIRM, ""}};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(steps) / sizeof(steps[0]); i++) {
		r = store_job_step_begin(db, job, steps[i].step);
		if (!r) {
			r = store_job_step_end(db, job, JOB_STEP_DONE, steps[i].detail);
		}
	}
	/* Each takes some 20 ms. */
	return r ? err_fold(r)
	         : err_fold(db_run(db,
	                   "UPDATE job_steps SET started_us = started_us + n * 28045,"
	                   " ended_us = ended_us + n * 28045 + 19417 WHERE job = ?",
	                   "i", job));
}

/* What the host made of it, and signed. */
static int fill_signed(struct fill *fill, struct variant_row *variant)
{
	uint8_t envelope[FILL_ENVELOPE] = {1, 2, 3};
	int r;

	variant->base = FILL_BASE;
	variant->payload_len = 100000;
	memset(variant->payload_hash, 8, sizeof(variant->payload_hash));
	memset(variant->build_id, FILL_BUILD, sizeof(variant->build_id));
	memcpy(envelope + FILL_HEAD, &fill->generation.id, sizeof(fill->generation.id));
	r = store_variant_forged(fill->db, variant);
	fill->generation.epoch = 1;
	return r ? err_fold(r)
	         : err_up(store_generation_sign(
	                   fill->db, &fill->generation, envelope, sizeof(envelope)));
}

/* Of one that the host made and that ran the payload's file is kept until lud tidies up. */
static int fill_generation(struct fill *fill, int64_t service, int64_t release, bool runs)
{
	struct generation_row *row = &fill->generation;
	struct variant_row variant = {.release = release,
	        .recipe = 3,
	        .seed_sealed_size = STORE_SEALED_SIZE,
	        .machine_made = fill->machine_made};
	int r;

	memset(variant.seed_commit, FILL_COMMIT, sizeof(variant.seed_commit));
	memset(variant.seed_sealed, FILL_SEALED, STORE_SEALED_SIZE);
	*row = (struct generation_row){.service = service, .job = fill->job.id};
	r = store_variant_insert(fill->db, &variant);
	row->variant = variant.id;
	if (!r) {
		r = store_service_draw(fill->db, service, &row->number);
	}
	if (!r) {
		r = store_generation_insert(fill->db, row);
	}
	if (r || !runs) {
		return r ? err_fold(r)
		         : err_up(store_generation_set_state(
		                   fill->db, row->id, GENERATION_ABANDONED));
	}
	r = fill->machine_made ? 0 : fill_signed(fill, &variant);
	return r ? err_fold(r) : err_up(store_generation_runs(fill->db, service, row->number));
}

/* An order and what confirms it, each with an event. */
static int fill_order(struct fill *fill, uint32_t action, size_t size)
{
	struct order_row *order = &fill->order;
	struct event_row event = {.machine = fill->job.machine, .boot_id = 1};
	uint8_t envelope[FILL_ORDER] = {1, 2, 3};
	int r;

	*order = (struct order_row){.job = fill->job.id,
	        .machine = fill->job.machine,
	        .boot_id = 1,
	        .epoch = 1,
	        .txn = 2 * (uint64_t)fill->job.id + (action == 1),
	        .action = action};
	for (size_t i = FILL_ROOT; i < size; i++) {
		envelope[i] = (uint8_t)(order->txn + i * 7);
	}
	r = store_order_insert(fill->db, order, envelope, size);
	order->sent = order->accepted = true;
	if (!r) {
		r = store_order_update(fill->db, order);
	}
	event.seq = event.txn = order->txn;
	event.epoch = 1;
	event.action = action;
	snprintf(event.service, sizeof(event.service), "%s", fill->job.service);
	return r ? err_fold(r) : err_fold(store_event_insert(fill->db, &event));
}

/* Times as a machine has them, ns. */
static const struct {
	const char *name;
	uint64_t ns;
} fill_phases[FILL_PHASES] = {{"verify", 3120411}, {"create", 912044}, {"pair", 40551873},
        {"prepare", 2104993}, {"switch", 188204}, {"transfer", 702113}, {"commit", 95118}};

/* With what the machine says of a layout, as in the variant's row. */
static void fill_result(const struct fill *fill, struct fill_result *ret)
{
	Machine__Result *result = &ret->result;

	machine__result__init(result);
	memset(ret->commit, FILL_COMMIT, sizeof(ret->commit));
	memset(ret->sealed, FILL_SEALED, sizeof(ret->sealed));
	memset(ret->build, FILL_BUILD, sizeof(ret->build));
	result->txn = fill->order.txn;
	result->epoch = fill->order.epoch;
	result->service = (char *)fill->job.service;
	result->outcome = MACHINE__OUTCOME__OUTCOME_COMMITTED;
	result->generation = fill->generation.number;
	result->generation_epoch = 1;
	result->action = 1;
	result->release_id.data = (uint8_t *)fill->release->release_id;
	result->release_id.len = sizeof(fill->release->release_id);
	result->endpoint = 41000;
	result->blackout_ns = FILL_BLACKOUT_NS;
	result->bytes = 70144;
	result->objects = 1034;
	result->arena_bytes = 524288;
	result->longest_gap_ns = 1204331;
	result->tries = 1;
	result->finished_ns = 84011204331;
	result->total_ns = 48120334;
	result->layout_ns = 12044112;
	for (size_t i = 0; i < FILL_PHASES; i++) {
		machine__phase__init(&ret->phases[i]);
		ret->phases[i].name = (char *)fill_phases[i].name;
		ret->phases[i].ns = fill_phases[i].ns;
		ret->all[i] = &ret->phases[i];
	}
	result->phases = ret->all;
	result->n_phases = FILL_PHASES;
	if (fill->machine_made) {
		result->commitment = (ProtobufCBinaryData){sizeof(ret->commit), ret->commit};
		result->sealed = (ProtobufCBinaryData){sizeof(ret->sealed), ret->sealed};
		result->layout_pieces = 1210;
		result->layout_kept_base = 3;
	} else {
		result->build_id = (ProtobufCBinaryData){sizeof(ret->build), ret->build};
		result->base_address = FILL_BASE;
	}
}

/* Its end, as it is written with all that follows from it. */
static int fill_end(struct fill *fill)
{
	struct fill_result result;
	struct job_row *job = &fill->job;
	int r;

	job->generation = fill->generation.number;
	job->state = JOB_CONFIRMED;
	job->ended_us = store_now_usec();
	fill_result(fill, &result);
	r = store_job_outcome(fill->db, job->id, NULL, &result.result);
	if (!r) {
		r = store_job_stood(fill->db, job->id, FILL_BLACKOUT_NS);
	}
	if (!r) {
		r = store_job_update(fill->db, job);
	}
	return r ? err_fold(r) : err_up(store_job_fold(fill->db, job->id));
}

static int fill_job(struct fill *fill)
{
	int64_t m = fill->done % 2 ? fill->done / 2 % fill->n_machines : 0;
	int s = fill->done % 2 ? (int)(fill->done / 2 / fill->n_machines % FILL_SERVICES) : 0;
	struct service_row service;
	struct job_row *job = &fill->job;
	int r;

	fill->release = &fill->releases[s][fill->done * 2 / fill->n_jobs + 1];
	*job = (struct job_row){.machine = m + 1,
	        .kind = JOB_RERANDOMIZE,
	        .state = JOB_PLANNED,
	        .identity = "policy nightly version 1",
	        .scheduled = true,
	        .machine_made = fill->machine_made,
	        .release = fill->release->id};
	snprintf(job->service, sizeof(job->service), "%s", fill_services[s]);
	r = store_service_find(fill->db, job->machine, job->service, &service);
	if (!r) {
		r = store_job_insert(fill->db, job);
	}
	if (!r) {
		r = fill_steps(fill->db, job->id);
	}
	memset(job->plan, 3, sizeof(job->plan));
	if (!r && !fill->machine_made) {
		r = fill_generation(fill, service.id, job->release, false);
	}
	if (!r) {
		r = fill_generation(fill, service.id, job->release, true);
	}
	if (!r) {
		r = fill_order(fill, 1, FILL_ORDER);
	}
	if (!r) {
		r = fill_order(fill, 3, FILL_CONFIRM);
	}
	return r ? err_fold(r) : err_up(fill_end(fill));
}

static int fill_jobs(struct db *db, void *arg)
{
	struct fill *fill = arg;
	int r = 0;

	for (int i = 0; !r && i < FILL_AT_ONCE && fill->done < fill->n_jobs; i++) {
		r = fill_job(fill);
		fill->done++;
	}
	return r ? err_fold(r) : err_up(store_event_trim(fill->db, 1, FILL_EVENTS_KEPT));
}

int fill_more(struct fill *fill)
{
	int r = 0;

	while (!r && fill->done < fill->n_jobs) {
		r = db_txn(fill->db, fill_jobs, fill);
	}
	return err_fold(r);
}

int fill_record(struct fill *fill)
{
	int r = db_txn(fill->db, fill_machines, fill);

	return r ? err_fold(r) : err_up(fill_more(fill));
}
