/*
 * Layouts that RS makes: by an order that names no variant, and after a crash. What is asked of RS
 * says nothing of where a service lies; assist tells of itself where its code and data are.
 */
#include "osd/servers/rs/trust/trust.h"
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/image/link.h"

#include <stdio.h>
#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"

/* Frames that two layouts of one kit may differ by: their pads do. */
#define SLACK_FRAMES 16
/* Layouts in a row in case_many(). */
#define N_LAYOUTS 6

static const uint8_t zeros[RS_SEALED_LEN];

/* Above the floor of the boot entries. */
#define KIT_COUNTER 10

struct kit_manifest kit_of(const char *entry)
{
	struct kit_manifest kit = {0};

	if (rs_blob(entry, HOOK_MANIFEST, 0, &kit, sizeof(kit)) != sizeof(kit)) {
		sef_panic("the boot image has no kit of %s", entry);
	}
	kit.counter += KIT_COUNTER;
	return kit;
}

static err_t kit_admit_by(
        const struct kit_manifest *kit, enum order_key key, struct rs_admitted *ret_admitted)
{
	static _Alignas(8) uint8_t envelope[ORDER_ENVELOPE_MAX];
	struct rs_reply reply;
	uint32_t n =
	        order_seal(ENVELOPE_OF_KIT, ENVELOPE_KIT, kit, sizeof(*kit), &key, 1, envelope);
	err_t err = rs_ask_with(
	        RS_ADMIT, envelope, n, GRANT_READ | GRANT_WRITE, (struct rs_request){0}, &reply);

	memcpy(ret_admitted, envelope, sizeof(*ret_admitted));
	return err;
}

void kit_admit(const struct kit_manifest *kit)
{
	struct rs_admitted admitted;

	CHECK_EQUAL(kit_admit_by(kit, ORDER_KEY_RELEASE, &admitted), E_OK);
}

void order_kit(struct order *order, enum order_action action, const struct kit_manifest *kit,
        uint64_t generation)
{
	struct order_component *c;

	order_init(order, action, update_next_id());
	c = order_add(order, kit->service);
	kit_manifest_release_id(kit, c->release_id);
	c->generation = generation;
	c->recipe = LINK_RECIPE;
}

static struct rs_result run(const struct order *order)
{
	err_t err = order_send(order, NULL);

	return err == E_OK ? update_wait(order->head.transaction)
	                   : (struct rs_result){.outcome = RS_OUTCOME_REFUSED, .err = err};
}

static err_t refusal(const struct kit_manifest *kit, uint64_t generation)
{
	struct order order;

	order_kit(&order, ORDER_UPDATE, kit, generation);
	return order_send(&order, NULL);
}

static struct assist_reply where(void)
{
	struct assist_reply reply = {0};

	CHECK_EQUAL(assist_ask(ASSIST_LAYOUT, 0, 0, &reply), E_OK);
	return reply;
}

/* Function, variable, heap object and stack. Started afresh, assist has no object yet. */
static bool is_elsewhere(const struct assist_reply *a, const struct assist_reply *b)
{
	return a->a != b->a && a->b != b->b && (a->c != b->c || a->c == 0) && a->d != b->d;
}

/* RS says that it made the layout, and nothing of it. */
static void check_secret(const char *name, uint64_t n_made)
{
	struct rs_service service = {0};

	CHECK(rs_service(name, &service));
	CHECK(service.is_machine_made);
	CHECK_EQUAL(service.n_made, n_made);
	CHECK_EQUAL(service.base, 0);
	CHECK(memcmp(service.build_id, zeros, sizeof(service.build_id)) == 0);
	CHECK(memcmp(service.payload, zeros, sizeof(service.payload)) == 0);
	CHECK(memcmp(service.commitment, zeros, RS_HASH_LEN) != 0);
	CHECK(memcmp(service.sealed, zeros, RS_SEALED_LEN) != 0);
}

static void check_committed(const struct rs_result *result, uint64_t generation)
{
	CHECK_EQUAL(result->err, E_OK);
	CHECK_EQUAL(result->outcome, RS_OUTCOME_COMMITTED);
	CHECK_EQUAL(result->generation, generation);
	CHECK_EQUAL(result->n_vm_faults, 0);
	CHECK(result->transfer.bytes > 0);
	CHECK_EQUAL(result->base, 0);
	CHECK(memcmp(result->build_id, zeros, sizeof(result->build_id)) == 0);
	CHECK(memcmp(result->commitment, zeros, RS_HASH_LEN) != 0);
	CHECK(memcmp(result->sealed, zeros, RS_SEALED_LEN) != 0);
}

