#undef NDEBUG
/*
 * Who may ask what of RS, over all rows of rs.def. Handlers only count: none may run for a request
 * that is to be refused before it is looked at.
 */
#include "osd/servers/rs/priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/handler.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/update/hook.h"
#include "osd/servers/rs/update/update.h"

#define CONTROLLER 10 /* whose kit has the right */
#define STRANGER 11

static uint32_t n_handled;
static nsec_t now, handler_takes;
static bool is_held; /* whoever asks */
static struct message reply;
static endpoint_t replied_to;

/* The kernel: a clock, and replies that are kept. */
void host_enter(struct host_registers *r)
{
	enum kcall call = (enum kcall)r->rax;

	r->rax = E_OK;
	switch ((uint32_t)call) {
	case KCALL_clock_read:
		r->rax = now;
		break;
	case KCALL_reply:
		replied_to = (endpoint_t)r->rdi;
		memcpy(&reply, &r->rsi, sizeof(uint64_t));
		reply.w[0] = r->rdx;
		reply.w[1] = r->r8;
		break;
	default:
		abort();
	}
}

static err_t handle(void)
{
	n_handled++;
	now += handler_takes;
	return E_OK;
}

#define HANDLER(kind, server, verb, name, n, asks, answers, ...)                                   \
	HANDLER_##kind(server, verb, asks, answers)
#define HANDLER_CALL(server, verb, ask_t, answer_t)                                                \
	err_t server##_on_##verb(                                                                  \
	        endpoint_t who, const struct ask_t *ask, struct answer_t *ret_answer)              \
	{                                                                                          \
		return handle();                                                                   \
	}
#define HANDLER_GET(server, verb, ask_t, answer_t)                                                 \
	err_t server##_on_##verb(endpoint_t who, struct answer_t *ret_answer)                      \
	{                                                                                          \
		return handle();                                                                   \
	}
#define HANDLER_POST(server, verb, ask_t, answer_t)                                                \
	void server##_on_##verb(endpoint_t who, const struct ask_t *ask)                           \
	{                                                                                          \
		(void)handle();                                                                    \
	}
#define REQUEST HANDLER
#include "osd/abi/rs.def"
#undef REQUEST

bool service_may_control(endpoint_t caller)
{
	return caller == CONTROLLER;
}

bool update_is_holding(endpoint_t endpoint)
{
	return is_held;
}

err_t hook_request(const struct message *msg, struct rs_reply *ret_reply)
{
	return E_NOSYS;
}

/* Ask, and return the error of the reply. */
static err_t ask(endpoint_t who, uint32_t type)
{
	const struct message msg = {.type = type, .source = who};

	n_handled = 0;
	replied_to = EP_NONE;
	table_dispatch(&msg);
	assert(replied_to == who && reply.type == MSG_REPLY);
	return (err_t)reply.w[0];
}

/* The rows, with their rights as words. */
static const struct {
	uint32_t type;
	const char *right;
} rows[] = {
#define ROW(kind, server, verb, name, n, asks, answers, right, ...) {name, #right},
#define REQUEST ROW
#include "osd/abi/rs.def"
#undef REQUEST
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void test_rights(void)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		bool is_any = strcmp(rows[i].right, "ANY") == 0;

		assert(ask(CONTROLLER, rows[i].type) == E_OK && n_handled == 1);
		assert(ask(STRANGER, rows[i].type) == (is_any ? E_OK : E_PERM));
		assert(n_handled == is_any);
	}
	assert(ask(CONTROLLER, RS_BASE + 0x7f) == E_NOSYS && n_handled == 0);
}

/* What lets others act, or shows how they are made, is for who may control. */
static void test_rows(void)
{
	static const uint32_t any[] = {
	        RS_STATUS, RS_RESULT, RS_EVENTS, RS_SUBSCRIBE, RS_REPORT_METRICS, RS_RESOURCES};
	size_t n_any = 0;

	for (size_t i = 0; i < N_ROWS; i++) {
		bool is_any = false;

		for (size_t k = 0; k < sizeof(any) / sizeof(any[0]); k++) {
			is_any |= rows[i].type == any[k];
		}
		assert(is_any == (strcmp(rows[i].right, "ANY") == 0));
		n_any += is_any;
	}
	assert(n_any == sizeof(any) / sizeof(any[0]));
}

/*
 * A service that is held has sent its request before it was prepared, without waiting. It is
 * refused unseen: behind the endpoint is another instance by now, whose memory its grants would
 * name.
 */
static void test_held(void)
{
	is_held = true;
	for (size_t i = 0; i < N_ROWS; i++) {
		assert(ask(CONTROLLER, rows[i].type) == E_AGAIN && n_handled == 0);
	}
	is_held = false;
}

/* Signatures cost time, and are refused when too much of it went there; nothing else is. */
static void test_share(void)
{
	uint32_t n = 0;

	handler_takes = 100 * NSEC_MSEC;
	while (ask(CONTROLLER, RS_ADMIT) == E_OK) {
		assert(n_handled == 1 && ++n < 10);
	}
	assert((err_t)reply.w[0] == E_RATE && n_handled == 0 && n >= 2);
	assert(ask(CONTROLLER, RS_STATUS) == E_OK && ask(CONTROLLER, RS_CANCEL) == E_OK);
	assert(ask(STRANGER, RS_ADMIT) == E_PERM);
	now += 10 * NSEC_SEC;
	assert(ask(CONTROLLER, RS_ADMIT) == E_OK);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	now = 10 * NSEC_SEC;
	test_rights();
	test_rows();
	test_held();
	test_share();
	return 0;
}
