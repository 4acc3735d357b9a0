/*
 * Moves on a standing order. RS gives each listed service a new layout every so often, with a
 * transaction like any other (update/move.c), and tells counts instead of events. What it may move
 * was signed: a service, and the release that it must be running; so a standing order brings
 * nothing into the machine that does not run there already.
 *
 *	          given, or another one in its place
 *	 NONE ──────────────▶ RUNNING ◀──▶ QUIET      nothing moves in a quiet time
 *	                         │           │
 *	                         ▼           ▼
 *	      WITHDRAWN, EXPIRED, OLD_ROOT: nothing moves any more; the counts stay
 *
 * One move runs at a time, and never beside a transaction that somebody ordered: an order in the
 * way costs a service this turn (a skip), and one that comes while a move runs ends the move, or
 * waits for the moment that it still takes. Whoever has signed nothing can neither end a move nor
 * keep one from its turn. A turn that fails leaves the old layout; the service's
 * next turn comes twice as late after each failure in a row, up to STANDING_BACKOFF_MAX.
 * Altogether moves take half of the time at most: after each RS rests for as long as it took.
 *
 * The end is counted by the machine's own clock from when the order came, so no time statement
 * prolongs it; a stopped machine comes back to an order that may be over. Services that stand in the
 * order before, too, keep their counts and their next turn, so that renewing one changes nothing.
 */
#include "osd/servers/rs/standing/standing.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/handler.h"
#include "osd/servers/rs/base/limit.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/trust/trust.h"
#include "osd/servers/rs/update/update.h"

#define STANDING_BACKOFF_MAX (600 * NSEC_SEC)
/* Failures in a row beyond this make no turn later. */
#define STANDING_BACKOFF_SHIFT_MAX 6
#define STANDING_DAY_SEC 86400
#define STANDING_NOBODY UINT32_MAX

/* A listed service, by its place in the order. */
struct standing_turn {
	struct standing_service service;
	struct rs_standing_service told; /* counts and times, as they are told */
	nsec_t due;                      /* told.next and what was drawn: told to nobody */
	uint32_t n_failed_in_row;
};

static struct {
	enum rs_standing_state state; /* RUNNING and QUIET are told apart when it is asked */
	struct standing_manifest order;
	nsec_t ends;
	nsec_t rest_until; /* no move begins before */
	nsec_t begun;      /* of the move that runs */
	uint32_t moving;   /* whose; STANDING_NOBODY */
	struct standing_turn turns[STANDING_SERVICES_MAX];
} standing = {.moving = STANDING_NOBODY};

static nsec_t standing_earlier(nsec_t a, nsec_t b)
{
	return a < b ? a : b;
}

static nsec_t standing_later(nsec_t a, nsec_t b)
{
	return a > b ? a : b;
}

static bool standing_is_on(void)
{
	return standing.state == RS_STANDING_RUNNING;
}

static nsec_t standing_every(void)
{
	return standing.order.every_ms * NSEC_MSEC;
}

/*
 * The turn comes at `from`, or later by as much as is drawn. Only `from` is told: the jitter is there so that
 * nobody can time what he does by the next move.
 */
static void standing_turn_set(struct standing_turn *turn, nsec_t from)
{
	nsec_t jitter = standing.order.jitter_ms * NSEC_MSEC;

	turn->told.next = from;
	turn->due = from + (jitter == 0 ? 0 : sys_random() % jitter);
}

/* Until which second from now on a quiet time lasts; 0: there is none now. */
static uint64_t standing_quiet_sec(void)
{
	uint64_t day_sec = trust_time(&machine.trust, rs_uptime()) % STANDING_DAY_SEC;
	uint64_t left = 0;

	for (uint32_t i = 0; i < standing.order.n_quiet; i++) {
		const struct standing_quiet *quiet = &standing.order.quiet[i];
		uint64_t length =
		        (quiet->until_sec + STANDING_DAY_SEC - quiet->from_sec) % STANDING_DAY_SEC;
		uint64_t into = (day_sec + STANDING_DAY_SEC - quiet->from_sec) % STANDING_DAY_SEC;

		if (into < length && length - into > left) {
			left = length - into;
		}
	}
	return left;
}

/* Over by time, or by a newer root: ask before anything is begun or told. */
static void standing_look(nsec_t now)
{
	if (!standing_is_on()) {
		return;
	}
	if (!trust_standing_holds(&machine.trust, standing.order.epoch)) {
		standing.state = RS_STANDING_OLD_ROOT;
	} else if (now >= standing.ends) {
		standing.state = RS_STANDING_EXPIRED;
	}
}

static void standing_moved(struct standing_turn *turn, nsec_t now)
{
	turn->n_failed_in_row = 0;
	turn->told.n_moved++;
	turn->told.moved_at = now;
	turn->told.err = E_OK;
	standing_turn_set(turn, now + standing_every());
}

static void standing_skipped(struct standing_turn *turn, nsec_t now)
{
	turn->told.n_skipped++;
	standing_turn_set(turn, now + standing_every());
}

