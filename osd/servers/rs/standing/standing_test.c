#undef NDEBUG
/*
 * Turns of a standing order, by a clock of the test's own. What is believed and the moves are played:
 * a move runs until the test ends it, and ends as the test says.
 */
#include "osd/servers/rs/standing/standing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/handler.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/update/update.h"

#define MIDNIGHT (UINT64_C(20000) * 86400)

struct machine machine;

static struct {
	struct standing_manifest head;
	struct standing_service service[3];
} order;
static struct {
	struct rs_standing head;
	struct rs_standing_service service[3];
} told;
static nsec_t now;
static uint64_t unix_sec, jitter_draw;
static bool is_new, holds, is_ordered, is_checking, is_moving, is_switched;
static err_t trust_err, kit_err, move_err;
static char moved[SERVICE_NAME_LEN]; /* whom the move is of */
static uint32_t n_moves, n_accepted;
static struct rs_result result;
static struct trust_variant kit;

/* The kernel: a clock, a random word, and copies. */
void host_enter(struct host_registers *r)
{
	switch ((uint32_t)r->rax) {
	case KCALL_clock_read:
		r->rax = now;
		break;
	case KCALL_random:
		r->rax = 0;
		r->rdx = jitter_draw;
		break;
	case KCALL_copy_to_grant:
		memcpy((uint8_t *)&told + r->rdx, (const void *)r->r10, r->r8);
		r->rax = E_OK;
		break;
	default:
		abort();
	}
}

uint64_t rs_uptime(void)
{
	return now / NSEC_SEC;
}

uint64_t trust_time(const struct trust_state *t, uint64_t uptime)
{
	return unix_sec + uptime;
}

err_t handler_envelope(endpoint_t who, const struct rs_request *request, const void **ret_bytes)
{
	return E_OK;
}

err_t trust_standing(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        const struct standing_manifest **ret_standing, bool *ret_is_new)
{
	*ret_standing = &order.head;
	*ret_is_new = is_new;
	return trust_err;
}

void trust_standing_accept(struct trust_state *t, const struct standing_manifest *standing)
{
	assert(standing == &order.head && !is_moving);
	n_accepted++;
}

bool trust_standing_holds(const struct trust_state *t, uint64_t epoch)
{
	return holds;
}

err_t trust_standing_service(struct trust_state *t, const struct standing_service *service,
        uint64_t uptime, struct trust_variant **ret_kit)
{
	*ret_kit = &kit;
	return kit_err;
}

struct trust_number update_running(void)
{
	return (struct trust_number){is_ordered ? 7 : 0, is_ordered || is_checking || is_moving};
}

err_t update_move(const char name[SERVICE_NAME_LEN], struct trust_variant *v)
{
	assert(v == &kit && !is_moving && !is_checking && !is_ordered);
	if (move_err != E_OK) {
		return move_err;
	}
	memcpy(moved, name, SERVICE_NAME_LEN);
	is_moving = true;
	n_moves++;
	return E_OK;
}

bool update_is_moving(void)
{
	return is_moving;
}

const struct rs_result *update_moved(void)
{
	return &result;
}

void update_run(void)
{
}

/* The move ends: as it should, or with an error. */
static void move_end(err_t err)
{
	assert(is_moving);
	is_moving = false;
	result.outcome = err == E_OK ? RS_OUTCOME_COMMITTED : RS_OUTCOME_ROLLED_BACK;
	result.err = err;
	standing_run();
}

void update_give_way(const char *why)
{
	is_checking = false;
	if (is_moving && !is_switched) {
		is_moving = false;
		result.outcome = RS_OUTCOME_ROLLED_BACK;
		result.err = E_CANCELLED;
	}
}

/* What RS tells of it, into `told`. */
static void ask(void);

