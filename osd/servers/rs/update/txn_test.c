#undef NDEBUG
/*
 * The engine with sets of one and three components. Steps, reports and results are the real ones;
 * what a step does to a machine is replaced by a word in a trace (test/play.h).
 */
#include <assert.h>
#include <string.h>

#include "osd/servers/rs/update/result.h"
#include "osd/servers/rs/update/test/play.h"

static void test_one(void)
{
	begin(1, ORDER_UPDATE);
	assert(update.txn.step == RS_STEP_PAIR && trace_is("claim0 create0 "));
	report_new_all(1, SEF_REPORT_READY);
	report_prepared_all(1);
	assert(update.txn.step == RS_STEP_TRANSFER && trace_is("ask0 show0 swap0 go0 "));
	report_new_all(1, SEF_REPORT_TRANSFERRED);
	assert(update.txn.step == RS_STEP_COMMIT && trace_is("ready0 commit0 "));
	now += NSEC_SEC * 3;
	txn_tick(&update.txn, now);
	assert(trace_is("settle0 end0 "));
	assert_over(RS_OUTCOME_COMMITTED, RS_STEP_COMMIT, E_OK);
}

/* The first receive is a signal of the kernel's; no clock is waited for. Before the commit it means nothing. */
static void test_signal(void)
{
	begin(1, ORDER_UPDATE);
	txn_signal(&update.txn, now);
	report_new_all(1, SEF_REPORT_READY);
	txn_signal(&update.txn, now);
	assert(update.txn.step == RS_STEP_PREPARE && trace_is("claim0 create0 ask0 "));
	report_prepared_all(1);
	report_new_all(1, SEF_REPORT_TRANSFERRED);
	assert(trace_is("show0 swap0 go0 ready0 commit0 "));
	assert(txn_next_deadline(&update.txn) == update.txn.deadline);
	txn_tick(&update.txn, now);
	assert(update.txn.step == RS_STEP_COMMIT && trace_is(""));
	txn_signal(&update.txn, now);
	assert(trace_is("settle0 end0 "));
	assert_over(RS_OUTCOME_COMMITTED, RS_STEP_COMMIT, E_OK);
}

/* No component begins a step, or the second half of one, before all have done what is before it. */
static void test_set(void)
{
	begin(3, ORDER_UPDATE);
	assert(trace_is("claim0 claim1 claim2 create0 create1 create2 "));
	report(102, SEF_REPORT_READY);
	report(100, SEF_REPORT_READY);
	assert(update.txn.step == RS_STEP_PAIR && trace_is(""));
	report(101, SEF_REPORT_READY);
	assert(update.txn.step == RS_STEP_PREPARE && trace_is("ask0 ask1 ask2 "));
	assert(update.txn.result->n_prepare_tries == 1);
	component(0)->kept = (struct layout_kept){7, 1, 2};
	report(11, SEF_REPORT_PREPARED);
	report(12, SEF_REPORT_PREPARED);
	assert(update.txn.step == RS_STEP_PREPARE && trace_is(""));
	report(10, SEF_REPORT_PREPARED);
	assert(trace_is("show0 show1 show2 swap0 swap1 swap2 go0 go1 go2 "));
	report_new_all(2, SEF_REPORT_TRANSFERRED);
	assert(update.txn.step == RS_STEP_TRANSFER && trace_is(""));
	report(12, SEF_REPORT_TRANSFERRED);
	assert(trace_is("ready0 ready1 ready2 commit0 commit1 commit2 "));
	component(1)->poll_at = now;
	txn_tick(&update.txn, now);
	assert(update.txn.step == RS_STEP_COMMIT && trace_is("settle1 "));
	component(0)->poll_at = component(2)->poll_at = now;
	txn_tick(&update.txn, now);
	assert(trace_is("settle0 settle2 end0 end1 end2 "));
	assert_over(RS_OUTCOME_COMMITTED, RS_STEP_COMMIT, E_OK);
	assert(update.txn.result->layout_pieces == 7);
	assert(update.txn.result->layout_kept_address == 1);
	assert(update.txn.result->layout_kept_base == 2);
}

/*
 * The work that fails for component 1: what was done until then, and nothing to anybody after it.
 */
