/* The record: rows survive a round trip, numbers only rise, filters filter. */
#undef NDEBUG
#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/machines.h"
#include "orchestrator/store/releases.h"

#include <assert.h>
#include <string.h>

#include "host/base/file.h"

struct world {
	struct machine_row machine;
	struct service_row service;
	struct release_row release[2];
	struct job_row job;
};

/* A release that is put again is the one that was there. */
static void test_release_again(struct db *db, const struct release_row *first)
{
	struct release_row again = *first;

	memset(again.key_id, 7, sizeof(again.key_id));
	again.counter = 99;
	strcpy(again.path, "/elsewhere");
	assert(store_release_put(db, &again) == 0);
	assert(again.id == first->id && again.counter == first->counter);
	assert(again.added_us == first->added_us && again.key_id[0] == 0);
	assert(!strcmp(again.path, "/elsewhere"));
	strcpy(again.path, first->path);
	assert(store_release_put(db, &again) == 0);
}

static int world_make(struct db *db, void *arg)
{
	struct world *w = arg;

	w->machine = (struct machine_row){.name = "demo", .socket = "/s", .wanted = true};
	assert(store_machine_insert(db, &w->machine) == 0);
	assert(store_service_ensure(db, w->machine.id, "ds", &w->service) == 0);
	for (int i = 0; i < 2; i++) {
		w->release[i] =
		        (struct release_row){.service = "ds", .counter = i + 1, .path = "/kit"};
		memset(w->release[i].release_id, 0xa0 + i, 64);
		assert(store_release_put(db, &w->release[i]) == 0);
	}
	test_release_again(db, &w->release[0]);
	w->job = (struct job_row){
	        .machine = w->machine.id,
	        .service = "ds",
	        .kind = JOB_UPDATE,
	        .state = JOB_PLANNED,
	        .identity = "uid 0",
	        .release = w->release[1].id,
	};
	assert(store_job_insert(db, &w->job) == 0);
	return 0;
}

static int64_t generation_make(struct db *db, struct world *w, int release)
{
	struct variant_row variant = {.release = w->release[release].id, .seed_sealed_size = 9};
	struct generation_row row = {.service = w->service.id, .job = w->job.id};

	assert(store_variant_insert(db, &variant) == 0);
	assert(store_service_draw(db, w->service.id, &row.number) == 0);
	row.variant = variant.id;
	assert(store_generation_insert(db, &row) == 0);
	return row.number;
}

static int service_see(struct db *db, const struct world *w, struct service_row row)
{
	Machine__Service status = MACHINE__SERVICE__INIT;

	row.id = w->service.id;
	status.name = "ds";
	return store_service_seen(db, &row, &status) == 0;
}

