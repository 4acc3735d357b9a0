/*
 * One order of a job. Its number is the next that was never signed for this machine in
 * this epoch, so a number names one order for good: whatever was lost on the way, the
 * machine's answer for (epoch, number) settles what became of it. The order key's
 * signature comes from the signer; what destroys is then shown to whoever asked, whose
 * control key lud never sees.
 *
 * A machine whose time is ahead of ours by more than an order lives would call every
 * order expired: said here, before anything is signed. One that is behind is not asked.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/hook.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope_crypto.h"

/* How long a person's signature is waited for before the order is made anew. */
#define ORDER_CONTROL_USEC UINT64_C(30000000)
#define ORDER_PROPOSED_MAX 2u
/* How long after the update's own limit its result is asked for. */
#define ORDER_RESULT_GRACE_USEC UINT64_C(1000000)
/* How often and how long it is looked whether the machine took its statement, and after how many
 * looks it is given another. */
#define ORDER_UNSTATED_USEC UINT64_C(100000)
#define ORDER_UNSTATED_MAX 50u
#define ORDER_UNSTATED_AGAIN 10u
/* An order that ends sooner is made anew rather than sent. */
#define ORDER_LEFT_SEC 5

static int64_t order_now_sec(void)
{
	return store_now_usec() / 1000000;
}

static void order_fail(struct job *job, const char *what, int r)
{
	struct failure failure;

	failure_set(&failure, "order", machine_row(job->machine)->name,
	        "check the keyring's root.signed and the state directory", "%s: %s", what,
	        strerror(-r));
	job_fail(job, JOB_FAILED, &failure);
}

bool job_order_is_current(const struct job *job)
{
	const struct machine_row *row = machine_row(job->machine);
	const Machine__Status *status = machine_status(job->machine);
	const struct order_row *order = &job->order;
	bool passed = status->newest_epoch > order->epoch ||
	              (status->newest_epoch == order->epoch && status->newest_txn >= order->txn);

	return order->id && order->boot_id == row->boot_id && order->line == row->line &&
	       !order->accepted && !passed && order->expires > order_now_sec() + ORDER_LEFT_SEC;
}

bool job_time_fits(struct job *job)
{
	uint64_t life = job->engine->parts.config->order_lifetime_usec / 1000000;
	uint64_t now = (uint64_t)order_now_sec();
	const Machine__Status *status = machine_status(job->machine);
	const char *name = machine_row(job->machine)->name;
	struct failure failure;
	char remedy[160];

	if (status->time <= now || status->time - now <= life) {
		return true;
	}
	snprintf(remedy, sizeof(remedy),
	        "if this host's clock is right, set the machine's with `luctl machine time %s`",
	        name);
	failure_set(&failure, "machine-ahead", name, remedy,
	        "the machine's time is %" PRIu64 " s ahead of this host's: it would take an order "
	        "of %" PRIu64 " s for expired",
	        status->time - now, life);
	job_fail(job, JOB_FAILED, &failure);
	return false;
}

/* The next number: above all that were signed, and all that the machine has seen. */
static int order_number(struct job *job, uint64_t epoch, uint64_t *ret_txn)
{
	const Machine__Status *status = machine_status(job->machine);
	uint64_t highest = 0;
	int r = store_order_highest(job->engine->parts.db, job->row.machine, epoch, &highest);

	if (r) {
		return err_up(r);
	}
	if (status->newest_epoch == epoch && status->newest_txn > highest) {
		highest = status->newest_txn;
	}
	*ret_txn = highest + 1;
	return 0;
}

static uint32_t order_timeout_ms(const struct job *job)
{
	const struct config *config = job->engine->parts.config;

	return job->row.timeout_ms ? (uint32_t)job->row.timeout_ms
	                           : (uint32_t)(config->update_timeout_usec / 1000);
}

static void order_limits(const struct job *job, struct order_manifest *order)
{
	const struct config *config = job->engine->parts.config;
	uint64_t left_ms = job_left_usec(job) / 1000;

	order->total_ms = order_timeout_ms(job);
	if (left_ms < order->total_ms) {
		/* 0 would be the machine's own limits. */
		order->total_ms = left_ms ? (uint32_t)left_ms : 1;
	}
	order->hold_ms = job->row.hold_ms ? (uint32_t)job->row.hold_ms
	                                  : (uint32_t)(config->hold_usec / 1000);
	order->prepare_ms = (uint32_t)(config->prepare_timeout_usec / 1000);
	order->transfer_ms = (uint32_t)(config->transfer_timeout_usec / 1000);
	if (job->row.timeout_ms) {
		/* A limit that a person gave counts for each phase too. */
		order->prepare_ms = order->transfer_ms = order->total_ms;
	}
}