static void test_failures(void)
{
	static const struct {
		const char *work;
		enum rs_step step;
		const char *trace;
	} cases[] = {
	        {"create", RS_STEP_CREATE, "claim0 claim1 claim2 create0 create1 " ALL_BACK},
	        {"show", RS_STEP_SWITCH, "show0 show1 " ALL_BACK},
	        {"swap", RS_STEP_SWITCH, "show0 show1 show2 swap0 swap1 " ALL_BACK},
	        {"go", RS_STEP_TRANSFER, "show0 show1 show2 swap0 swap1 swap2 go0 go1 " ALL_BACK},
	        {"ready", RS_STEP_COMMIT, "ready0 ready1 " ALL_BACK},
	        {"commit", RS_STEP_COMMIT, "ready0 ready1 ready2 commit0 commit1 " ALL_BACK},
	};

	bad_component = 1;
	bad_error = E_FULL;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		bad_work = cases[k].work;
		if (cases[k].step == RS_STEP_CREATE) {
			begin(N, ORDER_UPDATE);
		} else if (cases[k].step == RS_STEP_COMMIT) {
			begin_up_to(RS_STEP_TRANSFER);
			report_new_all(N, SEF_REPORT_TRANSFERRED);
		} else {
			begin_up_to(RS_STEP_PREPARE);
			report_prepared_all(N);
		}
		assert(trace_is(cases[k].trace));
		assert_over(RS_OUTCOME_ROLLED_BACK, cases[k].step, E_FULL);
		assert(update.txn.culprit == component(1));
	}
	bad_work = "";
}

/* The first cause counts, and the result speaks of the component that it came from. */
static void test_cause(void)
{
	memcpy(services[2].name, "third", 6);
	services[2].binary.image.header = &header;
	services[2].binary.generation = (struct trust_number){1, 33};
	begin_up_to(RS_STEP_PAIR);
	report(102, SEF_REPORT_FAILED);
	assert(trace_is(ALL_BACK));
	assert(update.txn.culprit == component(2));
	assert(strcmp(update.txn.result->service, "third") == 0);
	assert(update.txn.result->generation == 33);
	assert(strcmp(update.txn.result->transfer.message, "the new instance gave up") == 0);
}

/* An arena that was too small is tried once more, for all, and not a third time. */
static void test_retry(void)
{
	bad_work = "create";
	bad_component = 2;
	bad_error = E_ARENA;
	begin(N, ORDER_UPDATE);
	assert(trace_is("claim0 claim1 claim2 create0 create1 create2 "
	                "restore2 restore1 restore0 clear2 clear1 clear0 "
	                "create0 create1 create2 " ALL_BACK));
	assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_CREATE, E_ARENA);
	assert(component(2)->n_arena_lacks == 1 && component(0)->n_arena_lacks == 0);
	bad_work = "";
}

/* What the first try said is not taken for the second one's. */
static void test_retry_forgets(void)
{
	begin_up_to(RS_STEP_PAIR);
	component(1)->transfer.err = E_ARENA;
	strcpy(component(1)->transfer.message, "no room");
	report(101, SEF_REPORT_FAILED);
	assert(update.txn.step == RS_STEP_PAIR && component(1)->n_arena_lacks == 1);
	assert(component(1)->transfer.err == E_OK);
	report(101, SEF_REPORT_FAILED);
	assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PAIR, E_TRANSFER);
	assert(strcmp(update.txn.result->transfer.message, "the new instance gave up") == 0);
}

/* Texts of an instance end where the room for them does; what cannot be read says nothing. */
static void test_transfer_text(void)
{
	struct sef_transfer_result *transfer = &component(0)->transfer;

	begin_up_to(RS_STEP_PAIR);
	memset(transfer, 'x', sizeof(*transfer));
	transfer->err = E_INVAL;
	report(100, SEF_REPORT_FAILED);
	assert(transfer->element[SEF_TEXT_LEN - 1] == '\0');
	assert(transfer->message[SEF_TEXT_LEN - 1] == '\0');
	assert(transfer->removed[SEF_TEXT_LEN - 1] == '\0');
	assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PAIR, E_INVAL);
	begin_up_to(RS_STEP_PAIR);
	memset(transfer, 'x', sizeof(*transfer));
	transfer->err = E_INVAL;
	call_err = E_FAULT;
	report(100, SEF_REPORT_FAILED);
	call_err = E_OK;
	assert(transfer->element[0] == '\0' && transfer->removed[0] == '\0');
	assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PAIR, E_TRANSFER);
}