static void case_refused(const struct kit_manifest *kit)
{
	struct kit_manifest other = *kit;
	struct rs_admitted admitted;
	struct order order;

	tap_case(
	        "a kit that nobody showed is not run, and one that no release key signed not kept");
	CHECK_EQUAL(refusal(kit, 2), E_V_UNADMITTED);
	CHECK_EQUAL(kit_admit_by(kit, ORDER_KEY_ORDER, &admitted), E_V_ROLE);
	CHECK_EQUAL(refusal(kit, 2), E_V_UNADMITTED);

	tap_case("what the machine was booted with need not be staged");
	CHECK_EQUAL(kit_admit_by(kit, ORDER_KEY_RELEASE, &admitted), E_OK);
	CHECK_EQUAL(admitted.blobs[0].total, 0);
	CHECK_EQUAL(admitted.blobs[1].held, kit->state_len);
	CHECK_EQUAL(admitted.blobs[2].held, kit->flat_len);
	CHECK_EQUAL(stage_drop(kit->flat_hash), E_V_CONTROL);

	tap_case("another recipe, an old generation, and a release below the floor are refused");
	order_kit(&order, ORDER_UPDATE, kit, 2);
	order.component[0].recipe = LINK_RECIPE - 1;
	CHECK_EQUAL(order_send(&order, NULL), E_V_RELEASE);
	CHECK_EQUAL(refusal(kit, 1), E_V_REPLAY);
	other.counter = other.floor = 4; /* the boot entry says 5 */
	kit_admit(&other);
	CHECK_EQUAL(refusal(&other, 2), E_V_FLOOR);

	tap_case("a signed kit that is no flat kit is refused");
	other = *kit;
	other.flat_len = kit->state_len;
	memcpy(other.flat_hash, kit->state_hash, sizeof(other.flat_hash));
	kit_admit(&other);
	CHECK_EQUAL(refusal(&other, 2), E_V_IMAGE);
}

static void case_made(const struct kit_manifest *kit)
{
	struct assist_reply places[3] = {where()};
	uint64_t checksum = assist_checksum();
	uint8_t commitment[RS_HASH_LEN];
	struct rs_service service = {0};
	struct rs_result result;
	struct order order;

	tap_case("assist moves into a layout that RS made, with all its state");
	order_kit(&order, ORDER_UPDATE, kit, 2);
	result = run(&order);
	check_committed(&result, 2);
	check_secret("assist", 0);
	CHECK_EQUAL(assist_checksum(), checksum);
	places[1] = where();
	CHECK(is_elsewhere(&places[0], &places[1]));
	memcpy(commitment, result.commitment, sizeof(commitment));
	CHECK(rs_service("assist", &service));
	CHECK(memcmp(service.sealed, result.sealed, RS_SEALED_LEN) == 0);
	CHECK_EQUAL(result.layout_pieces, 0); /* the boot image's: RS has no map of it */

	tap_case("and from there into another one");
	order_kit(&order, ORDER_UPDATE, kit, 3);
	result = run(&order);
	check_committed(&result, 3);
	check_secret("assist", 0);
	CHECK_EQUAL(assist_checksum(), checksum);
	places[2] = where();
	CHECK(is_elsewhere(&places[1], &places[2]) && is_elsewhere(&places[0], &places[2]));
	CHECK(memcmp(commitment, result.commitment, sizeof(commitment)) != 0);
	CHECK(result.layout_pieces > 100);
	CHECK_EQUAL(result.layout_kept_address, 0);
	CHECK(result.layout_kept_base < result.layout_pieces / 20);
}

/* A layout is made, and nothing of it stays. */
static void case_prepared(const struct kit_manifest *kit)
{
	struct assist_reply before = where(), after;
	uint64_t frames = rs_frames();
	struct rs_result result;
	struct order order;

	tap_case("preparing makes a layout, runs it nowhere and keeps nothing");
	order_kit(&order, ORDER_PREPARE, kit, 4);
	result = run(&order);
	CHECK_EQUAL(result.err, E_OK);
	CHECK_EQUAL(result.outcome, RS_OUTCOME_PREPARED);
	after = where();
	CHECK_EQUAL(after.a, before.a);
	CHECK_EQUAL(after.c, before.c);
	CHECK_EQUAL(rs_frames(), frames);
}