/* What runs is the ordered layout, or one of the machine's own since; only what nobody told is filled in. */
static int layouts_make(struct db *db, void *arg)
{
	struct world *w = arg;
	struct variant_row variant = {.release = w->release[0].id, .machine_made = true};
	struct generation_row row = {.service = w->service.id, .job = w->job.id};
	const struct store_seed none = {0};
	uint8_t first[64], second[64], sealed[STORE_SEALED_SIZE];
	const struct store_seed ordered = {.commit = first, .sealed = sealed};
	const struct store_seed later = {.commit = second};
	const struct store_seed own = {second, sealed, 5, 9, 1000, first};
	struct folded_run_row run;
	int64_t n = 0;

	memset(first, 1, sizeof(first));
	memset(second, 2, sizeof(second));
	memset(sealed, 3, sizeof(sealed));
	assert(store_variant_insert(db, &variant) == 0);
	assert(store_service_draw(db, w->service.id, &row.number) == 0);
	row.variant = variant.id;
	assert(store_generation_insert(db, &row) == 0);
	assert(store_generation_layout(db, row.service, row.number, 0, &none) == 0);
	assert(store_variant_by_id(db, variant.id, &variant) == 0 && !variant.seed_commit[0]);
	/* One that came after a crash, before anything was known of the ordered one. */
	assert(store_generation_layout(db, row.service, row.number, 1, &own) == 0);
	assert(store_variant_by_id(db, variant.id, &variant) == 0 && !variant.seed_commit[0]);
	assert(store_generation_layout(db, row.service, row.number, 0, &ordered) == 0);
	assert(store_generation_layout(db, row.service, row.number, 0, &later) == 0);
	assert(store_variant_by_id(db, variant.id, &variant) == 0);
	assert(!memcmp(variant.seed_commit, first, sizeof(first)));
	assert(variant.seed_sealed_size == sizeof(sealed));
	assert(!memcmp(variant.seed_sealed, sealed, sizeof(sealed)));
	assert(store_generation_layout(db, row.service, row.number, 3, &own) == 0);
	assert(store_generation_find(db, w->machine.id, "ds", row.number, &row) == 0);
	assert(row.made == 3 && !memcmp(row.made_commit, second, sizeof(second)));
	assert(!memcmp(row.made_sealed, sealed, sizeof(sealed)));
	/* The run of those that the machine made, which is news by each of what it tells. */
	assert(store_generation_run_get(db, row.id, &run) == 0);
	assert(run.first_ns == 5 && run.last_ns == 9 && run.zero_us == 1000);
	assert(!memcmp(run.head, first, sizeof(first)));
	assert(store_generation_runs(db, row.service, row.number) == 0);
	for (int i = 0; i < 5; i++) {
		struct store_seed told = own;

		told.first_ns += i == 1;
		told.last_ns += i == 2;
		told.head = i == 3 ? second : first;
		told.zero_us += i == 4;
		assert(store_generation_news(db, row.service, row.number, 3, &told) ==
		        (i && i < 4 ? 0 : DB_E_NONE));
	}
	assert(db_run(db, "DELETE FROM folded_runs", "") == 0);
	assert(store_generation_news(db, row.service, row.number, 3, &own) == 0);
	assert(store_generation_layout(db, row.service, row.number, 3, &own) == 0);
	/* Another root, without an audit key: what was sealed before is not this one's. */
	assert(store_generation_layout(db, row.service, row.number, 4, &later) == 0);
	assert(store_generation_find(db, w->machine.id, "ds", row.number, &row) == 0);
	assert(row.made == 4 && !row.made_sealed[0]);
	assert(store_variant_by_id(db, variant.id, &variant) == 0);
	assert(!memcmp(variant.seed_commit, first, sizeof(first)));
	assert(store_generation_layout(db, row.service, row.number, 0, &ordered) == 0);
	assert(store_generation_find(db, w->machine.id, "ds", row.number, &row) == 0);
	assert(!row.made && !row.made_commit[0] && !row.made_sealed[0]);
	assert(db_query_int(db, &n, "SELECT count(*) FROM folded_runs", "") == 0 && n == 0);
	/* What a result tells counts, whatever a status said. */
	assert(store_variant_committed(db, variant.id, &later) == 0);
	assert(store_variant_by_id(db, variant.id, &variant) == 0);
	assert(!memcmp(variant.seed_commit, second, sizeof(second)) && !variant.seed_sealed_size);
	assert(store_variant_committed(db, variant.id, &ordered) == 0);
	assert(store_variant_by_id(db, variant.id, &variant) == 0);
	assert(!memcmp(variant.seed_commit, first, sizeof(first)));
	assert(variant.seed_sealed_size == sizeof(sealed));
	/* The host's own commitment is what it signed, whatever a machine says. */
	assert(store_variant_by_id(db, 1, &variant) == 0 && !variant.machine_made);
	assert(store_generation_layout(db, row.service, 1, 0, &ordered) == 0);
	assert(store_variant_by_id(db, 1, &variant) == 0 && !variant.seed_commit[0]);
	return 0;
}