/* An old instance that does not want to: busy is asked again, anything else is the end. */
static void test_refused(void)
{
	struct message msg = {.type = SEF_PREPARE_REFUSED, .source = services[1].endpoint};

	begin_up_to(RS_STEP_PREPARE);
	msg.w[0] = update.txn.ticket - 1;
	msg.w[1] = (uint64_t)E_UNSUPPORTED;
	report_refused(&update.txn, &msg);
	assert(update.txn.step == RS_STEP_PREPARE);
	msg.w[0] = update.txn.ticket;
	msg.w[1] = (uint64_t)E_BUSY;
	report_refused(&update.txn, &msg);
	assert(update.txn.step == RS_STEP_PREPARE);
	msg.w[1] = (uint64_t)E_UNSUPPORTED;
	report_refused(&update.txn, &msg);
	assert(trace_is(ALL_BACK) && update.txn.culprit == component(1));
	assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PREPARE, E_UNSUPPORTED);
	begin_up_to(RS_STEP_PREPARE);
	msg.w[0] = update.txn.ticket;
	msg.w[1] = 1; /* no error */
	report_refused(&update.txn, &msg);
	assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PREPARE, E_REFUSED);
}

/* A second try that does well has no trace of the first, but for the time at which it began. */
static void test_retried(void)
{
	struct slot_event fault = {
	        .endpoint = 101, .kind = SLOT_EVENT_FAULT, .w = {FAULT_PAGE_UNCOMMITTED, 0}};
	const struct rs_result *result;
	nsec_t created;

	begin_up_to(RS_STEP_PAIR);
	result = update.txn.result;
	created = result->step_at[RS_STEP_CREATE];
	component(1)->instance.heap_limit = PAGE_SIZE;
	now++;
	assert(report_event(&update.txn, &fault));
	assert(update.txn.step == RS_STEP_PAIR && result->err == E_OK);
	assert(result->outcome == RS_OUTCOME_RUNNING && update.txn.culprit == NULL);
	assert(component(1)->transfer.message[0] == '\0');
	assert(result->step_at[RS_STEP_CREATE] == created);
	trace[0] = '\0';
	report_new_all(N, SEF_REPORT_READY);
	report_prepared_all(N);
	report_new_all(N, SEF_REPORT_TRANSFERRED);
	now += 3 * NSEC_SEC;
	txn_tick(&update.txn, now);
	assert_over(RS_OUTCOME_COMMITTED, RS_STEP_COMMIT, E_OK);
}

/* Asked to prepare only: all stand prepared for a moment, then all go on. */
static void test_rehearsal(void)
{
	begin(2, ORDER_PREPARE);
	report_new_all(2, SEF_REPORT_READY);
	trace[0] = '\0';
	report_prepared_all(2);
	assert(trace_is("restore1 restore0 clear1 clear0 end0 end1 "));
	assert_over(RS_OUTCOME_PREPARED, RS_STEP_PREPARE, E_OK);
}

/* Without anything new nothing is made. */
static void test_check(void)
{
	const struct update_plan plan = {.action = ORDER_PREPARE, .number = {0, 1}};

	begin(1, ORDER_PREPARE);
	txn_fail(&update.txn, component(0), E_CANCELLED, "");
	txn_run(&update.txn);
	trace[0] = '\0';
	component(0)->binary.image.header = NULL;
	txn_begin(&update, &plan, 1);
	txn_run(&update.txn);
	assert(update.txn.step == RS_STEP_PREPARE && trace_is("claim0 ask0 "));
	report_prepared_all(1);
	assert(trace_is("restore0 clear0 end0 "));
	assert_over(RS_OUTCOME_PREPARED, RS_STEP_PREPARE, E_OK);
}

/* A service that was asked refuses, in its own words. */
static void refuse(endpoint_t who, uint64_t ticket, err_t why)
{
	struct message msg = {
	        .type = SEF_PREPARE_REFUSED, .source = who, .w = {ticket, (uint64_t)why}};

	report_refused(&update.txn, &msg);
}

