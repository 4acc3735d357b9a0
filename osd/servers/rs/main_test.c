#undef NDEBUG
/*
 * What RS does while nobody wants anything of it: one description read, or one key of a seal agreed on,
 * after each wait, and never while somebody waits, a transaction runs, or the machine still boots. The
 * rooms are played, and the kernel sends what a case wants.
 */
#include "osd/servers/rs/priv.h"

#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>

#include "osd/lib/rt/rt.h"
#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/boot/boot.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/life/event.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/standing/standing.h"
#include "osd/servers/rs/update/update.h"

#define N_KEPT 2

int service_main(void);

struct machine machine;

/* A case: what RS has to do, and how often somebody asks for something. */
static nsec_t request_every, turn_every, limit_every; /* NSEC_NEVER: never */
static nsec_t request_takes;
static bool has_boot_done, is_running;
static uint32_t n_wanted, n_undescribed;

static nsec_t now, end, alarm, next_request, next_turn, next_limit;
static uint32_t n_agreed, n_described, n_requests, n_turns;
static nsec_t last_message; /* that RS got */
static bool is_moving;
static jmp_buf over;

static void deliver(struct host_registers *r, endpoint_t source, uint32_t type)
{
	r->rsi = (uint64_t)source << 32 | type;
}

/* The alarm, or a request: whichever is first. */
static void receive(struct host_registers *r)
{
	nsec_t due = alarm != 0 ? alarm : NSEC_NEVER;

	last_message = due < next_request ? due : next_request;
	if (last_message > end) {
		longjmp(over, 1);
	}
	now = last_message > now ? last_message : now;
	if (due <= next_request) {
		alarm = 0;
		deliver(r, EP_CLOCK, MSG_NOTIFY);
	} else {
		next_request = now + request_every;
		deliver(r, 12, RS_BASE);
	}
}

void host_enter(struct host_registers *r)
{
	enum kcall call = (enum kcall)r->rax;

	r->rax = E_OK;
	switch ((uint32_t)call) {
	case KCALL_clock_read:
		r->rax = now;
		break;
	case KCALL_alarm_set:
		alarm = r->rdi;
		break;
	case KCALL_receive:
		receive(r);
		break;
	default:
		abort();
	}
}

bool binary_wants_key(void)
{
	return n_agreed < n_wanted;
}

/* Asked for in the same moment that the alarm came, and not before RS has waited. */
static void work_alone(void)
{
	assert(has_boot_done && !is_running && !is_moving);
	assert(now == last_message && next_request > now);
	now += NSEC_MSEC;
}

void binary_agree_key(void)
{
	assert(binary_wants_key() && service_undescribed() == NULL);
	work_alone();
	n_agreed++;
}

struct service *service_undescribed(void)
{
	static struct service service;

	return n_described < n_undescribed ? &service : NULL;
}

void binary_read_ahead(struct binary *binary)
{
	assert(binary == &service_undescribed()->binary);
	work_alone();
	n_described++;
}

struct trust_number update_running(void)
{
	return (struct trust_number){0, is_running || is_moving ? 1 : 0};
}

void table_dispatch(const struct message *msg)
{
	assert(msg->type == RS_BASE && msg->source == 12);
	n_requests++;
	now += request_takes;
}

/* A turn that is due begins a move, which is over when RS looks next. */
void standing_run(void)
{
	is_moving = false;
	if (now >= next_turn) {
		is_moving = true;
		next_turn = now + turn_every;
		n_turns++;
	}
}

nsec_t standing_next_deadline(void)
{
	return next_turn;
}

nsec_t update_next_deadline(void)
{
	return is_moving ? now + NSEC_MSEC : NSEC_NEVER;
}

nsec_t recover_next_deadline(void)
{
	return next_limit;
}

const struct start_info *rt_start_info(void)
{
	return NULL;
}

void boot_begin(const struct start_info *start)
{
	machine.boot_done = has_boot_done ? 1 : 0;
}

void stage_init(uint64_t budget)
{
}

