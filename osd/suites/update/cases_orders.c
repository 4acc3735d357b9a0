/*
 * Who may have the machine do what: a boot without a starting statement, orders that were changed,
 * are for others or come too late, what needs a control key, cancelling, checks, confirming, time.
 */
#include <string.h>

#include "osd/lib/sys/grant.h"
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"

#define DAY_SEC UINT64_C(86400)
#define WIDE_LEN                                                                                   \
	(UINT64_C(16) << 20) /* more than half of RS's staging budget; as keyring/test/offers.c */
#define FLIP_STEP 5          /* of the bytes of an envelope, every so manieth is changed */

static _Alignas(8) uint8_t envelope[ORDER_ENVELOPE_MAX];

static err_t tell(uint32_t type, const void *bytes, uint32_t n)
{
	struct rs_reply reply;

	memmove(envelope, bytes, n);
	return rs_ask_with(type, envelope, n, GRANT_READ, (struct rs_request){0}, &reply);
}

/* Change one bit in many places; returns how often that was accepted. */
static uint32_t tell_flipped(uint32_t type, const void *bytes, uint32_t n)
{
	static uint8_t flipped[ORDER_ENVELOPE_MAX];
	uint32_t n_accepted = 0;

	for (uint32_t i = 0; i < n; i += FLIP_STEP) {
		memcpy(flipped, bytes, n);
		flipped[i] ^= (uint8_t)(1u << i % 8);
		n_accepted += tell(type, flipped, n) == E_OK;
	}
	return n_accepted;
}

/* An order to run an offer, which was admitted and staged. */
static void order_of(struct order *order, const char *name, enum order_action action)
{
	static struct offer offer;
	struct order_component *c;
	struct envelope_view view;

	offer = *offer_find(name);
	CHECK_EQUAL(offer_admit(&offer), E_OK);
	stage_offer(&offer);
	CHECK_EQUAL(envelope_open(offer.envelope, offer.envelope_bytes, &view), ENVELOPE_OK);
	order_init(order, action, update_next_id());
	c = order_add(order, "assist");
	memcpy(c->release_id, view.variant->release_id, sizeof(c->release_id));
	variant_manifest_hash(view.variant, c->variant_hash);
	c->generation = offer.generation;
	c->recipe = view.variant->recipe;
}

static void case_statement(void)
{
	struct rs_service service = {0};
	const void *statement;
	struct order order;
	uint32_t n;

	tap_case("no order is carried out before a starting statement");
	CHECK_EQUAL(rs_resources().has_statement, 0);
	order_of(&order, "first", ORDER_UPDATE);
	CHECK_EQUAL(order_send(&order, NULL), E_V_STATEMENT);
	CHECK_EQUAL(order_simple(ORDER_SHUTDOWN, NULL, 1), E_V_STATEMENT);

	tap_case("a starting statement with a byte changed is refused");
	statement = order_statement(&n);
	CHECK_EQUAL(tell_flipped(RS_STATEMENT, statement, n), 0);
	CHECK_EQUAL(tell(RS_ORDER, statement, n), E_V_KIND);
	CHECK_EQUAL(rs_resources().has_statement, 0);

	tap_case("a starting statement raises floors and lets orders in");
	CHECK_EQUAL(tell(RS_STATEMENT, statement, n), E_OK);
	CHECK_EQUAL(rs_resources().has_statement, 1);
	CHECK(rs_service("assist", &service));
	CHECK_EQUAL(service.floor, 6);
}

static void case_changed(void)
{
	static _Alignas(8) uint8_t good[ORDER_ENVELOPE_MAX];
	struct offer offer = *offer_find("first");
	struct order order;
	uint32_t n;

	tap_case("an order with a byte changed is refused");
	order_of(&order, "first", ORDER_UPDATE);
	n = order_write(&order, good);
	CHECK_EQUAL(tell_flipped(RS_ORDER, good, n), 0);

	tap_case("a variant with a byte changed is refused");
	CHECK_EQUAL(tell_flipped(RS_ADMIT, offer.envelope, offer.envelope_bytes), 0);
	CHECK_EQUAL(rs_resources().newest, 0);
}