/* What ran, by the time at which it was seen to, and what of it is to be compared. */
static void effect_check(struct db *db, struct world *w)
{
	struct effect_row effect = {.found = EFFECT_COMPARED, .pieces = 7, .known_mean = 3931};
	struct generation_row first, second, row;
	struct variant_row variant;

	assert(store_generation_find(db, w->machine.id, "ds", 1, &first) == 0);
	assert(store_generation_find(db, w->machine.id, "ds", 2, &second) == 0);
	assert(store_generation_before(db, &first, &row) == DB_E_NONE);
	assert(store_generation_before(db, &second, &row) == 0 && row.number == 1);
	row = second;
	row.committed_us = 0;
	row.id = INT64_MAX;
	assert(store_generation_before(db, &row, &row) == 0 && row.number == 2);
	/* Without a payload there is nothing to compare. */
	assert(store_effect_next(db, INT64_MAX, &row) == DB_E_NONE);
	for (uint64_t n = 1; n <= 2; n++) {
		assert(store_variant_by_id(db, n == 1 ? first.variant : second.variant, &variant) ==
		        0);
		strcpy(variant.path, "/p");
		assert(store_variant_forged(db, &variant) == 0);
	}
	assert(store_effect_next(db, INT64_MAX, &row) == 0 && row.id == second.id);
	assert(store_effect_next(db, second.id, &row) == 0 && row.id == first.id);
	assert(store_effect_get(db, second.id, &effect) == DB_E_NONE);
	effect.generation = second.id;
	assert(store_effect_put(db, &effect) == 0);
	effect.kept_base = 2;
	assert(store_effect_put(db, &effect) == 0);
	effect = (struct effect_row){0};
	assert(store_effect_get(db, second.id, &effect) == 0);
	assert(effect.pieces == 7 && effect.kept_base == 2 && effect.known_mean == 3931);
	assert(effect.found == EFFECT_COMPARED && effect.generation == second.id);
	assert(store_effect_next(db, INT64_MAX, &row) == 0 && row.id == first.id);
	assert(store_generation_set_state(db, first.id, GENERATION_UNDONE) == 0);
	assert(store_effect_next(db, INT64_MAX, &row) == DB_E_NONE);
	assert(store_generation_set_state(db, first.id, GENERATION_PAST) == 0);
}

static int history_make(struct db *db, void *arg)
{
	struct world *w = arg;
	struct service_row service;
	struct generation_row row;

	assert(generation_make(db, w, 0) == 1);
	assert(store_generation_runs(db, w->service.id, 1) == 0);
	assert(generation_make(db, w, 1) == 2);
	assert(store_generation_runs(db, w->service.id, 2) == 0);
	assert(store_generation_find(db, w->machine.id, "ds", 1, &row) == 0);
	assert(row.state == GENERATION_PAST && row.committed_us > 0);
	assert(store_generation_earlier(db, w->service.id, 2, w->release[1].id, &row) == 0);
	assert(row.number == 1);
	assert(store_generation_earlier(db, w->service.id, 1, w->release[0].id, &row) == DB_E_NONE);
	/* A number that was drawn and never ran is no later one. */
	assert(store_generation_later(db, w->machine.id, "ds", 1) == 0);
	assert(store_generation_later(db, w->machine.id, "ds", 2) == DB_E_NONE);
	effect_check(db, w);
	/* A machine that ran further than the record knows: numbers jump ahead. */
	assert(service_see(
	        db, w, (struct service_row){.run_epoch = 2, .run_number = 40, .floor = 3}));
	assert(generation_make(db, w, 1) == 41);
	/* Older news changes nothing; a newer epoch counts whatever its number. */
	assert(service_see(
	        db, w, (struct service_row){.run_epoch = 1, .run_number = 41, .floor = 1}));
	assert(generation_make(db, w, 1) == 42);
	assert(store_service_ensure(db, w->machine.id, "ds", &service) == 0);
	assert(service.run_epoch == 2 && service.run_number == 40 && service.floor == 3);
	assert(service_see(db, w, (struct service_row){.run_epoch = 3, .run_number = 7}));
	assert(store_service_find(db, w->machine.id, "ds", &service) == 0);
	assert(service.run_epoch == 3 && service.run_number == 7 && service.floor == 3);
	return 0;
}