void layout_init(uint64_t budget)
{
}

void update_run(void)
{
}

void update_tick(nsec_t at)
{
}

/* A heartbeat: RS has looked, and that was all. */
void recover_tick(nsec_t at)
{
	if (at >= next_limit) {
		next_limit = at + limit_every;
	}
}

void update_extend(nsec_t by)
{
	abort();
}

void recover_extend(nsec_t by)
{
	abort();
}

void standing_extend(nsec_t by)
{
	abort();
}

void update_signal(nsec_t at)
{
	abort();
}

bool update_event(const struct slot_event *event)
{
	abort();
}

void event_handle(const struct slot_event *event)
{
	abort();
}

void recover_pong(const struct message *msg)
{
	abort();
}

void update_refused(const struct message *msg)
{
	abort();
}

void rs_log(const char *text)
{
	abort();
}

_Noreturn void rs_panic(const char *text)
{
	abort();
}

/* A second of RS's life. */
static void live(void)
{
	now = 1;
	end = now + NSEC_SEC;
	alarm = 0;
	next_request = request_every == NSEC_NEVER ? NSEC_NEVER : now + NSEC_MSEC;
	next_turn = turn_every == NSEC_NEVER ? NSEC_NEVER : now + turn_every;
	next_limit = limit_every == NSEC_NEVER ? NSEC_NEVER : now + limit_every;
	n_agreed = n_described = n_requests = n_turns = 0;
	is_moving = false;
	if (setjmp(over) == 0) {
		(void)service_main();
	}
}

static void reset(void)
{
	request_every = turn_every = limit_every = NSEC_NEVER;
	request_takes = 0;
	has_boot_done = true;
	is_running = false;
	n_wanted = N_KEPT;
	n_undescribed = 0;
}

/* Nobody wants anything: as many as are wanted, and then no alarm any more. */
static void test_idle(void)
{
	reset();
	live();
	assert(n_agreed == N_KEPT && alarm == 0 && now < 20 * NSEC_MSEC);
	n_wanted = 0;
	live();
	assert(n_agreed == 0 && alarm == 0);
	n_undescribed = 3;
	live();
	assert(n_described == 3 && n_agreed == 0 && alarm == 0);
	n_wanted = N_KEPT;
	live();
	assert(n_described == 3 && n_agreed == N_KEPT && alarm == 0);
}

/* Between requests, and between moves, that leave time for it. */
static void test_between(void)
{
	reset();
	request_every = 20 * NSEC_MSEC;
	live();
	assert(n_agreed == N_KEPT && n_requests == 50);
	reset();
	turn_every = 20 * NSEC_MSEC;
	n_wanted = 10;
	live();
	assert(n_agreed == 10 && n_turns > 40);
}

/* Nothing while RS is asked, moves something, or has limits to look at, all the time. */
static void test_busy(void)
{
	reset();
	request_every = NSEC_MSEC;
	live();
	assert(n_agreed == 0 && n_requests > 900);
	request_every = 9 * NSEC_MSEC;
	request_takes = 6 * NSEC_MSEC;
	live();
	assert(n_agreed == 0 && n_requests > 100);
	reset();
	turn_every = 2 * NSEC_MSEC;
	live();
	assert(n_agreed == 0 && n_turns > 200);
	reset();
	limit_every = 2 * NSEC_MSEC;
	n_undescribed = 1;
	live();
	assert(n_agreed == 0 && n_described == 0);
}

/* A turn that is due at the very moment goes first. */
static void test_turn_first(void)
{
	reset();
	turn_every = 5 * NSEC_MSEC;
	live();
	assert(n_turns > 100);
}

static void test_not_now(void)
{
	reset();
	is_running = true;
	live();
	assert(n_agreed == 0 && alarm == 0);
	reset();
	has_boot_done = false;
	n_undescribed = 1;
	live();
	assert(n_agreed == 0 && n_described == 0);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	test_idle();
	test_between();
	test_busy();
	test_turn_first();
	test_not_now();
	return 0;
}
