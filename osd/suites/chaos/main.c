/*
 * chaos: what can befall a machine's services outside an update, each once and in order: assist
 * crashes in every way it knows, and every other service that is not the supervisor is ended in
 * the middle of its work. Then it is quiet. Its metric counts what is done. Restarted, it ends tty
 * as soon as it is up, until RS gives that up; its metric is one more then, and tty is let alone.
 */
#include <string.h>

#include "osd/abi/hook.h"
#include "osd/lib/request/assist.h"
#include "osd/lib/request/rs.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/sys.h"

#define CHAOS_START_NSEC 2000000000ull
#define CHAOS_PAUSE_NSEC 300000000ull

/* crash 0: RS is asked to end the service. */
static const struct misfortune {
	char service[SERVICE_NAME_LEN];
	enum assist_crash crash;
} chaos_script[] = {
        {"assist", ASSIST_CRASH_NULL},
        {"tty", 0},
        {"assist", ASSIST_CRASH_ILLEGAL},
        {"virtio_console", 0},
        {"assist", ASSIST_CRASH_STACK},
        {"agent", 0},
        {"assist", ASSIST_CRASH_PANIC},
        {"ds", 0},
        {"assist", ASSIST_CRASH_EXIT},
        {"virtio_console", 0},
        {"assist", ASSIST_CRASH_HANG},
        {"agent", 0},
};
#define N_MISFORTUNES (sizeof(chaos_script) / sizeof(chaos_script[0]))

static uint64_t chaos_n_done;

static bool chaos_crash(enum assist_crash how)
{
	struct assist_request ask = {.a = how};

	return assist_crash(sef_lookup("assist"), ask).err == E_RESTART;
}

/* Only a test build of RS does this. */
static bool chaos_end(const char service[SERVICE_NAME_LEN])
{
	struct message msg = {.type = HOOK_KILL};

	memcpy(msg.w, service, SERVICE_NAME_LEN);
	return sys_sendrec(sef_start()->supervisor, &msg) == E_OK &&
	       MSG_AS(struct rs_reply, &msg)->err == E_OK;
}

static void chaos_report(void)
{
	const struct rs_metrics metrics = {.values = {chaos_n_done}};

	(void)rs_report_metrics(sef_start()->supervisor, metrics);
}

/* A misfortune that cannot befall now, such as in the middle of an update, is tried again. */
static void chaos_next(void)
{
	const struct misfortune *next = &chaos_script[chaos_n_done];

	if (next->crash != 0 ? chaos_crash(next->crash) : chaos_end(next->service)) {
		chaos_n_done++;
	}
	chaos_report();
}

static bool chaos_is_second;

static err_t chaos_init_restart(void)
{
	chaos_is_second = true;
	return E_OK;
}

/* What is down has no endpoint. */
static void chaos_end_for_good(const char service[SERVICE_NAME_LEN])
{
	struct message msg;

	while (sef_lookup(service) != EP_NONE) {
		(void)chaos_end(service);
		(void)sys_alarm_set(sys_clock_read() + CHAOS_PAUSE_NSEC);
		sef_receive(&msg);
	}
}

int main(void)
{
	static const struct sef_callbacks callbacks = {.init_restart = chaos_init_restart};
	struct message msg;

	sef_startup(&callbacks);
	if (chaos_is_second) {
		chaos_end_for_good("tty");
		chaos_n_done = N_MISFORTUNES + 1;
		chaos_report();
	}
	(void)sys_alarm_set(sys_clock_read() + CHAOS_START_NSEC);
	while (chaos_n_done < N_MISFORTUNES) {
		sef_receive(&msg);
		if (message_is_notify(&msg, EP_CLOCK)) {
			chaos_next();
			(void)sys_alarm_set(sys_clock_read() + CHAOS_PAUSE_NSEC);
		}
	}
	for (;;) {
		sef_receive(&msg);
	}
}
