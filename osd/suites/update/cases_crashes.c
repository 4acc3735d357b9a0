/* Crashes outside an update: fresh restart behind the same endpoint. */
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"

#include <stdio.h>
#include <string.h>

#include "osd/lib/request/assist.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

static void case_crash(enum assist_crash how, const char *name)
{
	struct rs_service old = {0}, new = {0};
	struct assist_reply reply;

	tap_case(name);
	CHECK(rs_service("assist", &old));
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, how, 0, &reply), E_RESTART);
	assist_settle();
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(new.endpoint, old.endpoint);
	CHECK_EQUAL(new.n_restarts, old.n_restarts + 1);
	assist_count_up();
}

/* The event of the last crash begins with these words. */
static void check_text(const char *words)
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
	CHECK(strncmp(text, words, strlen(words)) == 0);
}

/* It never answers, nor does it crash: RS misses its heartbeat. */
static void case_hang(void)
{
	struct rs_service old = {0}, new = {0};
	struct assist_reply reply;
	nsec_t begin = sys_clock_read();

	tap_case("a service that hangs is noticed by its heartbeat");
	CHECK(rs_service("assist", &old));
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, ASSIST_CRASH_HANG, 0, &reply), E_RESTART);
	CHECK(sys_clock_read() - begin < HANG_NOTICED);
	assist_settle();
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(new.endpoint, old.endpoint);
	CHECK_EQUAL(new.n_restarts, old.n_restarts + 1);
}

/* Assist crashes when it follows a wild pointer of its state; afresh, its state is empty and sound. */
static void case_retry(void)
{
	endpoint_t assist = sef_lookup("assist");
	struct assist_reply reply;

	tap_case("a request that may be repeated is answered by the new instance");
	CHECK_EQUAL(assist_ask(ASSIST_BUILD, 4, 100, &reply), E_OK);
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, ASSIST_CRASH_DAMAGE, 0, &reply), E_OK);
	CHECK_EQUAL(assist_check(assist).err, E_RESTART);
	assist_settle();
	CHECK_EQUAL(assist_ask(ASSIST_BUILD, 5, 100, &reply), E_OK);
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, ASSIST_CRASH_DAMAGE, 0, &reply), E_OK);
	reply = assist_check_retry(assist);
	CHECK_EQUAL(reply.err, E_OK);
	CHECK_EQUAL(reply.b, 0);
	assist_settle();
	assist_count_up();
}

static void case_asked_restart(void)
{
	struct rs_service old = {0}, new = {0};

	tap_case("a restart by an order");
	CHECK(rs_service("assist", &old));
	CHECK_EQUAL(order_simple(ORDER_RESTART, "assist", 0), E_OK);
	assist_settle();
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(new.endpoint, old.endpoint);
	CHECK_EQUAL(new.n_restarts, old.n_restarts + 1);
	assist_count_up();
}

void cases_crashes(void)
{
	struct rs_resources before = rs_resources();

	case_crash(ASSIST_CRASH_NULL, "write through NULL");
	case_crash(ASSIST_CRASH_ILLEGAL, "illegal instruction");
	case_crash(ASSIST_CRASH_JUMP, "execution of data");
	case_crash(ASSIST_CRASH_TEXT, "write to code");
	case_crash(ASSIST_CRASH_DIVIDE, "division by zero");
	case_crash(ASSIST_CRASH_STACK, "end of the stack");
	case_crash(ASSIST_CRASH_SYSCALL, "foreign system call");
	case_crash(ASSIST_CRASH_STRAY, "system call outside the gate page");
	check_text("system call outside the gate page");
	case_crash(ASSIST_CRASH_PANIC, "panic");
	check_text("panic: asked to panic");
	case_crash(ASSIST_CRASH_EXIT, "exit");
	case_retry();
	case_asked_restart();
	case_hang();
	tap_case("restarts leave nothing behind");
	CHECK_EQUAL(rs_resources().n_slots_free, before.n_slots_free);
	CHECK_EQUAL(rs_resources().n_spaces_free, before.n_spaces_free);
	CHECK(rs_resources().free_frames + 64 > before.free_frames);
}