/* The component of an update: what the signed variant says, and its generation. */
static int order_component(struct job *job, struct order_component *component)
{
	const struct job_part *part = job->parts;
	_cleanup_(freep) uint8_t *envelope = NULL;
	struct envelope_view view;
	size_t size;
	int r;

	r = store_generation_envelope(job->engine->parts.db, part->generation.id, &envelope, &size);
	if (r) {
		return err_fold(r);
	}
	if (envelope_open(envelope, size, &view) != ENVELOPE_OK || !view.variant) {
		return err_raise(-EBADMSG);
	}
	variant_manifest_hash(view.variant, component->variant_hash);
	memcpy(component->release_id, view.variant->release_id, sizeof(component->release_id));
	memcpy(component->consent, job->row.consent, sizeof(component->consent));
	snprintf(component->state, sizeof(component->state), "%s", job->row.quiescent);
	component->generation = part->generation.number;
	component->recipe = view.variant->recipe;
	return 0;
}

static int order_fill(struct job *job, struct order_manifest *order)
{
	struct order_component *component = (void *)(order + 1);
	int r = 0;

	switch ((enum order_action)order->action) {
	case ORDER_UPDATE:
	case ORDER_PREPARE:
		order_limits(job, order);
		order->n_components = 1;
		snprintf(component->service, sizeof(component->service), "%s", job->row.service);
		r = job_parts_load(job);
		if (!r) {
			r = order_component(job, component);
		}
		break;
	case ORDER_RESTART:
		order->n_components = 1;
		snprintf(component->service, sizeof(component->service), "%s", job->row.service);
		break;
	case ORDER_CONFIRM:
	case ORDER_SHUTDOWN:
	case ORDER_DROP:
	case _ORDER_ACTION_N:
		break;
	}
	order->size = (uint32_t)order_manifest_size(order->n_components);
	return err_up(r);
}

/* Root and signed part as they are sent. */
static int order_assemble(struct job *job, const void *part, size_t part_size)
{
	_cleanup_(freep) uint8_t *root = NULL;
	_cleanup_(freep) uint8_t *envelope = mem_zero(ENVELOPE_SIZE_MAX);
	struct envelope_view view;
	size_t root_size, size;
	int r = kit_root_read(job->engine->parts.config->keyring, &root, &root_size);

	if (r < 0) {
		return err_up(r);
	}
	size = envelope_write(ENVELOPE_OF_ORDER, (const void *const[]){root, part},
	        (const size_t[]){root_size, part_size}, envelope, ENVELOPE_SIZE_MAX);
	if (!size || envelope_open(envelope, size, &view) != ENVELOPE_OK ||
	        view.root->serial != job->order.epoch) {
		return err_raise(-EBADMSG);
	}
	job->order.expires = (int64_t)view.order->expires;
	free(job->order_envelope);
	job->order_envelope = steal(&envelope);
	job->order_size = size;
	return 0;
}

/* The root was renewed while the signer was asked: what came of it fits neither. */
static bool order_root_moved(const struct job *job)
{
	uint64_t serial;
	int r = kit_root_serial(job->engine->parts.config->keyring, &serial);

	err_forget();
	return r == 0 && serial != job->order.epoch;
}

static void order_signed(const struct failure *failure, const struct signer_reply *reply, void *arg)
{
	struct job *job = arg;
	struct failure refused;
	int r;

	if (!failure && order_root_moved(job)) {
		job_again(job, 1000);
		return;
	}
	if (!failure && reply->status != SIGNER_OK) {
		failure_set(&refused,
		        reply->reason ? envelope_reason_name(reply->reason) : "signer", "signer",
		        job_signer_remedy(reply), "the signer refuses the order: %s", reply->text);
		failure = &refused;
	}
	if (failure) {
		job_fail(job, JOB_FAILED, failure);
		return;
	}
	r = order_assemble(job, reply->part.bytes, reply->part.len);
	if (r < 0) {
		order_fail(job, "the order cannot be put together", r);
		return;
	}
	job_order_drop_proposal(job);
	job->proposal = mem_zero(sizeof(*job->proposal));
	*job->proposal = reply->part;
	job->ordered(job);
}