static int count_row(const struct generation_row *row, void *arg)
{
	uint64_t *numbers = arg;

	numbers[++numbers[0]] = row->number;
	return 0;
}

static void test_filters(struct db *db, struct world *w)
{
	uint64_t seen[8] = {0};
	struct generation_filter newest = {.machine = w->machine.id, .limit = 2};
	struct generation_filter older = {.machine = w->machine.id, .service = "ds", .limit = 9};
	struct generation_filter other = {.machine = w->machine.id, .service = "tty", .limit = 9};

	assert(store_generation_each(db, &newest, count_row, seen) == 0);
	assert(seen[0] == 2 && seen[1] == 42 && seen[2] == 41);
	seen[0] = 0;
	assert(store_generation_each(db, &older, count_row, seen) == 0);
	assert(seen[0] == 4 && seen[1] == 42 && seen[4] == 1);
	seen[0] = 0;
	older.before = 4;
	assert(store_generation_each(db, &older, count_row, seen) == 0);
	assert(seen[0] == 3 && seen[1] == 41);
	seen[0] = 0;
	assert(store_generation_each_of(db, w->job.id, count_row, seen) == 0);
	assert(seen[0] == 4 && seen[1] == 1);
	seen[0] = 0;
	assert(store_generation_each(db, &other, count_row, seen) == 0);
	assert(seen[0] == 0);
}

static void test_releases(struct db *db)
{
	struct release_row row;

	assert(store_release_newest(db, "ds", &row) == 0 && row.counter == 2);
	assert(store_release_named(db, "ds", "A0A0", &row) == 0 && row.counter == 1);
	assert(store_release_named(db, "ds", "a", &row) == STORE_E_AMBIGUOUS);
	assert(store_release_named(db, "ds", "ff", &row) == DB_E_NONE);
	assert(store_release_newest(db, "tty", &row) == DB_E_NONE);
	/* By number; what is no number that there is, is no beginning of an id either. */
	assert(store_release_named(db, "ds", "1", &row) == 0 && row.counter == 1);
	assert(store_release_named(db, "ds", "newest", &row) == 0 && row.counter == 2);
	assert(store_release_before(db, &row, &row) == 0 && row.counter == 1);
	assert(store_release_before(db, &row, &row) == DB_E_NONE);
	assert(store_release_named(db, "ds", "0", &row) == DB_E_NONE);
	assert(store_release_named(db, "tty", "1", &row) == DB_E_NONE);
}

static int number_give(
        struct db *db, const char *service, int64_t above, int64_t wanted, int64_t *ret)
{
	struct number_ask ask = {service, 0, above, wanted};

	return store_number_give(db, &ask, ret);
}