/* One field of a good order changed before it is signed. */
static void case_refused(void)
{
	struct order order;

	tap_case("an order for another machine or another boot is refused");
	order_of(&order, "first", ORDER_UPDATE);
	order.head.machine_id[0] ^= 1;
	CHECK_EQUAL(order_send(&order, NULL), E_V_MACHINE);
	order_of(&order, "first", ORDER_UPDATE);
	order.head.boot_id ^= 1;
	CHECK_EQUAL(order_send(&order, NULL), E_V_BOOT);

	tap_case("an order of another epoch, of too long a life, or that is over is refused");
	order_of(&order, "first", ORDER_UPDATE);
	order.head.epoch++;
	CHECK_EQUAL(order_send(&order, NULL), E_V_EPOCH);
	order_of(&order, "first", ORDER_UPDATE);
	order.head.expires += DAY_SEC;
	CHECK_EQUAL(order_send(&order, NULL), E_V_LIFE);
	order_of(&order, "first", ORDER_UPDATE);
	order.head.issued -= DAY_SEC;
	order.head.expires -= DAY_SEC;
	CHECK_EQUAL(order_send(&order, NULL), E_V_EXPIRED);

	tap_case("what an order says of a variant must be what was signed");
	order_of(&order, "first", ORDER_UPDATE);
	order.component[0].variant_hash[9] ^= 1;
	CHECK_EQUAL(order_send(&order, NULL), E_V_UNADMITTED);
	order_of(&order, "first", ORDER_UPDATE);
	order.component[0].release_id[9] ^= 1;
	CHECK_EQUAL(order_send(&order, NULL), E_V_RELEASE);
	order_of(&order, "first", ORDER_UPDATE);
	order.component[0].recipe++;
	CHECK_EQUAL(order_send(&order, NULL), E_V_RELEASE);
	order_of(&order, "first", ORDER_UPDATE);
	strcpy(order.component[0].service, "update");
	CHECK_EQUAL(order_send(&order, NULL), E_V_SERVICE);

	tap_case("a layout of RS's own needs the kit, and sets are refused as not supported");
	order_of(&order, "first", ORDER_UPDATE);
	memset(order.component[0].variant_hash, 0, RS_HASH_LEN);
	CHECK_EQUAL(order_send(&order, NULL), E_V_UNADMITTED);
	order_of(&order, "first", ORDER_UPDATE);
	(void)order_add(&order, "update");
	order.component[1] = order.component[0];
	strcpy(order.component[1].service, "update");
	CHECK_EQUAL(order_send(&order, NULL), E_UNSUPPORTED);
	CHECK_EQUAL(rs_resources().newest, 0);
}

/* What destroys: signed by the order key alone, which is what a host that was taken over has. */
static void case_control(void)
{
	static const enum order_action actions[] = {ORDER_RESTART, ORDER_SHUTDOWN, ORDER_DROP};
	struct rs_service before = {0}, after = {0};
	struct order order;

	tap_case("what destroys needs a control key");
	CHECK(rs_service("assist", &before));
	for (uint32_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		order_of(&order, "first", actions[i]);
		if (actions[i] == ORDER_SHUTDOWN) {
			order.head.n_components = 0;
			order.head.size = sizeof(order.head);
		} else if (actions[i] == ORDER_RESTART) {
			memset(&order.component[0], 0, sizeof(order.component[0]));
			strcpy(order.component[0].service, "assist");
		} else {
			order.component[0].generation = order.component[0].recipe = 0;
		}
		order.n_by = 1;
		CHECK_EQUAL(order_send(&order, NULL), E_V_CONTROL);
		order.by[0] = ORDER_KEY_CONTROL;
		CHECK_EQUAL(order_send(&order, NULL), E_V_THRESHOLD);
	}
	order_of(&order, "first", ORDER_UPDATE);
	order.component[0].consent[0] = 1;
	CHECK_EQUAL(order_send(&order, NULL), E_V_CONTROL);
	order.by[order.n_by++] = ORDER_KEY_CONTROL;
	CHECK_EQUAL(order_send(&order, NULL), E_V_CONSENT);
	CHECK(rs_service("assist", &after));
	CHECK_EQUAL(after.n_restarts, before.n_restarts);
}

static err_t cancel(uint64_t epoch, uint64_t number)
{
	struct rs_reply reply;

	return rs_ask(RS_CANCEL, (struct rs_request){.argument = number, .total = epoch}, &reply);
}

static void case_busy(void)
{
	struct order order;
	uint64_t number;

	tap_case("while an order is carried out, none that needs its place is");
	order_of(&order, "first", ORDER_UPDATE);
	strcpy(order.component[0].state, "unreachable");
	number = order.head.transaction;
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	order_of(&order, "first", ORDER_PREPARE);
	CHECK_EQUAL(order_send(&order, NULL), E_BUSY);
	CHECK_EQUAL(order_simple(ORDER_CONFIRM, NULL, number), E_BUSY);
	CHECK_EQUAL(order_simple(ORDER_RESTART, "assist", 0), E_BUSY);
	CHECK_EQUAL(cancel(order_epoch(), number), E_OK);
	CHECK_EQUAL(update_wait(number).err, E_CANCELLED);
	assist_count_up();
}

