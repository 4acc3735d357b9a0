/*
 * Standing orders in a machine: RS moves assist and ds into one layout after the other, while assist
 * is used, updated, crashed and hurt in the middle of a move.
 */
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"
#include "proto/image/link.h"

#include <string.h>

#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

#define EVERY_MS 150
/* Time for several turns of two services, also when the host is slow. */
#define SOME_TURNS (1500 * NSEC_MSEC)
#define SLACK_FRAMES 24
#define LIFE_SEC 600

static struct {
	struct standing_manifest head;
	struct standing_service service[2];
} standing;
static struct {
	struct rs_standing head;
	struct rs_standing_service service[2];
} told;
static uint64_t n_given;

/* A standing order of the kits, sorted by service, for this boot. */
static void standing_init(const struct kit_manifest *const kits[], uint32_t n)
{
	struct rs_resources resources = rs_resources();

	memset(&standing, 0, sizeof(standing));
	standing.head = (struct standing_manifest){
	        .magic = STANDING_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = (uint32_t)standing_manifest_size(n),
	        .boot_id = resources.boot_id,
	        .epoch = order_epoch(),
	        .number = ++n_given,
	        .issued = resources.time,
	        .expires = resources.time + LIFE_SEC,
	        .every_ms = n > 0 ? EVERY_MS : 0,
	        .jitter_ms = n > 0 ? EVERY_MS / 3 : 0,
	        .n_services = n,
	};
	memcpy(standing.head.machine_id, resources.machine_id, sizeof(resources.machine_id));
	for (uint32_t i = 0; i < n; i++) {
		memcpy(standing.service[i].service, kits[i]->service, SERVICE_NAME_LEN);
		kit_manifest_release_id(kits[i], standing.service[i].release_id);
		standing.service[i].recipe = LINK_RECIPE;
	}
}

static err_t standing_send_by(enum order_key key)
{
	static _Alignas(8) uint8_t envelope[ORDER_ENVELOPE_MAX];
	struct rs_reply reply;
	uint32_t n = order_seal(ENVELOPE_OF_STANDING, ENVELOPE_STANDING, &standing,
	        standing.head.size, &key, 1, envelope);

	return rs_ask_with(RS_STANDING, envelope, n, GRANT_READ, (struct rs_request){0}, &reply);
}

static err_t standing_send(void)
{
	return standing_send_by(ORDER_KEY_ORDER);
}

static void withdraw(void)
{
	standing_init(NULL, 0);
	CHECK_EQUAL(standing_send(), E_OK);
}

static const struct rs_standing *look(void)
{
	struct rs_reply reply = {0};

	memset(&told, 0, sizeof(told));
	CHECK_EQUAL(rs_ask_with(RS_STANDING_STATUS, &told, sizeof(told), GRANT_WRITE,
	                    (struct rs_request){0}, &reply),
	        E_OK);
	CHECK_EQUAL(reply.count, told.head.n_services);
	return &told.head;
}

/* Use assist until service n has been moved so often since it was listed. */
static void until_moved(uint32_t n, uint64_t moved)
{
	nsec_t give_up = sys_clock_read() + 20 * SOME_TURNS;

	while (look()->n_services > n && told.service[n].n_moved < moved &&
	        sys_clock_read() < give_up) {
		assist_count_up();
		pause_for(10 * NSEC_MSEC);
	}
	CHECK(told.service[n].n_moved >= moved);
}

