/*
 * RS's records as messages of the machine protocol, field by field; words for steps, states and
 * outcomes come from the tables of proto/words. Everything is made in the caller's arena, and
 * what does not fit is left out. Texts are copied up to the length of their field: RS's records
 * need not end them by a NUL.
 *
 * Records are read where RS wrote them, in the buffer of rs.c: they last until the next request to
 * RS. A message keeps no pointer into that buffer; what it says stands in the arena, or in constant
 * strings of this program, which protobuf-c takes without const and does not change.
 *
 * Numbers of RS that this release does not know (a newer RS may have more states, outcomes or kinds)
 * become the protocol's word for none.
 */
#include "osd/servers/agent/priv.h"

#include <string.h>

#include "osd/lib/sys/grant.h"

static const char *const step_names[RS_STEP_N] = {
        [RS_STEP_NONE] = "",
#define STEP(name, word, blame) [RS_STEP_##name] = word,
#include "proto/words/steps.def"
#undef STEP
};

/*
 * A message of the type in the arena, initialized by the function protoc made for it; NULL when the
 * arena is full. `init` gives every field its default, so that what a handler leaves alone is as if
 * it had not been sent.
 */
#define ANSWER_NEW(arena, type, init)                                                              \
	({                                                                                         \
		type *new_ = wire_arena_alloc((arena), sizeof(type));                              \
		if (new_ != NULL) {                                                                \
			init(new_);                                                                \
		}                                                                                  \
		new_;                                                                              \
	})

const char *answer_step_name(enum rs_step step)
{
	return step < RS_STEP_N ? step_names[step] : "";
}

/* Copy a text of at most max bytes, with or without a NUL; "" when the arena is full. */
char *answer_text(struct wire_arena *arena, const char *text, size_t max)
{
	size_t n = strnlen(text, max);
	char *copy = wire_arena_alloc(arena, n + 1);

	if (copy == NULL) {
		return "";
	}
	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

/* Copy bytes; none when the arena is full. */
ProtobufCBinaryData answer_bytes(struct wire_arena *arena, const void *bytes, size_t n)
{
	ProtobufCBinaryData data = {0, wire_arena_alloc(arena, n)};

	if (data.data != NULL) {
		memcpy(data.data, bytes, n);
		data.len = n;
	}
	return data;
}

/* The same for what is zero where there is none. */
static ProtobufCBinaryData answer_given(struct wire_arena *arena, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != 0) {
			return answer_bytes(arena, bytes, n);
		}
	}
	return (ProtobufCBinaryData){0};
}

/* What failed, by RS's error: `step` is a word of proto/words/steps.def or of a request. */
static Wire__Cause *answer_cause(struct wire_arena *arena, err_t err, const char *step)
{
	Wire__Cause *cause = ANSWER_NEW(arena, Wire__Cause, wire__cause__init);

	if (cause != NULL) {
		cause->component = "rs";
		cause->step = (char *)step;
		cause->code = (int32_t)err;
		cause->name = (char *)sys_error_name(err);
		cause->message = (char *)sys_error_text(err);
	}
	return cause;
}

/* What a host can do about an error. Those of signatures and trust (E_V_FORMAT and below) are refusals. */
static Wire__ErrorClass answer_class(err_t err)
{
	switch (err) {
#define ERR(name, value, class, by, sentence, remedy)                                              \
	case value:                                                                                \
		return WIRE__ERROR_CLASS__ERROR_##class;
#include "proto/words/errors.def"
	}
	return WIRE__ERROR_CLASS__ERROR_FAILED;
}

Wire__Error *answer_error(struct wire_arena *arena, err_t err, const char *step)
{
	Wire__Error *error = ANSWER_NEW(arena, Wire__Error, wire__error__init);

	if (error != NULL) {
		error->class_ = answer_class(err);
		error->cause = answer_cause(arena, err, step);
	}
	return error;
}

/* Metrics stand in the order of the service's description; the first without a name ends them. */
static size_t answer_metrics(
        struct wire_arena *arena, const struct rs_service *service, Machine__Metric ***ret_metrics)
{
	Machine__Metric **metrics = wire_arena_alloc(arena, RS_N_METRICS * sizeof(metrics[0]));
	size_t n = 0;