/* A number is never given twice, whether or not a release was made of it. */
static int numbers_make(struct db *db, void *arg)
{
	const struct number_ask signed_kit = {"ds", STORE_NUMBER_MAX - 1, 0, 0};
	int64_t n;

	assert(store_number_known(db, "ds") == DB_E_NONE);
	assert(number_give(db, "ds", 0, 0, &n) == 0 && n == 3);
	assert(store_number_known(db, "ds") == 0);
	assert(number_give(db, "ds", 0, 0, &n) == 0 && n == 4);
	assert(number_give(db, "ds", 0, 4, &n) == STORE_E_USED && n == 4);
	assert(number_give(db, "ds", 7, 0, &n) == 0 && n == 8);
	assert(number_give(db, "ds", 0, 20, &n) == 0 && n == 20);
	assert(number_give(db, "tty", 0, 0, &n) == 0 && n == 1);
	assert(number_give(db, "ds", STORE_NUMBER_MAX, 0, &n) == STORE_E_USED);
	assert(number_give(db, "ds", 0, STORE_NUMBER_MAX + 1, &n) == STORE_E_USED && n == 20);
	/* Nobody skips most of them at once, neither by the number nor by what was used; signed kits may. */
	assert(number_give(db, "ds", 0, 21 + STORE_NUMBER_JUMP, &n) == STORE_E_USED && n == 20);
	assert(number_give(db, "ds", 21 + STORE_NUMBER_JUMP, 0, &n) == STORE_E_USED && n == 20);
	assert(number_give(db, "ds", 0, 20 + STORE_NUMBER_JUMP, &n) == 0);
	assert(number_give(db, "ds", 20 + 2 * STORE_NUMBER_JUMP, 0, &n) == 0);
	assert(n == 21 + 2 * STORE_NUMBER_JUMP);
	assert(store_number_give(db, &signed_kit, &n) == 0 && n == STORE_NUMBER_MAX);
	assert(number_give(db, "ds", 0, 0, &n) == STORE_E_USED && n == STORE_NUMBER_MAX);
	return 0;
}

static int blocks_make(struct db *db, void *arg)
{
	struct world *w = arg;
	struct release_row row;

	assert(store_release_block(db, w->release[1].id, w->job.id, "no good") == 0);
	assert(store_release_newest(db, "ds", &row) == 0 && row.blocked_us > 0);
	assert(row.blocked_job == w->job.id && !strcmp(row.blocked_why, "no good"));
	assert(store_release_newest_free(db, "ds", &row) == 0 && row.counter == 1);
	/* To be registered again is no pardon. */
	assert(store_release_put(db, &w->release[1]) == 0);
	assert(store_release_newest_free(db, "ds", &row) == 0 && row.counter == 1);
	assert(store_release_block(db, w->release[1].id, 0, NULL) == 0);
	assert(store_release_newest_free(db, "ds", &row) == 0 && row.counter == 2);
	/* Without its kit it is passed by, until that is added again. */
	assert(store_release_forget_kit(db, w->release[1].id) == 0);
	assert(store_release_newest(db, "ds", &row) == 0 && row.counter == 1);
	assert(store_release_newest_free(db, "ds", &row) == 0 && row.counter == 1);
	assert(store_release_put(db, &w->release[1]) == 0);
	assert(store_release_newest(db, "ds", &row) == 0 && row.counter == 2);
	/* Nor is it the one before another. */
	assert(store_release_forget_kit(db, w->release[0].id) == 0);
	assert(store_release_before(db, &w->release[1], &row) == DB_E_NONE);
	assert(store_release_put(db, &w->release[0]) == 0);
	assert(store_release_before(db, &w->release[1], &row) == 0 && row.counter == 1);
	return 0;
}

static int machine_count(const struct machine_row *row, void *arg)
{
	++*(int *)arg;
	return 0;
}

/* One row a machine: made once, written as often as what is wanted changes. */
static int standings_make(struct db *db, void *arg)
{
	struct world *w = arg;
	struct standing_row row = {.machine = w->machine.id,
	                            .wanted = true,
	                            .services = "ds tty",
	                            .every_ms = 20000,
	                            .quiet = "28800-32400 ",
	                            .number = 4},
	                    read;

	assert(store_standing_find(db, w->machine.id, &read) == DB_E_NONE);
	assert(store_standing_put(db, &row) == 0 && row.id != 0);
	assert(store_standing_find(db, w->machine.id, &read) == 0 && read.wanted && !read.given);
	assert(!strcmp(read.services, "ds tty") && read.every_ms == 20000 && read.number == 4);
	row.wanted = false;
	row.given = true;
	row.number++;
	row.releases[63] = 9;
	assert(store_standing_put(db, &row) == 0);
	assert(store_standing_find(db, w->machine.id, &read) == 0 && read.id == row.id);
	assert(!read.wanted && read.given && read.number == 5 && read.releases[63] == 9);
	return 0;
}