void job_order_make(struct job *job, uint32_t action, uint64_t argument, job_ordered_fn done)
{
	const struct machine_row *machine = machine_row(job->machine);
	struct signer_request request = {.op = SIGNER_SIGN_ORDER};
	struct order_manifest *order = (void *)request.order.manifest;
	uint64_t epoch;
	int r = kit_root_serial(job->engine->parts.config->keyring, &epoch);

	memcpy(order->magic, ORDER_MAGIC, sizeof(order->magic));
	order->version = MANIFEST_VERSION;
	memcpy(order->machine_id, machine->machine_id, sizeof(order->machine_id));
	order->boot_id = machine->boot_id;
	order->action = action;
	order->argument = argument;
	if (!r) {
		order->epoch = epoch;
		r = order_number(job, epoch, &order->transaction);
	}
	if (!r) {
		r = order_fill(job, order);
	}
	if (r < 0) {
		order_fail(job, "the order cannot be made", r);
		return;
	}
	job->order = (struct order_row){
	        .job = job->row.id,
	        .machine = machine->id,
	        .boot_id = machine->boot_id,
	        .line = machine->line,
	        .epoch = epoch,
	        .txn = order->transaction,
	        .action = action,
	};
	job->ordered = done;
	request.order.len = order->size;
	request.order.lifetime_sec =
	        (uint32_t)(job->engine->parts.config->order_lifetime_usec / 1000000);
	signer_client_ask(job->engine->parts.signer, &request, order_signed, job);
}

int job_order_insert(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = store_order_insert(db, &job->order, job->order_envelope, job->order_size);

	if (!r && job->n_parts == 1) {
		r = store_generation_set_epoch(db, job->parts->generation.id, job->order.epoch);
	}
	return err_fold(r);
}

int job_order_mark_sent(struct db *db, void *arg)
{
	struct job *job = arg;
	int r;

	job->order.sent = true;
	job->row.boot_id = job->order.boot_id;
	r = store_order_update(db, &job->order);
	if (!r) {
		r = store_job_update(db, &job->row);
	}
	return err_up(r);
}

void job_order_drop_proposal(struct job *job)
{
	free(job->proposal);
	job->proposal = NULL;
}

void job_order_send(struct job *job, channel_reply_fn fn)
{
	_cleanup_(freep) uint8_t *envelope = NULL;
	Machine__OrderRun run = MACHINE__ORDER_RUN__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;
	size_t size;

	if (store_order_envelope(job->engine->parts.db, job->order.id, &envelope, &size)) {
		order_fail(job, "the order is not in the record", -ENODATA);
		return;
	}
	run.envelope.data = envelope;
	run.envelope.len = size;
	request.body_case = MACHINE__REQUEST__BODY_ORDER_RUN;
	request.order_run = &run;
	request.identity = job->row.identity;
	if (machine_request(job->machine, &request, JOB_ANSWER_USEC, fn, job) < 0) {
		err_forget();
		job_park(job, "the session with the machine is lost");
	}
}

static int order_accepted_txn(struct db *db, void *arg)
{
	const struct job *job = arg;

	return err_up(store_order_update(db, &job->order));
}

void job_order_accepted(struct job *job)
{
	if (job->row.kind == JOB_SHUTDOWN) {
		machine_expect_end(job->machine);
	}
	job->order.accepted = true;
	if (!job_record(job, order_accepted_txn, job)) {
		return;
	}
	hook_point(job_step_name(job->row.step), "accepted");
	/* The result comes as an event; should it be lost, it is asked for. */
	job_limit_again(job, order_timeout_ms(job) * UINT64_C(1000));
	job_again(job, order_timeout_ms(job) * UINT64_C(1000) + ORDER_RESULT_GRACE_USEC);
}

static uint32_t order_job_action(const struct job *job)
{
	switch (job->row.kind) {
	case JOB_UPDATE:
	case JOB_ROLLBACK:
	case JOB_RERANDOMIZE:
		return ORDER_UPDATE;
	case JOB_PREPARE:
		return ORDER_PREPARE;
	case JOB_RESTART:
		return ORDER_RESTART;
	case JOB_SHUTDOWN:
		return ORDER_SHUTDOWN;
	case JOB_START:
	case _JOB_KIND_N:
		break;
	}
	return 0;
}

static void order_step_done(struct job *job)
{
	char detail[64];

	job_order_drop_proposal(job);
	snprintf(detail, sizeof(detail), "order %" PRIu64 ".%" PRIu64, job->order.epoch,
	        job->order.txn);
	job_done(job, detail, job_order_insert, job);
}