static void case_refused(const struct kit_manifest *const kits[])
{
	tap_case("a standing order needs the order key, this boot, and a number that rises");
	CHECK_EQUAL(look()->state, RS_STANDING_NONE);
	standing_init(kits, 1);
	CHECK_EQUAL(standing_send_by(ORDER_KEY_CONTROL), E_V_ROLE);
	CHECK_EQUAL(standing_send_by(ORDER_KEY_VARIANT), E_V_ROLE);
	standing.head.boot_id ^= 1;
	CHECK_EQUAL(standing_send(), E_V_BOOT);
	standing_init(kits, 1);
	standing.head.expires = standing.head.issued + STANDING_LIFE_SEC_MAX + 1;
	CHECK_EQUAL(standing_send(), E_V_LIFE);
	CHECK_EQUAL(look()->state, RS_STANDING_NONE);
	withdraw();
	CHECK_EQUAL(standing_send(), E_OK); /* the same again */
	CHECK_EQUAL(look()->state, RS_STANDING_WITHDRAWN);
	standing_init(kits, 1);
	standing.head.number = n_given - 2;
	CHECK_EQUAL(standing_send(), E_NOTFOUND);
	CHECK_EQUAL(look()->state, RS_STANDING_WITHDRAWN);
}

static void case_moves(const struct kit_manifest *const kits[])
{
	static const uint8_t zeros[RS_SEALED_LEN];
	uint64_t checksum = assist_checksum(), place = assist_place(), events, frames;
	struct rs_service service = {0};
	uint8_t head[RS_HASH_LEN];

	tap_case("RS moves both services again and again, with all their state, and makes no "
	         "events");
	CHECK_EQUAL(assist_checksum(), checksum);
	events = rs_events_next();
	standing_init(kits, 2);
	CHECK_EQUAL(standing_send(), E_OK);
	CHECK_EQUAL(look()->state, RS_STANDING_RUNNING);
	until_moved(0, 2);
	until_moved(1, 2);
	frames = rs_frames();
	CHECK(rs_service("assist", &service));
	CHECK(service.n_made >= 2 && service.made_first != 0);
	CHECK(service.made_last > service.made_first && service.is_machine_made);
	CHECK(memcmp(service.sealed, zeros, RS_SEALED_LEN) != 0);
	CHECK(memcmp(service.made_head, zeros, RS_HASH_LEN) != 0);
	memcpy(head, service.made_head, sizeof(head));
	CHECK(assist_place() != place);
	until_moved(0, 6);
	until_moved(1, 6);
	CHECK(rs_service("assist", &service));
	CHECK(memcmp(service.made_head, head, sizeof(head)) != 0);
	CHECK_EQUAL(service.generation, 2);
	CHECK_EQUAL(rs_events_next(), events);
	CHECK_EQUAL(told.service[0].n_failed + told.service[1].n_failed, 0);
	withdraw();
	CHECK(rs_frames() + SLACK_FRAMES >= frames && rs_frames() <= frames + SLACK_FRAMES);
}

/* Orders come first; a service that got another release is left alone. */
static void case_orders(const struct kit_manifest *const kits[])
{
	struct kit_manifest other = *kits[0];
	const struct kit_manifest *const others[] = {&other, kits[1]};
	struct rs_service service = {0};
	struct rs_result result;
	struct order order;

	tap_case("an order goes first, and begins to count anew");
	standing_init(kits, 2);
	CHECK_EQUAL(standing_send(), E_OK);
	until_moved(0, 1);
	order_kit(&order, ORDER_UPDATE, kits[0], 3);
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	result = update_wait(order.head.transaction);
	CHECK_EQUAL(result.outcome, RS_OUTCOME_COMMITTED);
	CHECK_EQUAL(result.generation, 3);
	until_moved(0, told.service[0].n_moved + 2);
	CHECK(rs_service("assist", &service));
	CHECK_EQUAL(service.generation, 3);
	CHECK(service.n_made >= 1 && service.n_made <= 3);
	CHECK_EQUAL(order_simple(ORDER_CONFIRM, NULL, order.head.transaction), E_OK);

	tap_case("a service that runs another release now is left alone, until it is listed with "
	         "it");
	other.counter++;
	kit_admit(&other);
	order_kit(&order, ORDER_UPDATE, &other, 4);
	CHECK_EQUAL(order_send(&order, NULL), E_OK);
	CHECK_EQUAL(update_wait(order.head.transaction).outcome, RS_OUTCOME_COMMITTED);
	pause_for(3 * EVERY_MS * NSEC_MSEC);
	(void)look();
	CHECK_EQUAL(told.service[0].err, E_V_RELEASE);
	CHECK(rs_service("assist", &service) && service.n_made == 0);
	until_moved(1, told.service[1].n_moved + 1);
	standing_init(others, 2);
	CHECK_EQUAL(standing_send(), E_OK);
	until_moved(0, 1);
	CHECK(rs_service("assist", &service) && service.n_made >= 1);
	withdraw();
}