	for (size_t i = 0; metrics != NULL && i < RS_N_METRICS; i++) {
		Machine__Metric *metric;

		if (service->metric_names[i][0] == '\0') {
			break;
		}
		metric = ANSWER_NEW(arena, Machine__Metric, machine__metric__init);
		if (metric == NULL) {
			break;
		}
		metric->name = answer_text(arena, service->metric_names[i], RS_METRIC_NAME_LEN);
		metric->value = service->metrics[i];
		metrics[n++] = metric;
	}
	*ret_metrics = metrics;
	return n;
}

/* The protocol's state by RS's: one row of proto/words/services.def each. */
static Machine__ServiceState answer_state(uint32_t state)
{
	switch ((enum rs_service_state)state) {
#define SERVICE(name, word)                                                                        \
	case RS_SERVICE_##name:                                                                    \
		return MACHINE__SERVICE_STATE__SERVICE_##name;
#include "proto/words/services.def"
#undef SERVICE
	case RS_SERVICE_NONE:
	case RS_SERVICE_STATE_N:
		break;
	}
	return MACHINE__SERVICE_STATE__SERVICE_NONE;
}

/* What the agent adds to RS's record is how long the instance has been running by now. */
Machine__Service *answer_service(struct wire_arena *arena, const struct rs_service *service)
{
	Machine__Service *to = ANSWER_NEW(arena, Machine__Service, machine__service__init);

	if (to == NULL) {
		return NULL;
	}
	to->name = answer_text(arena, service->name, SERVICE_NAME_LEN);
	to->endpoint = service->endpoint;
	to->state = answer_state(service->state);
	to->generation = service->generation;
	to->generation_epoch = service->generation_epoch;
	to->release_id = answer_bytes(arena, service->release_id, RS_HASH_LEN);
	to->counter = service->release;
	to->floor = service->floor;
	to->base_address = service->base;
	to->build_id = answer_bytes(arena, service->build_id, sizeof(service->build_id));
	to->restarts = service->n_restarts;
	to->memory_bytes = service->resident_bytes;
	to->state_bytes = service->state_bytes;
	to->state_objects = service->state_objects;
	to->last_blackout_ns = service->last_blackout;
	to->longest_gap_ns = service->longest_gap;
	to->n_metrics = answer_metrics(arena, service, &to->metrics);
	to->ping_open_ns = service->ping_open;
	to->pong_at_ns = service->pong_at;
	to->pong_took_ns = service->pong_took;
	to->can_update = service->is_updatable;
	to->why_not = service->is_updatable ? "" : (char *)sys_error_text(E_NOT_UPDATABLE);
	to->payload_hash = answer_bytes(arena, service->payload, RS_HASH_LEN);
	to->uptime_ns = sys_clock_read() - service->started;
	to->made = service->n_made;
	to->made_first_ns = service->made_first;
	to->made_last_ns = service->made_last;
	to->made_head = answer_given(arena, service->made_head, sizeof(service->made_head));
	to->machine_made = service->is_machine_made;
	to->layout_kept = service->is_layout_kept != 0;
	to->commitment = answer_given(arena, service->commitment, RS_HASH_LEN);
	to->sealed = answer_given(arena, service->sealed, RS_SEALED_LEN);
	return to;
}

/* Of the machine, as RS knows it; the grants are those of the agent itself. */
Machine__Resources *answer_resources(struct wire_arena *arena, const struct rs_resources *from)
{
	Machine__Resources *to = ANSWER_NEW(arena, Machine__Resources, machine__resources__init);

	if (to != NULL) {
		to->frames_total = from->total_frames;
		to->frames_free = from->free_frames;
		to->slots_free = from->n_slots_free;
		to->spaces_free = from->n_spaces_free;
		to->grants_used = grant_count();
		to->stage_used = from->staged_bytes;
		to->stage_limit = from->staging_budget;
	}
	return to;
}

/* How a transaction ended, by the rows of proto/words/outcomes.def; NONE while it runs. */
static Machine__Outcome answer_outcome(uint32_t outcome)
{
	switch ((enum rs_outcome)outcome) {
#define OUTCOME(name)                                                                              \
	case RS_OUTCOME_##name:                                                                    \
		return MACHINE__OUTCOME__OUTCOME_##name;
#include "proto/words/outcomes.def"
#undef OUTCOME
	case RS_OUTCOME_RUNNING:
		break;
	}
	return MACHINE__OUTCOME__OUTCOME_NONE;
}