/* Begin a prepare check of one service, as order.c does. */
static void begin_check(void)
{
	const struct update_plan plan = {.action = ORDER_PREPARE, .number = {0, 1}};

	begin(1, ORDER_PREPARE);
	assert(txn_cancel(&update.txn, "") == E_OK);
	component(0)->binary.image.header = NULL;
	component(0)->transfer = (struct sef_transfer_result){0};
	txn_begin(&update, &plan, 1);
	txn_run(&update.txn);
	assert(update.txn.step == RS_STEP_PREPARE);
	trace[0] = '\0';
}

/*
 * What a service says of why it refuses ends the transaction and nothing else: whatever it says, no
 * second instance is made, and none at all where nothing new came.
 */
static void test_refusal(void)
{
	static const struct {
		err_t said, result;
	} cases[] = {
	        {E_REFUSED, E_REFUSED},
	        {E_UNSUPPORTED, E_UNSUPPORTED},
	        {E_ARENA, E_REFUSED},
	        {E_OK, E_REFUSED},
	        {7, E_REFUSED},
	};

	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		begin_check();
		refuse(services[0].endpoint, update.txn.ticket, cases[k].said);
		assert(trace_is("restore0 clear0 end0 "));
		assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PREPARE, cases[k].result);
		begin_up_to(RS_STEP_PREPARE);
		refuse(services[1].endpoint, update.txn.ticket, cases[k].said);
		assert(trace_is(ALL_BACK));
		assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PREPARE, cases[k].result);
		assert(update.txn.culprit == component(1));
	}
}

/* Each step has its limit; who has not done it by then is the culprit. */
static void test_limits(void)
{
	begin_up_to(RS_STEP_PAIR);
	report(100, SEF_REPORT_READY);
	assert_late(5 * NSEC_SEC, RS_STEP_PAIR, 1);
	begin_up_to(RS_STEP_PREPARE);
	report_prepared_all(2);
	assert_late(2 * NSEC_SEC, RS_STEP_PREPARE, 2);
	begin_up_to(RS_STEP_TRANSFER);
	assert_late(2 * NSEC_SEC, RS_STEP_TRANSFER, 0);
}

/* An order has limits of its own; a machine that stood still has time added to each. */
static void test_own_limits(void)
{
	begin_up_to(RS_STEP_PAIR);
	update.txn.plan.limit[RS_STEP_PREPARE] = 50;
	report_new_all(N, SEF_REPORT_READY);
	component(1)->poll_at = now + 20;
	services[0].ping_at = now + 30;
	assert(txn_next_deadline(&update.txn) == now + 20);
	txn_extend(&update.txn, 15);
	assert(txn_next_deadline(&update.txn) == now + 30); /* pings are recover_extend()'s */
	services[0].ping_at = NSEC_NEVER;
	assert(txn_next_deadline(&update.txn) == now + 35);
	component(1)->poll_at = NSEC_NEVER;
	assert_late(65, RS_STEP_PREPARE, 0);
}

/* The limit of the whole counts until the switch; a machine that stood still has time added. */
static void test_total(void)
{
	begin_up_to(RS_STEP_PAIR);
	update.txn.total_deadline = now + 10;
	txn_extend(&update.txn, 5);
	assert_late(15, RS_STEP_PAIR, 0);
	begin(2, ORDER_UPDATE);
	component(1)->poll_at = component(2)->poll_at = 7;
	txn_extend(&update.txn, 5);
	assert(component(1)->poll_at == 12 && component(2)->poll_at == 7);
	assert(txn_cancel(&update.txn, "") == E_OK);
	begin_up_to(RS_STEP_TRANSFER);
	update.txn.total_deadline = now;
	txn_tick(&update.txn, now);
	assert(update.txn.step == RS_STEP_TRANSFER && trace_is(""));
	report(10, SEF_REPORT_FAILED);
	assert(trace_is(ALL_BACK));
}