static void case_cancel(void)
{
	struct order order;
	uint64_t number;

	tap_case("a transaction is cancelled by its number before the switch");
	order_of(&order, "first", ORDER_UPDATE);
	strcpy(order.component[0].state, "unreachable");
	number = order.head.transaction;
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	CHECK_EQUAL(cancel(order_epoch(), number + 1), E_NOTFOUND);
	CHECK_EQUAL(cancel(order_epoch() + 1, number), E_NOTFOUND);
	assist_count_up();
	CHECK_EQUAL(cancel(order_epoch(), number), E_OK);
	CHECK_EQUAL(update_wait(number).err, E_CANCELLED);
	CHECK_EQUAL(cancel(order_epoch(), number), E_NOTFOUND);
	assist_count_up();
}

/* At once after its acceptance: the new instance is there and looks at the state. */
static void case_cancel_early(void)
{
	struct rs_service before = {0}, after = {0};
	struct rs_result result;
	struct order order;
	uint64_t number;

	tap_case("a transaction is cancelled before its service is asked to come to rest");
	CHECK(rs_service("assist", &before));
	order_of(&order, "first", ORDER_UPDATE);
	number = order.head.transaction;
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	CHECK_EQUAL(cancel(order_epoch(), number), E_OK);
	result = update_wait(number);
	CHECK_EQUAL(result.err, E_CANCELLED);
	CHECK(result.step_at[RS_STEP_VERIFY] != 0);
	CHECK_EQUAL(result.step_at[RS_STEP_PREPARE], 0);
	CHECK_EQUAL(result.step_at[RS_STEP_SWITCH], 0);
	CHECK(rs_service("assist", &after));
	CHECK_EQUAL(after.generation, before.generation);
	assist_count_up();
}

static void case_cancel_late(void)
{
	struct order order;
	uint64_t number;

	tap_case("nothing is cancelled after the switch");
	order_of(&order, "hangs", ORDER_UPDATE);
	order.head.transfer_ms = 200;
	number = order.head.transaction;
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	pause_for(20 * NSEC_MSEC);
	CHECK_EQUAL(cancel(order_epoch(), number), E_STATE);
	CHECK_EQUAL(update_wait(number).err, E_TIMEOUT);
	assist_count_up();
}

static void case_checks(void)
{
	struct order order;
	uint64_t first = 0, other = 0;

	tap_case("checks need no order, one a second, and give way to an order");
	CHECK_EQUAL(check_begin("unreachable", &first), E_OK);
	CHECK_EQUAL(check_begin("unreachable", &other), E_BUSY);
	order_of(&order, "first", ORDER_PREPARE);
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	CHECK_EQUAL(update_wait(order.head.transaction).outcome, RS_OUTCOME_PREPARED);
	CHECK_EQUAL(check_wait(first).err, E_CANCELLED);
	CHECK_EQUAL(check_begin("", &other), E_AGAIN);
	pause_for(1000 * NSEC_MSEC);
	CHECK_EQUAL(check_begin("", &other), E_OK);
	CHECK_EQUAL(check_wait(other).outcome, RS_OUTCOME_PREPARED);
}

static uint32_t floor_now(void)
{
	struct rs_service service = {0};

	CHECK(rs_service("assist", &service));
	return service.floor;
}

static void case_confirm(void)
{
	struct order order, replay;
	struct rs_reply reply = {0};

	tap_case("a floor rises when what was committed is confirmed");
	order_of(&order, "first", ORDER_UPDATE);
	replay = order;
	replay.head.transaction = UINT64_MAX;
	replay.component[0].generation = 1;
	CHECK_EQUAL(order_send(&replay, NULL), E_V_REPLAY);
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	CHECK_EQUAL(update_wait(order.head.transaction).outcome, RS_OUTCOME_COMMITTED);
	CHECK_EQUAL(floor_now(), 6);
	CHECK_EQUAL(order_simple(ORDER_CONFIRM, NULL, order.head.transaction + 5), E_NOTFOUND);
	CHECK_EQUAL(order_simple(ORDER_CONFIRM, NULL, order.head.transaction), E_OK);
	CHECK_EQUAL(floor_now(), 7);
	CHECK_EQUAL(order_simple(ORDER_CONFIRM, NULL, order.head.transaction), E_OK);

	tap_case("an order that was carried out is answered, not carried out again");
	CHECK_EQUAL(order_send(&order, &reply), E_OK);
	CHECK_EQUAL(reply.count, RS_OUTCOME_COMMITTED);
	CHECK_EQUAL(reply.a, order.head.transaction);
	CHECK_EQUAL(reply.b, order_epoch());
	CHECK_EQUAL(rs_resources().busy, 0);
}

