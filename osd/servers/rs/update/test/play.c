#undef NDEBUG
/*
 * The machine of txn_test.c: a kernel with a clock, and work of components that is a word in a
 * trace. What is to go wrong, and for whom, is said in variables before it is begun.
 */
#include "osd/servers/rs/update/test/play.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/life/event.h"
#include "osd/servers/rs/life/recover.h"

struct update update;
struct service services[N];
struct image_header header;
nsec_t now __attribute__((used));
int64_t call_err __attribute__((used)); /* of every call but the clock */
bool is_quiet;
uint32_t n_told;
char trace[TRACE_SIZE];
const char *bad_work = "";
uint32_t bad_component, silent_component = N;
err_t bad_error;

/* The kernel: a clock, and calls that do well, or as call_err says. */
__attribute__((naked)) void gate(void)
{
	__asm__("cmp %0, %%rax\n	mov call_err(%%rip), %%rax\n	jne 1f\n	"
	        "mov now(%%rip), %%rax\n1:	ret"
	        :
	        : "i"(KCALL_clock_read));
}

static uint32_t index_of(const struct txn_component *c)
{
	return (uint32_t)(c - update.txn.components);
}

static err_t note(const char *work, const struct txn_component *c)
{
	size_t len = strlen(trace);

	assert((size_t)snprintf(trace + len, sizeof(trace) - len, "%s%u ", work, index_of(c)) <
	        sizeof(trace) - len);
	return strcmp(work, bad_work) == 0 && index_of(c) == bad_component ? bad_error : E_OK;
}

bool trace_is(const char *expected)
{
	bool is_same = strcmp(trace, expected) == 0;

	if (!is_same) {
		fprintf(stderr, "trace:    %s\nexpected: %s\n", trace, expected);
	}
	trace[0] = '\0';
	return is_same;
}

err_t component_claim(struct update_txn *txn, struct txn_component *c)
{
	return note("claim", c);
}

err_t component_create(struct update_txn *txn, struct txn_component *c)
{
	err_t err = note("create", c);

	c->instance.slot = err == E_OK ? 100 + (endpoint_t)index_of(c) : EP_NONE;
	return err;
}

err_t component_ask(struct update_txn *txn, struct txn_component *c)
{
	c->n_prepare_tries++;
	return note("ask", c);
}

void component_ask_again(struct update_txn *txn, struct txn_component *c, nsec_t at)
{
	(void)note("again", c);
	c->poll_at = NSEC_NEVER;
}

err_t component_show(struct update_txn *txn, struct txn_component *c)
{
	assert(is_quiet);
	return note("show", c);
}

err_t component_swap(struct update_txn *txn, struct txn_component *c)
{
	err_t err = note("swap", c);

	c->is_new_behind = err == E_OK;
	return err;
}

err_t component_go(struct update_txn *txn, struct txn_component *c)
{
	return note("go", c);
}

err_t component_ready(struct update_txn *txn, struct txn_component *c)
{
	return note("ready", c);
}

err_t component_commit(struct update_txn *txn, struct txn_component *c)
{
	err_t err = note("commit", c);

	if (err == E_OK) {
		c->is_old_prepared = false;
		txn->outcome = RS_OUTCOME_COMMITTED;
	}
	return err;
}

void component_settle(struct update_txn *txn, struct txn_component *c)
{
	(void)note("settle", c);
	c->is_new_behind = false;
	c->instance.slot = EP_NONE;
	txn_reach(txn, c);
}

void component_look(struct update_txn *txn, struct txn_component *c, nsec_t at)
{
	component_settle(txn, c);
}

err_t component_restore(struct update_txn *txn, struct txn_component *c)
{
	c->is_new_behind = c->is_old_prepared = false;
	return note("restore", c);
}

err_t component_clear(struct update_txn *txn, struct txn_component *c)
{
	c->instance.slot = EP_NONE;
	return note("clear", c);
}

err_t component_end(struct update_txn *txn, struct txn_component *c)
{
	return note("end", c);
}

bool recover_watch(struct service *service, nsec_t at)
{
	return (uint32_t)(service - services) != silent_component;
}

void recover_crash(struct service *service, err_t err, const char *text)
{
	assert(update.txn.step == RS_STEP_NONE);
	(void)note("crash", &update.txn.components[service - services]);
}

void journal_add(const struct journal_entry *entry)
{
	n_told++;
}

void journal_quiet(bool is)
{
	is_quiet = is;
}

void event_describe(const struct slot_event *event, const struct instance *instance,
        const struct binary *binary, char *ret_text, size_t size)
{
	assert(snprintf(ret_text, size, "ended") > 0);
}

err_t event_error(const struct slot_event *event)
{
	return E_CRASHED;
}

void rs_panic(const char *text)
{
	fprintf(stderr, "panic: %s\n", text);
	abort();
}

struct txn_component *component(uint32_t i)
{
	return &update.txn.components[i];
}

static void begin_plan(uint32_t n, const struct update_plan *plan)
{
	for (uint32_t i = 0; i < n; i++) {
		services[i].endpoint = 10 + (endpoint_t)i;
		services[i].ping_at = NSEC_NEVER;
		*component(i) = (struct txn_component){
		        .service = &services[i],
		        .instance.slot = EP_NONE,
		        .binary.image.header = &header,
		};
	}
	trace[0] = '\0';
	n_told = 0;
	txn_begin(&update, plan, n);
	assert(update.txn.step == RS_STEP_VERIFY && trace[0] == '\0');
	txn_run(&update.txn);
}

void begin(uint32_t n, uint32_t action)
{
	static uint64_t n_orders;

	begin_plan(n, &(struct update_plan){.number = {1, ++n_orders}, .action = action});
}

void begin_move(uint64_t number)
{
	begin_plan(1, &(struct update_plan){
	                      .number = {0, number}, .action = ORDER_UPDATE, .is_move = true});
}

void report(endpoint_t who, uint64_t what)
{
	struct slot_event event = {.endpoint = who,
	        .kind = SLOT_EVENT_REPORT,
	        .at = now,
	        .w = {what, what == SEF_REPORT_PREPARED ? update.txn.ticket : 0}};

	assert(report_event(&update.txn, &event));
}

void report_new_all(uint32_t n, uint64_t what)
{
	for (uint32_t i = 0; i < n; i++) {
		report(txn_new_endpoint(component(i)), what);
	}
}

void report_prepared_all(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		report(services[i].endpoint, SEF_REPORT_PREPARED);
	}
}

void assert_over(enum rs_outcome outcome, enum rs_step step, err_t err)
{
	const struct rs_result *result = update.txn.result;

	assert(update.txn.step == RS_STEP_NONE && !is_quiet);
	assert(result->outcome == outcome && result->step == step && result->err == err);
}
void begin_up_to(enum rs_step step)
{
	begin(N, ORDER_UPDATE);
	if (step >= RS_STEP_PREPARE) {
		report_new_all(N, SEF_REPORT_READY);
	}
	if (step >= RS_STEP_TRANSFER) {
		report_prepared_all(N);
	}
	assert(update.txn.step == step);
	trace[0] = '\0';
}

void assert_late(nsec_t limit, enum rs_step step, uint32_t who)
{
	assert(txn_next_deadline(&update.txn) == now + limit);
	now += limit - 1;
	txn_tick(&update.txn, now);
	assert(update.txn.step == step);
	txn_tick(&update.txn, ++now);
	assert_over(RS_OUTCOME_ROLLED_BACK, step, E_TIMEOUT);
	assert(update.txn.culprit == component(who));
	trace[0] = '\0';
}
