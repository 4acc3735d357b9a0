/* Assist's requests. */
#include "osd/suites/assist/priv.h"

#include <string.h>

#include "osd/abi/sef.h"
#include "osd/lib/sys/sys.h"
#include "osd/suites/assist/behaviour.h"

#define HELD_MAX 16u

static endpoint_t table_held[HELD_MAX];
static uint32_t table_n_held_now;
static uint64_t table_counter;
static nsec_t table_period;
static uint64_t table_n_ticks;

uint32_t table_n_held(void)
{
	return table_n_held_now;
}

void table_alarm(void)
{
	if (table_period != 0) {
		table_n_ticks++;
		(void)sys_alarm_set(sys_clock_read() + table_period);
	}
}

static uint64_t table_count_calls(void)
{
	static uint64_t calls;

	return ++calls;
}

static void table_count(const struct message *msg, struct assist_reply *ret_reply)
{
	table_counter += msg->w[0];
	*ret_reply = (struct assist_reply){
	        .a = table_counter, .b = table_count_calls(), .c = ASSIST_RELEASE};
}

static void table_check(struct assist_reply *ret_reply)
{
	struct zoo_sum sum;

	ret_reply->err = zoo_check(&sum);
	ret_reply->a = sum.checksum;
	ret_reply->b = sum.n_nodes;
}

static void table_tick(const struct message *msg, struct assist_reply *ret_reply)
{
	if (msg->w[0] != 0) {
		table_period = msg->w[0];
		(void)sys_alarm_set(sys_clock_read() + table_period);
	}
	*ret_reply = (struct assist_reply){.a = table_n_ticks};
}

static void table_layout(struct assist_reply *ret_reply)
{
	*ret_reply = (struct assist_reply){
	        .a = (uintptr_t)table_count_calls,
	        .b = (uintptr_t)&table_counter,
	        .c = (uintptr_t)zoo_object(),
	        .d = (uintptr_t)__builtin_frame_address(0),
	};
}

static void table_let_go(void)
{
	struct message reply = {.type = MSG_REPLY};

	while (table_n_held_now > 0) {
		(void)sys_reply(table_held[--table_n_held_now], &reply);
	}
}

static err_t table_refuse(uint64_t ticket)
{
	struct message msg = {.type = SEF_PREPARE_REFUSED, .w = {ticket, (uint64_t)E_REFUSED}};

	return sys_asend(EP_RS, &msg);
}

bool table_dispatch(struct message *msg)
{
	struct assist_reply reply = {.err = E_OK};

	switch (msg->type) {
	case ASSIST_BUILD:
		reply.err = zoo_build(msg->w[0], (uint32_t)msg->w[1]);
		break;
	case ASSIST_CHECK:
		table_check(&reply);
		break;
	case ASSIST_CRASH:
		crash_now((enum assist_crash)msg->w[0]);
		break;
	case ASSIST_HOLD:
		if (table_n_held_now < HELD_MAX) {
			table_held[table_n_held_now++] = msg->source;
			return false;
		}
		reply.err = E_FULL;
		break;
	case ASSIST_LET_GO:
		table_let_go();
		break;
	case ASSIST_COUNT:
		table_count(msg, &reply);
		break;
	case ASSIST_TICK:
		table_tick(msg, &reply);
		break;
	case ASSIST_LAYOUT:
		table_layout(&reply);
		break;
	case ASSIST_REFUSE:
		reply.err = table_refuse(msg->w[0]);
		break;
	case ASSIST_PEEK:
		peek(msg, &reply);
		break;
	default:
		reply.err = E_NOSYS;
	}
	memset(msg->w, 0, sizeof(msg->w));
	msg->type = MSG_REPLY;
	*MSG_AS(struct assist_reply, msg) = reply;
	return true;
}