static err_t set_time(uint64_t time, uint64_t nonce)
{
	static const enum order_key release = ORDER_KEY_RELEASE;
	struct rs_resources resources = rs_resources();
	struct time_manifest manifest = {
	        .magic = TIME_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(manifest),
	        .boot_id = resources.boot_id,
	        .nonce = nonce,
	        .time = time,
	};
	uint32_t n;

	memcpy(manifest.machine_id, resources.machine_id, sizeof(manifest.machine_id));
	n = order_seal(ENVELOPE_OF_TIME, ENVELOPE_TIME, &manifest, sizeof(manifest), &release, 1,
	        envelope);
	return tell(RS_TIME, envelope, n);
}

static void case_time(void)
{
	struct rs_resources before = rs_resources(), after;
	uint32_t floor = floor_now();
	struct order order;

	tap_case("a time statement moves time, once, and back again");
	order_of(&order, "busy", ORDER_PREPARE);
	CHECK_EQUAL(set_time(before.time + 400 * DAY_SEC, before.time_nonce ^ 1), E_V_NONCE);
	CHECK_EQUAL(set_time(before.time + 400 * DAY_SEC, before.time_nonce), E_OK);
	after = rs_resources();
	CHECK(after.time >= before.time + 400 * DAY_SEC);
	CHECK(after.time_nonce != before.time_nonce);
	CHECK_EQUAL(set_time(before.time, before.time_nonce), E_V_NONCE);
	CHECK_EQUAL(floor_now(), floor);

	tap_case("what is over at the machine's time is refused, until time is set right");
	order.head.issued += 400 * DAY_SEC;
	order.head.expires += 400 * DAY_SEC;
	CHECK_EQUAL(order_send(&order, NULL), E_V_EXPIRED); /* the variant is */
	CHECK_EQUAL(set_time(before.time, after.time_nonce), E_OK);
	CHECK(rs_resources().time < before.time + DAY_SEC);
	order_of(&order, "busy", ORDER_PREPARE);
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	CHECK_EQUAL(update_wait(order.head.transaction).outcome, RS_OUTCOME_PREPARED);

	tap_case("a date ahead of the machine's time is no reason to refuse, and moves little");
	before = rs_resources();
	order_of(&order, "busy", ORDER_PREPARE);
	order.head.issued += 300 * DAY_SEC;
	order.head.expires += 300 * DAY_SEC;
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	CHECK_EQUAL(update_wait(order.head.transaction).outcome, RS_OUTCOME_PREPARED);
	after = rs_resources();
	CHECK(after.time >= before.time + TIME_SKEW_SEC_MAX);
	CHECK(after.time < before.time + 2 * TIME_SKEW_SEC_MAX);
}

static void case_drop(void)
{
	struct offer offer = *offer_find("busy");
	struct order order;
	uint64_t held;

	tap_case("what a variant names is dropped by an order only");
	order_of(&order, "busy", ORDER_DROP);
	order.component[0].generation = order.component[0].recipe = 0;
	CHECK_EQUAL(stage_drop(offer.payload), E_V_CONTROL);
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	CHECK_EQUAL(stage_drop(offer.payload), E_NOTFOUND);
	CHECK_EQUAL(stage_begin(offer.payload, 100, &held), E_V_UNNAMED);
	order_of(&order, "first", ORDER_DROP);
	order.component[0].generation = order.component[0].recipe = 0;
	CHECK_EQUAL(order_send(&order, NULL), E_BUSY); /* it runs */
}

/* Two large variants of one release, which do not fit beside each other. */
static void case_room(void)
{
	static struct offer one, other;
	static const uint8_t byte;
	err_t total;
	uint64_t held = 0;

	tap_case("a full store forgets what nobody uses, and keeps what others name");
	one = *offer_find("wide");
	other = *offer_find("wider");
	one.payload[0] ^= 2; /* the hashes that were signed */
	other.payload[0] ^= 4;
	total = rs_blob(one.blob, HOOK_STATE, 0, &held, 1);
	CHECK_EQUAL(offer_admit(&one), E_OK);
	CHECK_EQUAL(stage_begin(one.payload, WIDE_LEN, &held), E_OK);
	CHECK_EQUAL(stage_begin(one.description, (uint64_t)total, &held), E_OK);
	CHECK_EQUAL(stage_append(one.description, 0, &byte, 1, &held), E_OK);
	CHECK_EQUAL(offer_admit(&other), E_OK);
	CHECK_EQUAL(stage_begin(other.payload, WIDE_LEN, &held), E_OK);
	CHECK_EQUAL(stage_begin(one.payload, WIDE_LEN, &held), E_V_UNNAMED);
	CHECK_EQUAL(stage_begin(other.description, (uint64_t)total, &held), E_OK);
	CHECK_EQUAL(held, 1);
}

void cases_orders(void)
{
	case_statement();
	case_changed();
	case_refused();
	case_control();
	case_busy();
	case_cancel();
	case_cancel_early();
	case_cancel_late();
	case_checks();
	case_confirm();
	case_time();
	case_drop();
	case_room();
}
