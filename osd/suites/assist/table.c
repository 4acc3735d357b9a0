/*
 * Assist's requests: a handler for each row of osd/abi/assist.def, but for ASSIST_PEEK (peek.c). What a
 * test reads back afterwards (held requests, a counter, ticks) is ordinary state here, so that an
 * update has to carry it over.
 */
#include "osd/suites/assist/priv.h"

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

err_t assist_on_build(
        endpoint_t who, const struct assist_request *ask, struct assist_reply *ret_reply)
{
	return zoo_build(ask->a, (uint32_t)ask->b);
}

err_t assist_on_check(endpoint_t who, struct assist_reply *ret_reply)
{
	struct zoo_sum sum;
	err_t err = zoo_check(&sum);

	ret_reply->a = sum.checksum;
	ret_reply->b = sum.n_nodes;
	return err;
}

err_t assist_on_crash(
        endpoint_t who, const struct assist_request *ask, struct assist_reply *ret_reply)
{
	crash_now((enum assist_crash)ask->a);
	return E_OK;
}

err_t assist_on_hold(endpoint_t who)
{
	if (table_n_held_now == HELD_MAX) {
		return E_FULL;
	}
	table_held[table_n_held_now++] = who;
	return E_OK;
}

err_t assist_on_let_go(endpoint_t who, struct assist_reply *ret_reply)
{
	struct message reply = {.type = MSG_REPLY};

	while (table_n_held_now > 0) {
		(void)sys_reply(table_held[--table_n_held_now], &reply);
	}
	return E_OK;
}

err_t assist_on_count(
        endpoint_t who, const struct assist_request *ask, struct assist_reply *ret_reply)
{
	table_counter += ask->a;
	ret_reply->a = table_counter;
	ret_reply->b = table_count_calls();
	ret_reply->c = ASSIST_RELEASE;
	return E_OK;
}

err_t assist_on_tick(
        endpoint_t who, const struct assist_request *ask, struct assist_reply *ret_reply)
{
	if (ask->a != 0) {
		table_period = ask->a;
		(void)sys_alarm_set(sys_clock_read() + table_period);
	}
	ret_reply->a = table_n_ticks;
	return E_OK;
}

err_t assist_on_layout(endpoint_t who, struct assist_reply *ret_reply)
{
	ret_reply->a = (uintptr_t)table_count_calls;
	ret_reply->b = (uintptr_t)&table_counter;
	ret_reply->c = (uintptr_t)zoo_object();
	ret_reply->d = (uintptr_t)__builtin_frame_address(0);
	return E_OK;
}

err_t assist_on_refuse(
        endpoint_t who, const struct assist_request *ask, struct assist_reply *ret_reply)
{
	struct message msg = {.type = SEF_PREPARE_REFUSED, .w = {ask->a, (uint64_t)E_REFUSED}};

	return sys_asend(EP_RS, &msg);
}

bool table_dispatch(struct message *msg)
{
	switch (msg->type) {
#define REQUEST SERVE_CASE
#include "osd/abi/assist.def"
#undef REQUEST
	}
	return serve_unknown(msg);
}