/* The text of the last crash. */
static const char *crash_text(void)
{
	static struct rs_event events[RS_N_EVENTS];
	struct rs_reply reply = {0};
	const char *text = "";

	CHECK_EQUAL(rs_ask_with(RS_EVENTS, events, sizeof(events), GRANT_WRITE,
	                    (struct rs_request){0}, &reply),
	        E_OK);
	for (uint64_t i = 0; i < reply.count; i++) {
		text = events[i].kind == RS_EVENT_CRASHED ? events[i].text : text;
	}
	return text;
}

/* Every number after 0x is an offset in something, and so a small one. */
static bool names_no_address(const char *text)
{
	while ((text = strstr(text, "0x")) != NULL) {
		uint32_t n = 0;

		for (text += 2; strchr("0123456789abcdef", *text) != NULL && *text != '\0';
		        text++) {
			n++;
		}
		if (n > 6) {
			return false;
		}
	}
	return true;
}

static void case_crash(enum assist_crash how, uint64_t n_made)
{
	struct assist_reply before = where(), after, reply;
	struct rs_service old = {0}, new = {0};

	CHECK(rs_service("assist", &old));
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, how, 0, &reply), E_RESTART);
	assist_settle();
	after = where();
	CHECK(is_elsewhere(&before, &after));
	check_secret("assist", n_made);
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(new.generation, old.generation);
	CHECK(memcmp(new.commitment, old.commitment, RS_HASH_LEN) != 0);
	CHECK(memcmp(new.sealed, old.sealed, RS_SEALED_LEN) != 0);
	CHECK_EQUAL(new.endpoint, old.endpoint);
	CHECK_EQUAL(new.n_restarts, old.n_restarts + 1);
}

static void cases_crash(void)
{
	struct assist_reply reply;

	tap_case("a service that crashed comes back in a layout that was never used");
	case_crash(ASSIST_CRASH_NULL, 1);
	CHECK(strstr(crash_text(), "ip piece ") != NULL && names_no_address(crash_text()));
	case_crash(ASSIST_CRASH_TEXT, 2);
	CHECK(strstr(crash_text(), "page fault at piece ") != NULL);
	CHECK(names_no_address(crash_text()));
	case_crash(ASSIST_CRASH_STACK, 3);
	CHECK(strstr(crash_text(), "page fault at stack, depth 0x") != NULL);
	CHECK(names_no_address(crash_text()));
	case_crash(ASSIST_CRASH_OBJECT, 4);
	CHECK(strstr(crash_text(), "page fault at object ") != NULL);
	CHECK(strstr(crash_text(), " + 0x0 of site piece ") != NULL);
	CHECK(names_no_address(crash_text()));

	tap_case("and so does one that is started afresh by an order");
	CHECK_EQUAL(order_simple(ORDER_RESTART, "assist", 0), E_OK);
	assist_settle();
	check_secret("assist", 5);
	CHECK_EQUAL(assist_ask(ASSIST_BUILD, 42, 300, &reply), E_OK);
}

static err_t drop(const struct kit_manifest *kit)
{
	struct order order;

	order_kit(&order, ORDER_DROP, kit, 0);
	order.component[0].recipe = 0;
	memcpy(order.component[0].variant_hash, order.component[0].release_id, RS_HASH_LEN);
	return order_send(&order, NULL);
}

/* A kit that the machine was not booted with: shown, staged, run. */
static struct kit_manifest case_other_release(void)
{
	struct kit_manifest kit = kit_of("assist-r2");
	uint64_t checksum = assist_checksum(), held;
	struct rs_service service = {0};
	struct rs_result result;
	struct order order;

	tap_case("the kit of another release is staged before RS makes a layout of it");
	CHECK_EQUAL(stage_begin(kit.flat_hash, kit.flat_len, &held), E_V_UNNAMED);
	kit_admit(&kit);
	CHECK_EQUAL(refusal(&kit, 4), E_NOTFOUND);
	CHECK_EQUAL(stage_begin(kit.state_hash, kit.state_len, &held), E_OK);
	CHECK_EQUAL(refusal(&kit, 4), E_INCOMPLETE);
	stage_kit("assist-r2", &kit);
	order_kit(&order, ORDER_UPDATE, &kit, 4);
	result = run(&order);
	check_committed(&result, 4);
	check_secret("assist", 0);
	CHECK_EQUAL(assist_checksum(), checksum);
	CHECK(rs_service("assist", &service));
	CHECK_EQUAL(service.release, kit.counter);