/* Signed by the order key: enough, or shown to whoever has a control key. */
static void order_step_signed(struct job *job)
{
	_cleanup_(pool_fini) struct pool pool;
	struct job_news news = {.event = JOB_EVENT_PROPOSED, .row = &job->row};
	struct envelope_part part;
	struct failure failure;

	pool_init(&pool);
	if (envelope_part_open(job->proposal->bytes, job->proposal->len, &part) != ENVELOPE_OK) {
		order_fail(job, "the signer gave no order", -EBADMSG);
		return;
	}
	if (!order_needs_control((const struct order_manifest *)part.manifest)) {
		order_step_done(job);
		return;
	}
	if (job->n_proposed++ == ORDER_PROPOSED_MAX) {
		failure_set(&failure, "no-control", machine_row(job->machine)->name,
		        "give the command where the control key is (see `luctl keys list`)",
		        "nobody signed the order with a control key");
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	news.order = part.manifest;
	news.order_size = part.manifest_len;
	news.pairing = job_pair_recorded(job, &pool);
	news.machine = machine_row(job->machine)->name;
	job_limit_again(job, ORDER_CONTROL_USEC);
	job_again(job, ORDER_CONTROL_USEC);
	engine_tell(job->engine, &news);
}

/* Whether the key is one of the root's control keys and signed exactly this. */
static bool order_control_is_good(const struct root_manifest *root,
        const struct envelope_part *part, const struct envelope_signature *signature)
{
	for (uint32_t i = 0; i < root->n_keys[ROOT_ROLE_CONTROL]; i++) {
		const struct root_key *key = &root->keys[ROOT_ROLE_CONTROL][i];

		if (!memcmp(key->id, signature->key_id, sizeof(key->id))) {
			return envelope_signature_check(
			        key->pub, part->manifest, part->manifest_len, signature->sig);
		}
	}
	return false;
}

int job_order_countersign(
        struct job *job, const struct envelope_signature *signature, struct failure *ret_failure)
{
	_cleanup_(freep) uint8_t *made = mem_zero(SIGNER_PART_MAX);
	struct envelope_signature both[2];
	struct envelope_part part;
	struct envelope_view view;
	size_t size;

	if (!job->proposal || !job->order_envelope ||
	        envelope_part_open(job->proposal->bytes, job->proposal->len, &part) ||
	        envelope_open(job->order_envelope, job->order_size, &view)) {
		failure_set(ret_failure, "no-proposal", job->row.service, "give the command again",
		        "the job waits for no signature");
		return err_raise(-ESRCH);
	}
	if (!order_control_is_good(view.root, &part, signature)) {
		failure_set(ret_failure, "no-control", "signature",
		        "use the control key that the keyring's root.signed names",
		        "the signature is not by a control key of the signed root over this order");
		return err_raise(-EKEYREJECTED);
	}
	both[0] = part.signatures[0];
	both[1] = *signature;
	size = envelope_part_write(
	        ENVELOPE_ORDER, part.manifest, part.manifest_len, both, 2, made, SIGNER_PART_MAX);
	if (!size || order_assemble(job, made, size) < 0) {
		err_forget();
		failure_set(ret_failure, "order", job->row.service, "give the command again",
		        "the order cannot be put together");
		return err_raise(-EBADMSG);
	}
	order_step_done(job);
	return 0;
}

bool job_state_again(struct job *job)
{
	if (job->n_unstated >= ORDER_UNSTATED_MAX) {
		return false;
	}
	/* At the first look that of the session may be on its way. */
	if (job->n_unstated++ % ORDER_UNSTATED_AGAIN == 1) {
		engine_state_machine(job->engine, job->machine);
	}
	return true;
}

/* The machine may have learned of a newer root, under which it was told nothing yet. */
static void order_wait_statement(struct job *job)
{
	struct failure failure;

	if (job_state_again(job)) {
		job_again(job, ORDER_UNSTATED_USEC);
		return;
	}
	failure_set(&failure, "no-statement", machine_row(job->machine)->name,
	        "see lud's log for why it was not signed or not taken",
	        "the machine takes no starting statement of its newest root, so it runs no order");
	job_fail(job, JOB_FAILED, &failure);
}

/*
 * Floors that statements told end with the statements' root. Under a newer one they are told anew:
 * the signer answers in turn, so the machine has them before it has the order.
 */
static void order_state_again(struct job *job)
{
	uint64_t epoch;

	if (!kit_root_serial(job->engine->parts.config->keyring, &epoch) &&
	        machine_status(job->machine)->root_serial < epoch) {
		engine_state_machine(job->engine, job->machine);
	}
	err_forget();
}

static void order_begin(struct job *job)
{
	uint32_t action = order_job_action(job);
	int r;

	if (!machine_status(job->machine)->has_statement) {
		order_wait_statement(job);
		return;
	}
	job->n_unstated = 0;
	if (job_pair_is_over(job)) {
		job_back(
		        job, JOB_STEP_PAIR, "another release runs than the one it was paired with");
		return;
	}
	r = store_order_newest(job->engine->parts.db, job->row.id, action, &job->order);
	if (!r && job_order_is_current(job)) {
		job_done(job, "as before", NULL, NULL);
		return;
	}
	err_forget();
	if (job_time_fits(job)) {
		order_state_again(job);
		job_order_make(job, action, 0, order_step_signed);
	}
}

void job_step_order(struct job *job)
{
	job_refresh(job, order_begin);
}
