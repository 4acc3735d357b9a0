/*
 * RS, the reincarnation server: makes every service, watches over it, starts it afresh when it
 * ends, and replaces it while it runs. README.md tells how an update goes.
 *
 * One loop, one message after the other. RS never waits for a service, only for messages (and for
 * VM, which waits for nobody): what takes longer is a state in a record, and goes on with an event
 * or with time. Everything that can be due has its limit in such a record; before each receive one
 * alarm is set for the first of them.
 *
 * The order in the loop matters: the reply to a request leaves before update_run() does work that
 * it caused, so that no caller waits for a transaction; and the standing order comes last, when
 * nobody else needs the place.
 *
 * What somebody will wait for can be done before he asks: state descriptions of the boot image are
 * compared and read, and keys of seals agreed on before the layouts are made. RS does one step of that
 * when it has waited for MAIN_IDLE and no message came: then nothing is queued and no transaction runs,
 * and who comes meanwhile waits for that step. A key takes 850 k instructions, the hash of a description
 * 13 for each byte, so 700 k for most and 1.8 M for the largest (140 KB). The wait begins anew with
 * each message and each piece of work, so where RS is always wanted, an update waits for its
 * description and a layout for its key.
 */
#include "osd/servers/rs/priv.h"

#include "osd/lib/rt/rt.h"
#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/boot/boot.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/life/event.h"
#include "osd/servers/rs/base/limit.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/layout/layout.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/standing/standing.h"
#include "osd/servers/rs/update/update.h"

/* Of all staged blobs together. */
#define MAIN_STAGING_BUDGET (UINT64_C(24) << 20)

/* Of all layouts that were made here: two of each service, and what linking one needs. */
#define MAIN_LAYOUT_BUDGET (UINT64_C(24) << 20)

/* Wait for so long before doing anything that nobody asked for. */
#define MAIN_IDLE (5 * NSEC_MSEC)

/* When RS will have waited that long; NSEC_NEVER: there is nothing to do then. */
static nsec_t main_idle = NSEC_NEVER;

/* When limits were looked at last, and the alarm that was set then; see base/limit.h. */
static nsec_t main_seen, main_alarm = NSEC_NEVER;

/* Is there anything to do that nobody asked for? */
static bool main_has_idle_work(void)
{
	return service_undescribed() != NULL || binary_wants_key();
}

/* A piece of it; status answers had better know soon which service cannot be updated. */
static void main_idle_work(void)
{
	struct service *service = service_undescribed();

	if (service != NULL) {
		binary_read_ahead(&service->binary);
	} else {
		binary_agree_key();
	}
}

/* One alarm for whatever is due first. */
static void main_alarm_set(void)
{
	const nsec_t limits[] = {
	        update_next_deadline(), recover_next_deadline(), standing_next_deadline()};
	bool may_idle = machine.boot_done != 0 && update_running().number == 0;
	nsec_t next;

	main_seen = sys_clock_read();
	main_idle = may_idle && main_has_idle_work() ? main_seen + MAIN_IDLE : NSEC_NEVER;
	next = main_idle;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		next = limits[i] < next ? limits[i] : next;
	}
	main_alarm = limit_alarm(main_seen, next);
	(void)sys_alarm_set(main_alarm == NSEC_NEVER ? 0 : main_alarm);
}

/* Did the machine stand still while RS waited? Then nobody is late. */
static void main_limits_extend(void)
{
	nsec_t by = limit_stopped(main_seen, main_alarm, sys_clock_read());

	if (by != 0) {
		update_extend(by);
		recover_extend(by);
		standing_extend(by);
		rs_log("the machine stood still: all limits are extended");
	}
}

/* All supervisor events of the kernel: a transaction gets those of its instances first. */
static void main_events(void)
{
	struct slot_event event;

	while (sys_event_next(&event) == E_OK) {
		if (!update_event(&event)) {
			event_handle(&event);
		}
	}
}

/* The source says what a notification is about; from services RS expects none. */
static void main_notified(const struct message *msg)
{
	nsec_t now = sys_clock_read();

	if (msg->source == EP_KERNEL) {
		main_events();
		update_signal(now);
	} else if (msg->source == EP_CLOCK) {
		update_tick(now);
		recover_tick(now);
	}
}

/* Whatever has no meaning of its own is a request, and gets an answer. */
static void main_handle(const struct message *msg)
{
	switch (msg->type) {
	case MSG_NOTIFY:
		main_notified(msg);
		break;
	case SEF_PONG:
		recover_pong(msg);
		break;
	case SEF_PREPARE_REFUSED:
		update_refused(msg);
		break;
	default:
		table_dispatch(msg);
		break;
	}
}

/* It was the alarm that ended the wait, and nothing has begun on it. */
static void main_idled(const struct message *msg)
{
	if (message_is_notify(msg, EP_CLOCK) && sys_clock_read() >= main_idle &&
	        update_running().number == 0) {
		main_idle_work();
	}
}

int main(void)
{
	struct message msg;

	stage_init(MAIN_STAGING_BUDGET);
	layout_init(MAIN_LAYOUT_BUDGET);
	boot_begin(rt_start_info());
	for (;;) {
		main_alarm_set();
		if (sys_receive(EP_ANY, &msg) != E_OK) {
			rs_panic("RS cannot receive");
		}
		main_limits_extend();
		main_handle(&msg);
		update_run();
		standing_run();
		main_idled(&msg);
	}
}