	tap_case("the kit of what runs is not dropped");
	CHECK_EQUAL(drop(&kit), E_BUSY);
	return kit;
}

/* The first layout goes with the instance that it was handed to. */
static void case_arena(const struct kit_manifest *kit)
{
	struct assist_reply before = where(), after;
	uint64_t checksum = assist_checksum();
	struct rs_result result;
	struct order order;

	tap_case("an arena that was too small is tried once more, in another layout");
	rs_arm(RS_STEP_CREATE, HOOK_NEW, HOOK_STARVE);
	order_kit(&order, ORDER_UPDATE, kit, 11);
	result = run(&order);
	check_committed(&result, 11);
	CHECK_EQUAL(result.n_arena_tries, 2);
	CHECK(rs_harm_was_done());
	after = where();
	CHECK(is_elsewhere(&before, &after));
	CHECK_EQUAL(assist_checksum(), checksum);
	check_secret("assist", 0);
}

static void case_crowded(const struct kit_manifest *kit)
{
	struct assist_reply before = where(), after;
	struct rs_result result;
	struct order order;

	tap_case("layouts that use up their budget are refused, and made again when there is room");
	rs_arm(RS_STEP_CREATE, HOOK_NEW, HOOK_CROWD);
	CHECK_EQUAL(refusal(kit, 12), E_STORE_FULL);
	CHECK_EQUAL(refusal(kit, 12), E_STORE_FULL);
	after = where();
	CHECK_EQUAL(after.a, before.a);
	CHECK(rs_harm_was_done());
	order_kit(&order, ORDER_UPDATE, kit, 12);
	result = run(&order);
	check_committed(&result, 12);
}

/* Again and again: memory stays what it was. */
static void case_many(const struct kit_manifest *kit)
{
	struct assist_reply last, now = where();
	uint64_t frames = 0, after;
	struct rs_result result;
	struct order order;

	tap_case("one layout after the other takes no memory that stays");
	for (uint64_t n = 0; n < N_LAYOUTS; n++) {
		order_kit(&order, ORDER_UPDATE, kit, 5 + n);
		result = run(&order);
		check_committed(&result, 5 + n);
		last = now;
		now = where();
		CHECK(is_elsewhere(&last, &now));
		frames = n == 0 ? rs_frames() : frames;
	}
	after = rs_frames();
	CHECK(after + SLACK_FRAMES >= frames && after <= frames + SLACK_FRAMES);
}

/* The kit and its blobs go, and with them what an order could name. */
static void case_dropped(const struct kit_manifest *kit)
{
	struct kit_manifest other = *kit;
	uint64_t held = 1;

	tap_case("the kit of what does not run is dropped by an order, with what only it names");
	other.counter++;
	other.flat_hash[0] ^= 1;
	kit_admit(&other);
	CHECK_EQUAL(stage_begin(other.flat_hash, other.flat_len, &held), E_OK);
	CHECK_EQUAL(held, 0);
	CHECK_EQUAL(drop(&other), E_OK);
	CHECK_EQUAL(refusal(&other, 13), E_V_UNADMITTED);
	CHECK_EQUAL(stage_drop(other.flat_hash), E_NOTFOUND);
	CHECK_EQUAL(stage_begin(other.flat_hash, other.flat_len, &held), E_V_UNNAMED);
}

static void case_ds(void)
{
	struct kit_manifest kit = kit_of("ds");
	struct rs_result result;
	struct order order;

	tap_case("a service that the machine ships moves in the same way");
	kit_admit(&kit);
	order_kit(&order, ORDER_UPDATE, &kit, 2);
	result = run(&order);
	check_committed(&result, 2);
	check_secret("ds", 0);
}

void cases_layouts(void)
{
	struct kit_manifest kit = kit_of("assist");

	case_refused(&kit);
	case_made(&kit);
	case_prepared(&kit);
	cases_crash();
	kit = case_other_release();
	case_many(&kit);
	case_arena(&kit);
	case_crowded(&kit);
	case_dropped(&kit);
	case_ds();
}