static int removal_make(struct db *db, void *arg)
{
	struct machine_row second = {.name = "second", .socket = "/t"};
	struct machine_row row;
	int n = 0;

	assert(store_machine_insert(db, &second) == 0);
	assert(store_machine_set_default(db, second.id) == 0);
	assert(store_machine_by_name(db, "second", &row) == 0 && row.is_default);
	assert(store_machine_remove(db, second.id) == 0);
	assert(store_machine_by_name(db, "second", &row) == 0);
	assert(row.removed_us > 0 && !row.is_default);
	assert(store_machine_each(db, machine_count, &n) == 0 && n == 1);
	assert(store_machine_by_name(db, "third", &row) == DB_E_NONE);
	return 0;
}

static int job_steps_make(struct db *db, void *arg)
{
	struct world *w = arg;
	struct job_row again;
	struct job_row next = w->job;
	Wire__Cause cause = WIRE__CAUSE__INIT;
	Machine__Result result = MACHINE__RESULT__INIT;

	assert(store_job_step_begin(db, w->job.id, JOB_STEP_FORGE) == 0);
	assert(store_job_step_end(db, w->job.id, JOB_STEP_FAILED, "no") == 0);
	assert(store_job_step_begin(db, w->job.id, JOB_STEP_FORGE) == 0);
	assert(store_job_insert(db, &next) == 0);
	w->job.boot_id = 6;
	memset(w->job.consent, 9, sizeof(w->job.consent));
	assert(store_job_update(db, &w->job) == 0);
	next.state = JOB_FAILED;
	next.ended_us = 1;
	assert(store_job_update(db, &next) == 0);
	cause.name = "no";
	result.txn = 6;
	assert(store_job_outcome(db, next.id, &cause, NULL) == 0);
	assert(store_job_outcome(db, next.id, NULL, &result) == 0);
	assert(store_job_find(db, w->job.id, &again) == 0);
	assert(!strcmp(again.service, "ds") && again.boot_id == 6);
	assert(again.consent[0] == 9 && again.consent[63] == 9);
	return 0;
}

static int order_put(struct db *db, const struct world *w, struct order_row row)
{
	row.machine = w->machine.id;
	row.job = w->job.id;
	return store_order_insert(db, &row, "order", 5);
}

/*
 * A number is signed once for a machine in an epoch; what was accepted
 * is found by boot and line.
 */
static int orders_make(struct db *db, void *arg)
{
	struct world *w = arg;
	struct order_row row;
	uint8_t *envelope;
	uint64_t highest;
	size_t size;

	assert(store_order_newest(db, w->job.id, 0, &row) == DB_E_NONE);
	assert(store_order_highest(db, w->machine.id, 1, &highest) == 0 && highest == 0);
	assert(order_put(db, w,
	               (struct order_row){.epoch = 1, .txn = 1, .action = 1, .boot_id = 5}) == 0);
	assert(order_put(db, w, (struct order_row){.epoch = 1, .txn = 1, .action = 1}) ==
	        DB_E_EXISTS);
	assert(order_put(db, w,
	               (struct order_row){
	                       .epoch = 1, .txn = 2, .action = 3, .boot_id = 5, .expires = 9}) ==
	        0);
	assert(order_put(db, w,
	               (struct order_row){.epoch = 2,
	                       .txn = 1,
	                       .action = 1,
	                       .boot_id = 5,
	                       .line = 1,
	                       .expires = 9}) == 0);
	assert(store_order_highest(db, w->machine.id, 1, &highest) == 0 && highest == 2);
	assert(store_order_highest(db, w->machine.id, 2, &highest) == 0 && highest == 1);
	assert(store_order_newest(db, w->job.id, 3, &row) == 0 && row.txn == 2 && row.epoch == 1);
	assert(store_order_accepted(db, w->machine.id, 5, 0, &row) == DB_E_NONE);
	assert(store_order_newest(db, w->job.id, 3, &row) == 0);
	row.sent = row.accepted = true;
	assert(store_order_update(db, &row) == 0);
	assert(store_order_accepted(db, w->machine.id, 5, 0, &row) == 0 && row.txn == 2);
	/* What the machine took stays what it was. */
	assert(row.expires && store_order_void(db, w->job.id) == 0);
	assert(store_order_newest(db, w->job.id, 3, &row) == 0 && row.expires);
	assert(store_order_newest(db, w->job.id, 1, &row) == 0 && !row.expires);
	assert(store_order_accepted(db, w->machine.id, 5, 1, &row) == DB_E_NONE);
	assert(store_order_newest(db, w->job.id, 0, &row) == 0 && row.epoch == 2 && row.line == 1);
	assert(store_order_envelope(db, row.id, &envelope, &size) == 0 && size == 5);
	free(envelope);
	return 0;
}

