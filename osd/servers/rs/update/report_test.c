#undef NDEBUG
/*
 * What instances may say, and when. The transaction is a record of two components; what a report
 * does to it (txn.c) is noted in the mocks below.
 */
#include "osd/servers/rs/update/priv.h"

#include <assert.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/event.h"

#define OLD 10 /* endpoint of the service that is spoken of: component 1 */
#define NEW 100
#define HEAP UINT64_C(0x100000)
#define HEAP_LIMIT UINT64_C(0x4000)

static struct update_txn txn;
static struct service services[2];
static nsec_t now __attribute__((used));
static uint64_t resumed __attribute__((used)); /* with which reason; 0: not resumed */
static err_t copy_error __attribute__((used));
static err_t failed; /* E_OK: the transaction goes on */
static bool is_lost;

/* The kernel: a clock, slot_resume, and a copy that leaves what the test has put into the target. */
__attribute__((naked)) static void gate(void)
{
	__asm__("cmp %0, %%rax\n	je 1f\n	cmp %1, %%rax\n	je 2f\n"
	        "	mov %%rsi, resumed(%%rip)\n	xor %%eax, %%eax\n	ret\n"
	        "1:	mov now(%%rip), %%rax\n	ret\n"
	        "2:	mov copy_error(%%rip), %%rax\n	ret"
	        :
	        : "i"(KCALL_clock_read), "i"(KCALL_copy));
}

void txn_fail(struct update_txn *t, struct txn_component *c, err_t err, const char *text)
{
	assert(c == &txn.components[1] && failed == E_OK && err != E_OK);
	failed = err;
}

void txn_lost(struct update_txn *t, struct txn_component *c, err_t err, const char *why)
{
	is_lost = true;
	txn_fail(t, c, err, why);
}

void txn_run(struct update_txn *t)
{
}

bool txn_is_waiting(const struct update_txn *t)
{
	return txn.step == RS_STEP_PAIR || txn.step == RS_STEP_PREPARE ||
	       txn.step == RS_STEP_TRANSFER || txn.step == RS_STEP_COMMIT;
}

void component_settle(struct update_txn *t, struct txn_component *c)
{
	txn_reach(t, c);
}

void event_describe(const struct slot_event *event, const struct instance *instance,
        const struct binary *binary, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
}

err_t event_error(const struct slot_event *event)
{
	return E_CRASHED;
}

static struct txn_component *component(void)
{
	return &txn.components[1];
}

static bool is_reached(void)
{
	return !txn_is_awaited(&txn, component());
}

/* A transaction in this step, which nobody has done yet. */
static void begin(enum rs_step step)
{
	memset(&txn, 0, sizeof(txn));
	txn.step = step;
	txn.ticket = 7;
	txn.n_components = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct txn_component *c = &txn.components[i];

		services[i].endpoint = OLD - 1 + (endpoint_t)i;
		c->service = &services[i];
		c->instance = (struct instance){
		        .slot = NEW - 1 + (endpoint_t)i, .heap = HEAP, .heap_limit = HEAP_LIMIT};
		c->is_new_behind = step == RS_STEP_TRANSFER || step == RS_STEP_COMMIT;
		c->poll_at = NSEC_NEVER;
		c->poll_pause = 3;
	}
	failed = E_OK;
	is_lost = false;
	resumed = 0;
	copy_error = E_OK;
}

static void event(endpoint_t who, enum slot_event_kind kind, uint64_t w0, uint64_t w1)
{
	struct slot_event e = {.endpoint = who, .kind = kind, .at = now, .w = {w0, w1}};

	assert(report_event(&txn, &e));
}

static void report_new(uint64_t what)
{
	event(txn_new_endpoint(component()), SLOT_EVENT_REPORT, what, 0);
}

/* Each report is good in one step, once. Anywhere else it is the end of the instance. */
static void test_new(void)
{
	static const enum rs_step steps[] = {RS_STEP_PAIR, RS_STEP_PREPARE, RS_STEP_TRANSFER};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (uint64_t what = SEF_REPORT_PREPARED; what <= SEF_REPORT_PANIC; what++) {
			bool is_wanted =
			        (what == SEF_REPORT_READY && steps[i] == RS_STEP_PAIR) ||
			        (what == SEF_REPORT_TRANSFERRED && steps[i] == RS_STEP_TRANSFER);

			begin(steps[i]);
			report_new(what);
			assert(is_reached() == is_wanted && (failed == E_OK) == is_wanted);
			if (is_wanted) {
				report_new(what);
				assert(failed == E_CRASHED);
			}
		}
	}
}

/* What a new instance says of its failure is bounded, and is always a failure. */
static void test_words(void)
{
	static const struct {
		err_t said, copied, result;
	} cases[] = {
	        {E_ARENA, E_OK, E_ARENA},
	        {E_STATE_LOSS, E_OK, E_STATE_LOSS},
	        {E_OK, E_OK, E_TRANSFER},
	        {5, E_OK, E_TRANSFER},
	        {E_STATE_LOSS, E_INVAL, E_TRANSFER},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sef_transfer_result *said = &component()->transfer;

		begin(RS_STEP_PAIR);
		memset(said, 'x', sizeof(*said));
		said->err = cases[i].said;
		copy_error = cases[i].copied;
		report_new(SEF_REPORT_FAILED);
		assert(failed == cases[i].result && said->err == failed);
		assert(memchr(said->element, '\0', SEF_TEXT_LEN) != NULL);
		assert(memchr(said->message, '\0', SEF_TEXT_LEN) != NULL);
		assert(memchr(said->removed, '\0', SEF_TEXT_LEN) != NULL);
		assert((said->message[0] == '\0') == (cases[i].copied != E_OK));
	}
}