/* The whole machine anew, at noon, with an order of two services every 20 s. */
static void begin(void)
{
	memset(&order, 0, sizeof(order));
	order.head.every_ms = 20000;
	order.head.n_services = 2;
	order.head.epoch = 7;
	order.head.number++;
	strcpy(order.service[0].service, "ds");
	strcpy(order.service[1].service, "tty");
	order.service[0].release_id[0] = order.service[1].release_id[0] = 1;
	unix_sec = MIDNIGHT + 43200 - now / NSEC_SEC;
	order.head.expires = MIDNIGHT + 43200 + 3600;
	is_new = holds = true;
	is_ordered = is_checking = is_moving = is_switched = false;
	trust_err = kit_err = move_err = E_OK;
	jitter_draw = n_moves = 0;
}

static err_t give(void)
{
	static const struct rs_request request;
	struct rs_reply reply = {0};

	return rs_on_standing(1, &request, &reply);
}

static const struct rs_standing_service *service(uint32_t n)
{
	ask();
	return &told.service[n];
}

static uint32_t state(void)
{
	ask();
	return told.head.state;
}

static void at(nsec_t when)
{
	now = when;
	standing_run();
}

/* An order that is new, at a time that the test counts from. Nothing of the one before counts. */
static nsec_t start(void)
{
	begin();
	order.head.n_services = 0;
	order.head.every_ms = 0;
	assert(give() == E_OK && state() == RS_STANDING_WITHDRAWN);
	begin();
	assert(give() == E_OK && state() == RS_STANDING_RUNNING);
	return now;
}

/* One after the other, spread over the time between two turns. */
static void test_turns(void)
{
	nsec_t t0 = start();

	assert(standing_next_deadline() == t0 + 10 * NSEC_SEC);
	at(t0 + 10 * NSEC_SEC - 1);
	assert(!is_moving);
	at(t0 + 10 * NSEC_SEC);
	assert(is_moving && strcmp(moved, "ds") == 0 && standing_next_deadline() == NSEC_NEVER);
	now += 30 * NSEC_MSEC;
	move_end(E_OK);
	assert(service(0)->n_moved == 1 && service(0)->moved_at == now && service(0)->err == E_OK);
	assert(service(0)->next == now + 20 * NSEC_SEC);
	assert(standing_next_deadline() == t0 + 20 * NSEC_SEC);
	at(t0 + 20 * NSEC_SEC);
	assert(is_moving && strcmp(moved, "tty") == 0);
	move_end(E_OK);
	assert(service(1)->n_moved == 1 && service(1)->n_skipped == 0);
}

/* Jitter is added to each turn, and what was drawn of it is told to nobody. */
static void test_jitter(void)
{
	nsec_t t0;

	(void)start();
	order.head.jitter_ms = 5000;
	jitter_draw = 12 * NSEC_SEC; /* 2 s of 5 */
	t0 = now;
	assert(give() == E_OK && standing_next_deadline() == t0 + 12 * NSEC_SEC);
	assert(service(0)->next == t0 + 10 * NSEC_SEC && service(1)->next == t0 + 20 * NSEC_SEC);
	at(t0 + 12 * NSEC_SEC);
	move_end(E_OK);
	assert(service(0)->next == t0 + 32 * NSEC_SEC);
	is_ordered = true;
	at(t0 + 22 * NSEC_SEC);
	assert(service(1)->n_skipped == 1 && service(1)->next == t0 + 42 * NSEC_SEC);
	is_ordered = false;
	at(t0 + 34 * NSEC_SEC - 1);
	assert(!is_moving);
	at(t0 + 34 * NSEC_SEC);
	assert(is_moving && strcmp(moved, "ds") == 0);
	move_end(E_CRASHED);
	assert(service(0)->n_failed == 1 && service(0)->next == t0 + 54 * NSEC_SEC);
	order.head.n_quiet = 1;
	order.head.quiet[0] = (struct standing_quiet){.from_sec = 43200, .until_sec = 43900};
	assert(give() == E_OK && standing_next_deadline() == t0 + 44 * NSEC_SEC);
	at(t0 + 44 * NSEC_SEC);
	at(t0 + 56 * NSEC_SEC);
	assert(!is_moving && service(0)->next == service(1)->next);
	t0 = service(1)->next;
	at(t0 + 2 * NSEC_SEC - 1);
	assert(!is_moving);
	at(t0 + 2 * NSEC_SEC);
	assert(is_moving);
	move_end(E_OK);
}