static int step_check(const struct job_step_row *row, void *arg)
{
	int *n = arg;

	assert(row->n == ++*n);
	assert(row->state == (*n == 1 ? JOB_STEP_FAILED : JOB_STEP_BEGUN));
	return 0;
}

static int open_count(const struct job_row *row, void *arg)
{
	++*(int *)arg;
	assert(row->ended_us == 0);
	return 0;
}

static void test_jobs(struct db *db, struct world *w)
{
	struct job_outcome outcome;
	int n = 0, open = 0;

	assert(db_txn(db, job_steps_make, w) == 0);
	assert(db_txn(db, orders_make, w) == 0);
	assert(store_job_step_each(db, w->job.id, step_check, &n) == 0 && n == 2);
	assert(store_job_each_open(db, 0, open_count, &open) == 0 && open == 1);
	assert(store_job_outcome_get(db, w->job.id + 1, NULL, &outcome) == 0);
	assert(!strcmp(outcome.cause->name, "no") && outcome.result->txn == 6);
	job_outcome_fini(&outcome, NULL);
}

/* Numbers of kernels only rise: over a start with the linked one, another writing of the row, and a removal. */
static int kernels_draw(struct db *db, void *arg)
{
	const struct world *w = arg;
	uint64_t generation = 0;

	assert(store_machine_kernel(db, w->machine.id, true, &generation) == 0 && generation == 1);
	assert(store_machine_kernel(db, w->machine.id, true, &generation) == 0 && generation == 2);
	assert(store_machine_kernel(db, w->machine.id, false, &generation) == 0 && generation == 0);
	assert(store_machine_update(db, &w->machine) == 0);
	assert(store_machine_kernel(db, w->machine.id, true, &generation) == 0 && generation == 3);
	return 0;
}

static void test_kernels(struct db *db, struct world *w)
{
	struct machine_row row;

	assert(db_txn(db, kernels_draw, w) == 0);
	assert(store_machine_by_name(db, w->machine.name, &row) == 0);
	assert(row.kernel == 3 && row.kernel_last == 3);
}

int main(void)
{
	char dir[] = "/tmp/store_test.XXXXXX";
	struct failure failure = {0};
	struct world w = {0};
	_cleanup_(freep) char *path = NULL;
	struct db *db;

	assert(mkdtemp(dir));
	path = text_format("%s/record", dir);
	assert(store_open(path, &db, &failure) == 0);
	assert(db_txn(db, world_make, &w) == 0);
	assert(db_txn(db, history_make, &w) == 0);
	test_filters(db, &w);
	test_releases(db);
	assert(db_txn(db, numbers_make, NULL) == 0);
	assert(db_txn(db, blocks_make, &w) == 0);
	assert(db_txn(db, layouts_make, &w) == 0);
	assert(db_txn(db, standings_make, &w) == 0);
	assert(db_txn(db, removal_make, &w) == 0);
	test_jobs(db, &w);
	test_kernels(db, &w);
	db_close(db);
	assert(dir_remove(dir) == 0);
	return 0;
}