/* An arena is too small where a page of the heap was touched that is not backed: nowhere else. */
static void test_arena(void)
{
	static const struct {
		enum slot_event_kind kind;
		uint64_t reason, address;
		err_t result;
	} cases[] = {
	        {SLOT_EVENT_FAULT, FAULT_PAGE_UNCOMMITTED, HEAP, E_ARENA},
	        {SLOT_EVENT_FAULT, FAULT_PAGE_UNCOMMITTED, HEAP + HEAP_LIMIT - 1, E_ARENA},
	        {SLOT_EVENT_FAULT, FAULT_PAGE_UNCOMMITTED, HEAP + HEAP_LIMIT, E_CRASHED},
	        {SLOT_EVENT_FAULT, FAULT_PAGE_UNCOMMITTED, HEAP - 1, E_CRASHED},
	        {SLOT_EVENT_FAULT, FAULT_PAGE, HEAP, E_CRASHED},
	        {SLOT_EVENT_EXIT, FAULT_PAGE_UNCOMMITTED, HEAP, E_CRASHED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(RS_STEP_TRANSFER);
		event(OLD, cases[i].kind, cases[i].reason, cases[i].address);
		assert(failed == cases[i].result && !is_lost);
	}
}

/* The old instance counts as prepared for this transaction, in PREPARE, and not after the limit. */
static void test_prepared(void)
{
	static const struct {
		enum rs_step step;
		uint64_t ticket;
		nsec_t hold, late;
		uint64_t resumed;
	} cases[] = {
	        {RS_STEP_PREPARE, 7, 0, 0, 0},
	        {RS_STEP_PREPARE, 7, 0, 20 * NSEC_MSEC, 0},
	        {RS_STEP_PREPARE, 7, 0, 20 * NSEC_MSEC + 1, SEF_RESUME_RETRY},
	        {RS_STEP_PREPARE, 7, NSEC_SEC, NSEC_SEC, 0},
	        {RS_STEP_PREPARE, 7, 5, 6, SEF_RESUME_RETRY},
	        {RS_STEP_PREPARE, 6, 0, 0, SEF_RESUME_ROLLED_BACK},
	        {RS_STEP_PAIR, 7, 0, 0, SEF_RESUME_ROLLED_BACK},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slot_event e = {.endpoint = OLD,
		        .kind = SLOT_EVENT_REPORT,
		        .at = now - cases[i].late,
		        .w = {SEF_REPORT_PREPARED, cases[i].ticket}};
		bool is_taken = cases[i].resumed == 0;
		bool is_asked = cases[i].resumed == SEF_RESUME_RETRY;

		begin(cases[i].step);
		txn.plan.hold = cases[i].hold;
		assert(report_event(&txn, &e) && failed == E_OK);
		assert(resumed == cases[i].resumed && is_reached() == is_taken);
		assert(component()->is_old_prepared == is_taken);
		assert(component()->prepared_at == (is_taken ? e.at : 0));
		assert(component()->poll_at == (is_asked ? now + 3 : NSEC_NEVER));
	}
}

/* Only the service that was asked refuses, and only what it was asked for. */
static void test_refused(void)
{
	static const struct {
		enum rs_step step;
		endpoint_t source;
		uint64_t ticket;
		err_t said, result;
		nsec_t again;
	} cases[] = {
	        {RS_STEP_PREPARE, OLD, 7, E_REFUSED, E_REFUSED, 0},
	        {RS_STEP_PREPARE, OLD, 7, E_ARENA, E_REFUSED, 0},
	        {RS_STEP_PREPARE, OLD, 7, E_BUSY, E_OK, 3},
	        {RS_STEP_PREPARE, OLD, 7, E_AGAIN, E_OK, 3},
	        {RS_STEP_PREPARE, OLD, 6, E_REFUSED, E_OK, 0},
	        {RS_STEP_PREPARE, NEW, 7, E_REFUSED, E_OK, 0},
	        {RS_STEP_PREPARE, 55, 7, E_REFUSED, E_OK, 0},
	        {RS_STEP_PAIR, OLD, 7, E_REFUSED, E_OK, 0},
	        {RS_STEP_TRANSFER, OLD, 7, E_REFUSED, E_OK, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct message msg = {.type = SEF_PREPARE_REFUSED,
		        .source = cases[i].source,
		        .w = {cases[i].ticket, (uint64_t)cases[i].said}};

		begin(cases[i].step);
		report_refused(&txn, &msg);
		assert(failed == cases[i].result && !is_lost && !is_reached());
		assert(component()->poll_at ==
		        (cases[i].again != 0 ? now + cases[i].again : NSEC_NEVER));
	}
}

/* The old instance says nothing else; slots of others, and of before, are not the transaction's. */
static void test_others(void)
{
	struct slot_event e = {.endpoint = 55, .kind = SLOT_EVENT_FAULT};

	begin(RS_STEP_PREPARE);
	event(OLD, SLOT_EVENT_REPORT, SEF_REPORT_TRANSFERRED, 0);
	assert(failed == E_CRASHED && is_lost && !is_reached());
	begin(RS_STEP_PREPARE);
	assert(!report_event(&txn, &e));
	/* After the exchange the old instance is behind the spare slot. */
	begin(RS_STEP_TRANSFER);
	e.endpoint = NEW;
	assert(!report_event(&txn, &e));
	begin(RS_STEP_ROLLBACK);
	assert(!report_event(&txn, &e));
	assert(failed == E_OK);
}

int main(void)
{
	sys_gate = (vaddr_t)gate;
	now = 10 * NSEC_SEC;
	test_new();
	test_words();
	test_arena();
	test_prepared();
	test_refused();
	test_others();
	return 0;
}