/* RS rests after a move for as long as it took: moves take half of its time at most. */
static void test_rest(void)
{
	nsec_t t0 = start();

	at(t0 + 20 * NSEC_SEC);
	assert(is_moving && strcmp(moved, "ds") == 0);
	now += 40 * NSEC_MSEC;
	move_end(E_OK);
	assert(!is_moving && standing_next_deadline() == now + 40 * NSEC_MSEC);
	at(now + 40 * NSEC_MSEC);
	assert(is_moving && strcmp(moved, "tty") == 0);
	move_end(E_OK);
}

/* An order in the way costs the turn, and so does one that ends a move. */
static void test_skips(void)
{
	nsec_t t0 = start();

	is_ordered = true;
	at(t0 + 10 * NSEC_SEC);
	assert(!is_moving && service(0)->n_skipped == 1 && service(0)->n_failed == 0);
	assert(service(0)->next == t0 + 30 * NSEC_SEC);
	is_ordered = false;
	at(t0 + 20 * NSEC_SEC);
	move_end(E_CANCELLED);
	assert(service(1)->n_skipped == 1 && service(1)->n_failed == 0 && service(1)->n_moved == 0);
	assert(service(1)->next == now + 20 * NSEC_SEC);
	/* A check, which nobody has to sign for, costs none. */
	is_checking = true;
	at(t0 + 30 * NSEC_SEC);
	assert(is_moving && strcmp(moved, "ds") == 0 && service(0)->n_skipped == 1);
	move_end(E_OK);
}

/* Each failure in a row makes the next turn later, within bounds; a move ends the row. */
static void test_failures(void)
{
	nsec_t pauses[] = {20, 40, 80, 160, 320, 600, 600, 600};
	nsec_t t0 = start();

	order.head.n_services = 1;
	order.head.expires = MIDNIGHT + 43200 + 86400;
	assert(give() == E_OK);
	now = t0;
	for (uint32_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
		at(service(0)->next);
		assert(is_moving);
		move_end(E_TIMEOUT);
		assert(service(0)->err == E_TIMEOUT && service(0)->n_failed == i + 1);
		assert(service(0)->failed_at == now);
		assert(service(0)->next == now + pauses[i] * NSEC_SEC);
	}
	/* However many there were. */
	for (uint32_t i = 0; i < 64; i++) {
		at(service(0)->next);
		move_end(E_TIMEOUT);
		assert(service(0)->next == now + 600 * NSEC_SEC);
	}
	at(service(0)->next);
	move_end(E_OK);
	assert(service(0)->err == E_OK && service(0)->next == now + 20 * NSEC_SEC);
	/* What is refused before it begins counts alike. */
	kit_err = E_V_FLOOR;
	at(service(0)->next);
	assert(!is_moving && service(0)->err == E_V_FLOOR);
	kit_err = E_OK;
	move_err = E_V_RELEASE;
	at(service(0)->next);
	assert(!is_moving && service(0)->err == E_V_RELEASE);
	assert(service(0)->next == now + 40 * NSEC_SEC);
}

/* In a quiet time nothing moves; what came due moves when it is over. */
static void test_quiet(void)
{
	nsec_t t0;

	(void)start();
	order.head.n_quiet = 2;
	order.head.quiet[0] = (struct standing_quiet){.from_sec = 86000, .until_sec = 600};
	order.head.quiet[1] = (struct standing_quiet){.from_sec = 43210, .until_sec = 43300};
	t0 = now;
	assert(give() == E_OK && state() == RS_STANDING_RUNNING);
	at(t0 + 10 * NSEC_SEC);
	assert(!is_moving && state() == RS_STANDING_QUIET);
	assert(service(0)->next == t0 + 100 * NSEC_SEC && service(0)->n_skipped == 0);
	at(t0 + 20 * NSEC_SEC);
	assert(service(1)->next == t0 + 100 * NSEC_SEC);
	at(t0 + 100 * NSEC_SEC);
	assert(is_moving && state() == RS_STANDING_RUNNING);
	move_end(E_OK);
	/* Over midnight, from both sides. */
	unix_sec = MIDNIGHT + 86000 - now / NSEC_SEC;
	assert(state() == RS_STANDING_QUIET);
	unix_sec = MIDNIGHT + 599 - now / NSEC_SEC;
	assert(state() == RS_STANDING_QUIET);
	unix_sec = MIDNIGHT + 600 - now / NSEC_SEC;
	assert(state() == RS_STANDING_RUNNING);
}