/* How long each step took: from its entry to the entry of the next one that was entered. */
static size_t answer_phases(
        struct wire_arena *arena, const struct rs_result *result, Machine__Phase ***ret_phases)
{
	Machine__Phase **phases = wire_arena_alloc(arena, RS_STEP_N * sizeof(phases[0]));
	size_t n = 0;

	for (enum rs_step step = RS_STEP_VERIFY; phases != NULL && step < RS_STEP_DONE; step++) {
		nsec_t from = result->step_at[step], to = 0;
		Machine__Phase *phase;

		for (enum rs_step next = step + 1; next < RS_STEP_N && to == 0; next++) {
			to = result->step_at[next];
		}
		if (from == 0 || to < from) {
			continue;
		}
		phase = ANSWER_NEW(arena, Machine__Phase, machine__phase__init);
		if (phase == NULL) {
			break;
		}
		phase->name = (char *)answer_step_name(step);
		phase->ns = to - from;
		phases[n++] = phase;
	}
	*ret_phases = phases;
	return n;
}

/*
 * Which part the cause lies in: before the switch and after, the
 * instance at work is another one.
 */
static const char *answer_component(const struct rs_result *result)
{
	switch ((enum rs_step)result->step) {
	case RS_STEP_PREPARE:
		return "old instance";
	case RS_STEP_PAIR:
	case RS_STEP_TRANSFER:
		return "new instance";
	case RS_STEP_NONE:
	case RS_STEP_VERIFY:
	case RS_STEP_CREATE:
	case RS_STEP_SWITCH:
	case RS_STEP_COMMIT:
	case RS_STEP_ROLLBACK:
	case RS_STEP_DONE:
	case RS_STEP_N:
		break;
	}
	return "rs";
}

/* The transfer's own words are more exact than the error's sentence, where there are any. */
static Wire__Cause *answer_result_cause(struct wire_arena *arena, const struct rs_result *result)
{
	Wire__Cause *cause =
	        answer_cause(arena, result->err, answer_step_name((enum rs_step)result->step));

	if (cause != NULL) {
		cause->component = (char *)answer_component(result);
		if (result->transfer.message[0] != '\0') {
			cause->message = answer_text(arena, result->transfer.message, SEF_TEXT_LEN);
		}
		cause->element = answer_text(arena, result->transfer.element, SEF_TEXT_LEN);
	}
	return cause;
}

/* RS gives the names in one text and their full number, for there may be more than fit. */
static void answer_removed(
        struct wire_arena *arena, const struct rs_result *result, Machine__Result *to)
{
	to->removed_total = result->transfer.n_removed;
	if (result->transfer.removed[0] != '\0') {
		to->removed = wire_arena_alloc(arena, sizeof(to->removed[0]));
		if (to->removed != NULL) {
			to->removed[0] = answer_text(arena, result->transfer.removed, SEF_TEXT_LEN);
			to->n_removed = 1;
		}
	}
}

/* The result of a transaction that has ended, or so much of it as there is while it runs. */
Machine__Result *answer_result(struct wire_arena *arena, const struct rs_result *result)
{
	Machine__Result *to = ANSWER_NEW(arena, Machine__Result, machine__result__init);

	if (to == NULL) {
		return NULL;
	}
	to->txn = result->transaction;
	to->epoch = result->epoch;
	to->action = result->action;
	to->service = answer_text(arena, result->service, SERVICE_NAME_LEN);
	to->outcome = answer_outcome(result->outcome);
	to->prepare_only = result->outcome == RS_OUTCOME_PREPARED;
	if (result->err != E_OK) {
		to->cause = answer_result_cause(arena, result);
	}
	to->generation = result->generation;
	to->generation_epoch = result->generation_epoch;
	to->build_id = answer_bytes(arena, result->build_id, sizeof(result->build_id));
	to->base_address = result->base;
	to->blackout_ns = result->blackout;
	to->n_phases = answer_phases(arena, result, &to->phases);
	to->bytes = result->transfer.bytes;
	to->objects = result->transfer.objects;
	to->arena_bytes = result->arena_bytes;
	answer_removed(arena, result, to);
	to->copied_strings = result->transfer.n_strings_copied;
	to->tries = result->n_prepare_tries;
	to->vm_faults = (uint32_t)result->n_vm_faults;
	to->finished_ns = result->step_at[RS_STEP_DONE];
	to->arena_retried = result->n_arena_tries > 1;
	to->total_ns = result->step_at[RS_STEP_DONE] > 0
	                       ? result->step_at[RS_STEP_DONE] - result->asked
	                       : 0;
	to->layout_ns = result->layout_nsec;
	to->layout_pieces = result->layout_pieces;
	to->layout_kept_address = result->layout_kept_address;
	to->layout_kept_base = result->layout_kept_base;
	to->commitment = answer_given(arena, result->commitment, RS_HASH_LEN);
	to->sealed = answer_given(arena, result->sealed, RS_SEALED_LEN);
	return to;
}