/* Sent again and again while moves run: who has seen it once can do so. */
static void case_refused_again(const struct kit_manifest *const kits[])
{
	struct kit_manifest other = *kits[0];
	struct order order;
	nsec_t end;

	tap_case("orders that are refused end no move, however often they are sent");
	other.counter += 7;
	order_kit(&order, ORDER_UPDATE, &other, 9);
	standing_init(kits, 2);
	CHECK_EQUAL(standing_send(), E_OK);
	end = sys_clock_read() + SOME_TURNS;
	while (sys_clock_read() < end) {
		err_t err = order_send(&order, NULL);

		CHECK(err == E_V_UNADMITTED || err == E_RATE);
	}
	until_moved(0, 1);
	until_moved(1, 1);
	CHECK_EQUAL(told.service[0].n_skipped + told.service[1].n_skipped, 0);
	withdraw();
}

/* What goes wrong in a move leaves the old layout; what crashes is recovered, and moved again. */
static void case_harm(const struct kit_manifest *const kits[])
{
	struct kit_manifest other = *kits[0];
	const struct kit_manifest *const others[] = {&other};
	struct assist_reply reply;
	struct rs_service service = {0};
	uint64_t checksum = assist_checksum(), made;

	other.counter++;
	tap_case("a move that fails leaves the old layout, and is tried again later");
	CHECK(rs_service("assist", &service));
	made = service.n_made;
	rs_arm(RS_STEP_TRANSFER, HOOK_NEW, HOOK_CRASH);
	standing_init(others, 1);
	CHECK_EQUAL(standing_send(), E_OK);
	while (look()->n_services == 1 && told.service[0].n_failed == 0) {
		pause_for(10 * NSEC_MSEC);
	}
	CHECK_EQUAL(told.service[0].err, E_CRASHED);
	CHECK(rs_harm_was_done());
	CHECK(rs_service("assist", &service));
	CHECK(service.n_made - made <= told.service[0].n_moved);
	CHECK_EQUAL(assist_checksum(), checksum);
	until_moved(0, 1);
	CHECK_EQUAL(told.service[0].err, E_OK);
	CHECK_EQUAL(assist_checksum(), checksum);

	tap_case("a crash of the service is recovered as ever, and it goes on moving");
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, ASSIST_CRASH_NULL, 0, &reply), E_RESTART);
	assist_settle();
	CHECK_EQUAL(assist_ask(ASSIST_BUILD, 42, 300, &reply), E_OK);
	until_moved(0, told.service[0].n_moved + 2);

	tap_case("nothing moves when it was withdrawn");
	withdraw();
	CHECK_EQUAL(look()->state, RS_STANDING_WITHDRAWN);
	CHECK(rs_service("assist", &service));
	made = service.n_made;
	pause_for(4 * EVERY_MS * NSEC_MSEC);
	CHECK(rs_service("assist", &service) && service.n_made == made);
}

void cases_standing(void)
{
	struct kit_manifest assist = kit_of("assist"), ds = kit_of("ds");
	const struct kit_manifest *const kits[] = {&assist, &ds};
	struct order order;

	for (uint32_t i = 0; i < 2; i++) {
		kit_admit(kits[i]);
		order_kit(&order, ORDER_UPDATE, kits[i], 2);
		CHECK_EQUAL(order_send(&order, NULL), E_OK);
		CHECK_EQUAL(update_wait(order.head.transaction).outcome, RS_OUTCOME_COMMITTED);
	}
	case_refused(kits);
	case_moves(kits);
	case_refused_again(kits);
	case_orders(kits);
	case_harm(kits);
}