/* Of two quiet times that overlap the one that ends later counts, in either order. */
static void test_quiet_overlap(void)
{
	const struct standing_quiet shorter = {.from_sec = 43190, .until_sec = 43300},
	                            longer = {.from_sec = 43000, .until_sec = 43400};

	for (uint32_t i = 0; i < 2; i++) {
		nsec_t t0 = start();

		order.head.n_quiet = 2;
		order.head.quiet[i] = longer;
		order.head.quiet[1 - i] = shorter;
		assert(give() == E_OK);
		at(t0 + 20 * NSEC_SEC);
		assert(!is_moving && service(0)->next == t0 + 200 * NSEC_SEC);
	}
}

/* An end: by time, whatever the time is set to; by a newer root; by the order's own word. */
static void test_ends(void)
{
	nsec_t t0 = start();

	unix_sec -= 1800; /* a time statement */
	at(t0 + 3600 * NSEC_SEC);
	assert(state() == RS_STANDING_EXPIRED && !is_moving);
	assert(standing_next_deadline() == NSEC_NEVER);
	/* A date ahead makes its life no longer: it ends a day from now, not a day from then. */
	(void)start();
	order.head.issued = MIDNIGHT + 43200 + UINT64_C(400) * 366 * 86400;
	order.head.expires = order.head.issued + 86400;
	t0 = now;
	assert(give() == E_OK);
	at(t0 + 86400 * NSEC_SEC - 1);
	assert(state() == RS_STANDING_RUNNING);
	move_end(E_OK);
	at(t0 + 86400 * NSEC_SEC);
	assert(state() == RS_STANDING_EXPIRED);
	t0 = start();
	holds = false;
	at(t0 + 10 * NSEC_SEC);
	assert(state() == RS_STANDING_OLD_ROOT && !is_moving);
	t0 = start();
	at(t0 + 10 * NSEC_SEC);
	move_end(E_OK);
	order.head.n_services = order.head.every_ms = 0;
	assert(give() == E_OK && state() == RS_STANDING_WITHDRAWN);
	at(t0 + 1000 * NSEC_SEC);
	assert(!is_moving && standing_next_deadline() == NSEC_NEVER);
	/* What is refused changes nothing. */
	t0 = start();
	trust_err = E_V_SIGNATURE;
	order.head.n_services = 0;
	assert(give() == E_V_SIGNATURE && state() == RS_STANDING_RUNNING);
	assert(standing_next_deadline() == t0 + 10 * NSEC_SEC);
	trust_err = E_OK;
	is_new = false;
	assert(give() == E_OK && state() == RS_STANDING_RUNNING);
}

/* Who is listed again goes on where it was; another pace or another release begins anew. */
static void test_replaced(void)
{
	nsec_t t0 = start();

	at(t0 + 10 * NSEC_SEC);
	move_end(E_OK);
	now += 5 * NSEC_SEC;
	order.service[1].release_id[0] = 2;
	assert(give() == E_OK);
	assert(service(0)->n_moved == 1 && service(0)->next == t0 + 30 * NSEC_SEC);
	assert(service(1)->n_moved == 0 && service(1)->next == now + 20 * NSEC_SEC);
	order.head.every_ms = 1000;
	assert(give() == E_OK);
	assert(service(0)->n_moved == 1 && service(0)->next == now + 500 * NSEC_MSEC);
	order.head.jitter_ms = 1;
	now += 100 * NSEC_MSEC;
	assert(give() == E_OK && service(0)->next == now + 500 * NSEC_MSEC);
}