/* What became of a service, by the rows of proto/words/changes.def; NONE for events of another kind. */
static Machine__ServiceChangeKind answer_change_kind(uint32_t kind)
{
	switch ((enum rs_event_kind)kind) {
#define CHANGE(name, sentence)                                                                     \
	case RS_EVENT_##name:                                                                      \
		return MACHINE__SERVICE_CHANGE_KIND__CHANGE_##name;
#include "proto/words/changes.def"
#undef CHANGE
	case RS_EVENT_STEP:
	case RS_EVENT_RESULT:
		break;
	}
	return MACHINE__SERVICE_CHANGE_KIND__CHANGE_NONE;
}

/* A service changed its state. The event's text, where RS has one, says more than the error's sentence. */
static void answer_event_change(
        struct wire_arena *arena, const struct rs_event *event, Machine__Event *to)
{
	Machine__ServiceChange *change =
	        ANSWER_NEW(arena, Machine__ServiceChange, machine__service_change__init);

	if (change == NULL) {
		return;
	}
	change->service = answer_text(arena, event->service, SERVICE_NAME_LEN);
	change->kind = answer_change_kind(event->kind);
	change->cause = answer_cause(arena, event->err, "run");
	if (change->cause != NULL && event->text[0] != '\0') {
		change->cause->message = answer_text(arena, event->text, sizeof(event->text));
	}
	to->body_case = MACHINE__EVENT__BODY_CHANGE;
	to->change = change;
}

/* A transaction entered a step. */
static void answer_event_step(
        struct wire_arena *arena, const struct rs_event *event, Machine__Event *to)
{
	Machine__TxnStep *step = ANSWER_NEW(arena, Machine__TxnStep, machine__txn_step__init);

	if (step == NULL) {
		return;
	}
	step->txn = event->transaction;
	step->epoch = event->epoch;
	step->step = (char *)answer_step_name((enum rs_step)event->step);
	to->body_case = MACHINE__EVENT__BODY_STEP;
	to->step = step;
}

/*
 * The end of a transaction is an event that does not carry the result: that is asked for here, which
 * overwrites the buffer the event stands in. A result that RS does not keep any more leaves its
 * number and error.
 */
Machine__Event *answer_event(struct wire_arena *arena, const struct rs_event *event)
{
	Machine__Event *to = ANSWER_NEW(arena, Machine__Event, machine__event__init);
	const struct rs_result *result;
	uint64_t txn = event->transaction, epoch = event->epoch;
	err_t err = event->err;

	if (to == NULL) {
		return NULL;
	}
	to->seq = event->sequence;
	to->clock_ns = event->at;
	switch ((enum rs_event_kind)event->kind) {
	case RS_EVENT_STEP:
		answer_event_step(arena, event, to);
		break;
	case RS_EVENT_RESULT:
		result = rs_result_of(epoch, txn); /* overwrites the event's buffer */
		to->body_case = MACHINE__EVENT__BODY_RESULT;
		to->result = result != NULL
		                     ? answer_result(arena, result)
		                     : ANSWER_NEW(arena, Machine__Result, machine__result__init);
		if (result == NULL && to->result != NULL) {
			to->result->txn = txn;
			to->result->epoch = epoch;
			to->result->cause = err == E_OK ? NULL : answer_cause(arena, err, "");
		}
		break;
#define CHANGE(name, sentence) case RS_EVENT_##name:
#include "proto/words/changes.def"
#undef CHANGE
		answer_event_change(arena, event, to);
		break;
	}
	return to;
}