/* The old layout stays. Who cannot be moved is asked less and less often. */
static void standing_failed(struct standing_turn *turn, err_t err, nsec_t now)
{
	nsec_t every = standing_every(), pause = every << turn->n_failed_in_row;

	if (turn->n_failed_in_row < STANDING_BACKOFF_SHIFT_MAX) {
		turn->n_failed_in_row++;
	}
	turn->told.n_failed++;
	turn->told.failed_at = now;
	turn->told.err = err;
	standing_turn_set(
	        turn, now + standing_later(every, standing_earlier(pause, STANDING_BACKOFF_MAX)));
}

/* A move that an order ended is a turn that was skipped, not one that failed. */
static void standing_settle(nsec_t now)
{
	struct standing_turn *turn = &standing.turns[standing.moving];
	const struct rs_result *result = update_moved();

	standing.moving = STANDING_NOBODY;
	standing.rest_until = now + (now - standing.begun);
	if (result->outcome == RS_OUTCOME_COMMITTED) {
		standing_moved(turn, now);
	} else if (result->err == E_CANCELLED) {
		standing_skipped(turn, now);
	} else {
		standing_failed(turn, result->err, now);
	}
}

/* Who has waited longest for a turn that is due; STANDING_NOBODY. */
static uint32_t standing_due(nsec_t now)
{
	uint32_t first = STANDING_NOBODY;

	for (uint32_t i = 0; i < standing.order.n_services; i++) {
		nsec_t due = standing.turns[i].due;

		if (due <= now && (first == STANDING_NOBODY || due < standing.turns[first].due)) {
			first = i;
		}
	}
	return first;
}

/* Begin a move, or note why not. */
static void standing_begin(uint32_t n, nsec_t now)
{
	struct standing_turn *turn = &standing.turns[n];
	struct trust_variant *kit;
	err_t err = trust_standing_service(&machine.trust, &turn->service, rs_uptime(), &kit);

	if (err == E_OK) {
		err = update_move(turn->service.service, kit);
	}
	if (err != E_OK) {
		standing_failed(turn, err, now);
		return;
	}
	standing.moving = n;
	standing.begun = now;
}

/* Turns that come due in a quiet time come when it is over. */
static void standing_turn_off(uint32_t n, nsec_t now, uint64_t quiet_sec)
{
	standing_turn_set(&standing.turns[n], now + quiet_sec * NSEC_SEC);
}

/* Is nothing under way that was ordered? A check, which nobody signed, gives way. */
static bool standing_has_way(void)
{
	update_give_way("a turn of the standing order came");
	return update_running().number == 0;
}

/* One turn that is due. False: nothing is, or a move is under way. */
static bool standing_step(nsec_t now)
{
	uint32_t n = standing_due(now);
	uint64_t quiet_sec;

	if (n == STANDING_NOBODY || standing.moving != STANDING_NOBODY ||
	        now < standing.rest_until) {
		return false;
	}
	quiet_sec = standing_quiet_sec();
	if (quiet_sec != 0) {
		standing_turn_off(n, now, quiet_sec);
	} else if (!standing_has_way()) {
		standing_skipped(&standing.turns[n], now);
	} else {
		standing_begin(n, now);
		update_run();
	}
	return true;
}

void standing_run(void)
{
	nsec_t now;

	if (!standing_is_on() && standing.moving == STANDING_NOBODY) {
		return;
	}
	do {
		now = sys_clock_read();
		if (standing.moving != STANDING_NOBODY && !update_is_moving()) {
			standing_settle(now);
		}
		standing_look(now);
	} while (standing_is_on() && standing_step(now));
}

nsec_t standing_next_deadline(void)
{
	nsec_t next = standing.ends;

	if (!standing_is_on()) {
		return NSEC_NEVER;
	}
	if (standing.moving != STANDING_NOBODY) {
		return NSEC_NEVER; /* the transaction has limits of its own */
	}
	for (uint32_t i = 0; i < standing.order.n_services; i++) {
		nsec_t turn = standing_later(standing.turns[i].due, standing.rest_until);

		next = standing_earlier(next, turn);
	}
	return next;
}

void standing_extend(nsec_t by)
{
	if (standing.moving != STANDING_NOBODY) {
		standing.begun = limit_extend(standing.begun, by); /* it took no longer */
	}
	for (uint32_t i = 0; i < standing.order.n_services; i++) {
		struct standing_turn *turn = &standing.turns[i];

		turn->due = limit_extend(turn->due, by);
		turn->told.next = limit_extend(turn->told.next, by);
	}
}

/* The turn that a service of this release had in the order before; NULL: it is new. */
static const struct standing_turn *standing_find(
        const struct standing_turn *turns, uint32_t n, const struct standing_service *service)
{
	for (uint32_t i = 0; i < n; i++) {
		if (memcmp(&turns[i].service, service, sizeof(*service)) == 0) {
			return &turns[i];
		}
	}
	return NULL;
}