/* An order that was over for long leaves its counts, and no turns that are long due. */
static void test_replaced_late(void)
{
	nsec_t t0 = start();

	at(t0 + 10 * NSEC_SEC);
	move_end(E_OK);
	at(t0 + 7200 * NSEC_SEC);
	assert(state() == RS_STANDING_EXPIRED);
	order.head.expires += 7200;
	assert(give() == E_OK && service(0)->n_moved == 1);
	assert(service(0)->next == now + 10 * NSEC_SEC);
}

/* The move in whose middle the order ends is counted like any other. */
static void test_last_move(void)
{
	nsec_t t0 = start();

	at(t0 + 10 * NSEC_SEC);
	at(t0 + 3600 * NSEC_SEC);
	assert(is_moving && state() == RS_STANDING_EXPIRED);
	move_end(E_OK);
	assert(service(0)->n_moved == 1 && standing_next_deadline() == NSEC_NEVER);
}

/* An answer has as many services as the grant has room for. */
static void test_room(void)
{
	struct rs_request request = {.bytes = sizeof(told.head) + 2 * sizeof(told.service[0]) - 1};
	struct rs_reply reply = {0};

	(void)start();
	memset(&told, 0, sizeof(told));
	assert(rs_on_standing_status(1, &request, &reply) == E_OK && reply.count == 1);
	assert(told.service[0].next != 0 && told.service[1].next == 0);
}

/* A move under way gives way to another standing order, or it is over in a moment. */
static void test_replaced_while_moving(void)
{
	nsec_t t0 = start();

	at(t0 + 10 * NSEC_SEC);
	is_switched = true;
	n_accepted = 0;
	assert(is_moving && give() == E_RATE && n_accepted == 0);
	is_switched = false;
	/* What is refused ends no move, and nor does the order that it is made for. */
	trust_err = E_V_SIGNATURE;
	assert(give() == E_V_SIGNATURE && is_moving);
	trust_err = E_OK;
	is_new = false;
	assert(give() == E_OK && is_moving && n_accepted == 0);
	is_new = true;
	assert(give() == E_OK && !is_moving && n_accepted == 1);
	assert(service(0)->n_skipped == 1 && service(0)->n_moved == 0);
}

/* A machine that stood still: turns are due later, the end is not. */
static void test_stopped(void)
{
	nsec_t t0 = start();

	standing_extend(7 * NSEC_SEC);
	assert(standing_next_deadline() == t0 + 17 * NSEC_SEC);
	standing_extend(3600 * NSEC_SEC);
	assert(standing_next_deadline() == t0 + 3600 * NSEC_SEC);
	/* In the middle of a move: RS rests for as long as that took of the machine's time. */
	t0 = start();
	at(t0 + 20 * NSEC_SEC);
	assert(is_moving);
	standing_extend(600 * NSEC_SEC);
	now += 600 * NSEC_SEC + 40 * NSEC_MSEC;
	move_end(E_OK);
	assert(standing_next_deadline() == now + 40 * NSEC_MSEC);
}

static void ask(void)
{
	struct rs_request request = {.bytes = sizeof(told)};
	struct rs_reply reply = {0};

	memset(&told, 0, sizeof(told));
	assert(rs_on_standing_status(1, &request, &reply) == E_OK);
	assert(reply.count == told.head.n_services);
	request.bytes = sizeof(told.head) - 1;
	assert(rs_on_standing_status(1, &request, &reply) == E_INVAL);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	now = 100 * NSEC_SEC;
	assert(state() == RS_STANDING_NONE && standing_next_deadline() == NSEC_NEVER);
	standing_run();
	test_turns();
	test_jitter();
	test_rest();
	test_skips();
	test_failures();
	test_quiet();
	test_quiet_overlap();
	test_ends();
	test_replaced();
	test_replaced_late();
	test_replaced_while_moving();
	test_room();
	test_stopped();
	test_last_move();
	return 0;
}