static void test_cancel(void)
{
	begin_up_to(RS_STEP_TRANSFER);
	assert(txn_cancel(&update.txn, "why") == E_STATE && trace_is(""));
	report(11, SEF_REPORT_FAILED);
	begin_up_to(RS_STEP_PREPARE);
	report(services[0].endpoint, SEF_REPORT_PREPARED);
	assert(txn_cancel(&update.txn, "why") == E_OK && trace_is(ALL_BACK));
	assert(update.txn.culprit == component(1));
	assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PREPARE, E_CANCELLED);
	assert(strcmp(update.txn.result->transfer.message, "why") == 0);
}

/* A service that is lost ends the transaction of all, and is recovered when that is over. */
static void test_lost(void)
{
	begin_up_to(RS_STEP_PREPARE);
	report(services[1].endpoint, SEF_REPORT_PANIC);
	assert(trace_is(ALL_BACK "crash1 "));
	assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PREPARE, E_CRASHED);
	begin_up_to(RS_STEP_PREPARE);
	report(services[0].endpoint, SEF_REPORT_PREPARED);
	silent_component = 0; /* it stands prepared: nobody expects a sign of life */
	txn_tick(&update.txn, now);
	assert(update.txn.step == RS_STEP_PREPARE);
	silent_component = 2;
	txn_tick(&update.txn, now);
	assert(trace_is(ALL_BACK "crash2 "));
	silent_component = N;
}

/* Who has been asked and did not answer is asked again; who stands prepared is not. */
static void test_poll(void)
{
	begin_up_to(RS_STEP_PREPARE);
	assert(component(0)->poll_pause == NSEC_MSEC);
	report(services[1].endpoint, SEF_REPORT_PREPARED);
	for (uint32_t i = 0; i < N; i++) {
		component(i)->poll_at = now + 7;
	}
	assert(txn_next_deadline(&update.txn) == now + 7);
	now += 7;
	txn_tick(&update.txn, now);
	assert(trace_is("again0 again2 "));
	/* Its poll, which is in the past, sets no alarm either. */
	assert(txn_next_deadline(&update.txn) > now);
	assert(txn_cancel(&update.txn, "") == E_OK);
}

/* A crash of any new instance after the commit ends the wait for all. */
static void test_crash_after_commit(void)
{
	struct slot_event event = {.endpoint = 11, .kind = SLOT_EVENT_FAULT};

	begin_up_to(RS_STEP_TRANSFER);
	report_new_all(N, SEF_REPORT_TRANSFERRED);
	trace[0] = '\0';
	assert(!report_event(&update.txn, &event));
	assert(trace_is("settle0 settle1 settle2 end0 end1 end2 "));
	assert_over(RS_OUTCOME_COMMITTED, RS_STEP_COMMIT, E_OK);
}

/* A move makes no events and takes no place among the results: its own is kept aside. */
static void test_move(void)
{
	struct trust_number check = {0, 1};

	begin(1, ORDER_PREPARE);
	assert(n_told > 0 && txn_cancel(&update.txn, "enough") == E_OK);
	assert(result_open(check)->transaction == 1);
	for (uint64_t i = 1; i < 3 * RESULT_N_OWN; i++) {
		begin_move(i);
		report_new_all(1, SEF_REPORT_READY);
		report_prepared_all(1);
		report_new_all(1, SEF_REPORT_TRANSFERRED);
		txn_tick(&update.txn, now += NSEC_SEC * 3);
		assert_over(RS_OUTCOME_COMMITTED, RS_STEP_COMMIT, E_OK);
		assert(n_told == 0 && update.txn.result == &update.moved);
		assert(update.moved.transaction == i && update.moved.epoch == 0);
	}
	assert(result_find(check) != NULL);
	begin_move(99);
	assert(txn_cancel(&update.txn, "an order came") == E_OK && n_told == 0);
	assert_over(RS_OUTCOME_ROLLED_BACK, RS_STEP_PAIR, E_CANCELLED);
}

int main(void)
{
	sys_gate = (vaddr_t)gate;
	now = NSEC_SEC;
	test_one();
	test_signal();
	test_set();
	test_failures();
	test_cause();
	test_retry();
	test_retry_forgets();
	test_transfer_text();
	test_refused();
	test_retried();
	test_rehearsal();
	test_check();
	test_refusal();
	test_limits();
	test_own_limits();
	test_total();
	test_cancel();
	test_lost();
	test_poll();
	test_crash_after_commit();
	test_move();
	return 0;
}