/*
 * A service's first turn: spread over the time between two, so that not all move at once. One that
 * stood in an order of the same pace goes on where it was.
 */
static void standing_turn_init(struct standing_turn *turn, const struct standing_turn *before,
        bool is_same_pace, nsec_t first)
{
	struct standing_service service = turn->service;

	if (before != NULL) {
		*turn = *before;
	} else {
		*turn = (struct standing_turn){.service = service};
		memcpy(turn->told.service, service.service, SERVICE_NAME_LEN);
		memcpy(turn->told.release_id, service.release_id, RS_HASH_LEN);
	}
	if (before == NULL || !is_same_pace) {
		turn->n_failed_in_row = 0;
		standing_turn_set(turn, first);
	}
}

/*
 * How long it lasts from now on: never longer than its life, which is a day at most. A date ahead is
 * no reason to refuse it, so it says nothing of when it ends.
 */
static nsec_t standing_left(const struct standing_manifest *order)
{
	uint64_t time = trust_time(&machine.trust, rs_uptime());
	uint64_t from = order->issued > time ? order->issued : time;

	return order->expires > from ? (order->expires - from) * NSEC_SEC : 0;
}

/* Take over a standing order that was verified and is new. */
static void standing_give(const struct standing_manifest *order, nsec_t now)
{
	static struct standing_turn before[STANDING_SERVICES_MAX];
	uint32_t n_before = standing.order.n_services, n = order->n_services;
	bool is_same_pace = standing_is_on() && standing.order.every_ms == order->every_ms &&
	                    standing.order.jitter_ms == order->jitter_ms;

	memcpy(before, standing.turns, sizeof(before));
	memset(standing.turns, 0, sizeof(standing.turns));
	standing.order = *order;
	standing.ends = now + standing_left(order);
	standing.state = n > 0 ? RS_STANDING_RUNNING : RS_STANDING_WITHDRAWN;
	for (uint32_t i = 0; i < n; i++) {
		struct standing_turn *turn = &standing.turns[i];

		turn->service = standing_services(order)[i];
		standing_turn_init(turn, standing_find(before, n_before, &turn->service),
		        is_same_pace, now + standing_every() * (i + 1) / n);
	}
}

/* No move may run while turns change their places. E_RATE: it has come to the switch; ask again. */
static err_t standing_stop(struct rs_reply *ret_reply)
{
	if (standing.moving == STANDING_NOBODY) {
		return E_OK;
	}
	update_give_way("another standing order came");
	if (update_is_moving()) {
		ret_reply->a = UPDATE_MOVE_MS;
		return E_RATE;
	}
	standing_settle(sys_clock_read());
	return E_OK;
}

/*
 * RS_STANDING: a standing order, in place of the one before. The same one again changes nothing, and
 * nor does one that is refused: no move ends for what nobody signed.
 */
err_t rs_on_standing(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	const struct standing_manifest *order;
	const void *bytes;
	bool is_new;
	err_t err = handler_envelope(who, request, &bytes);

	if (err == E_OK) {
		err = trust_standing(
		        &machine.trust, bytes, request->bytes, rs_uptime(), &order, &is_new);
	}
	if (err != E_OK || !is_new) {
		return err;
	}
	err = standing_stop(ret_reply);
	if (err == E_OK) {
		trust_standing_accept(&machine.trust, order);
		standing_give(order, sys_clock_read());
	}
	return err;
}

/* What is told of the order as a whole. */
static void standing_describe(struct rs_standing *ret_record)
{
	const struct standing_manifest *order = &standing.order;

	*ret_record = (struct rs_standing){
	        .epoch = order->epoch,
	        .number = order->number,
	        .expires = order->expires,
	        .state = standing.state,
	        .every_ms = order->every_ms,
	        .jitter_ms = order->jitter_ms,
	        .n_services = order->n_services,
	        .n_quiet = order->n_quiet,
	};
	memcpy(ret_record->quiet, order->quiet, sizeof(ret_record->quiet));
	if (standing_is_on() && standing_quiet_sec() != 0) {
		ret_record->state = RS_STANDING_QUIET;
	}
}

/* RS_STANDING_STATUS: the order and its services, as many as there is room for. */
err_t rs_on_standing_status(
        endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	struct rs_standing record;
	uint64_t at = sizeof(record);
	err_t err;

	if (request->bytes < sizeof(record)) {
		return E_INVAL;
	}
	standing_look(sys_clock_read());
	standing_describe(&record);
	err = sys_copy_to_grant(who, request->grant, 0, &record, sizeof(record));
	for (uint32_t i = 0; err == E_OK && i < record.n_services; i++) {
		const struct rs_standing_service *told = &standing.turns[i].told;

		if (request->bytes - at < sizeof(*told)) {
			break;
		}
		err = sys_copy_to_grant(who, request->grant, at, told, sizeof(*told));
		at += sizeof(*told);
		ret_reply->count++;
	}
	return err;
}
