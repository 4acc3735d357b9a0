/*
 * What was asked for, field by field beside the order that lud proposes. An order that does
 * something else, for another service, release or state, with other limits or a longer life
 * than anything needs, is refused with the reason. What the person left open (the newest
 * release, a default state) is lud's word, and shown before it is signed. Whether the machine
 * is the one that was named is known.c's question.
 */
#include "ctl/sign/intent.h"

#include <stdbool.h>
#include <string.h>

/* Longer than any root of ours lets an order live. Also against dates ahead: they last as long. */
#define INTENT_LIFE_SEC 3600u

/* What --release takes for "the newest one"; it is left to lud, as no release at all is. */
#define INTENT_NEWEST "newest"

/*
 * What of a request needs a control key's signature; action 0: nothing. What was left to lud is ""
 * or 0; releases by generation (rollback) and the newest one are lud's word, and shown.
 */
struct intent {
	uint32_t action;
	const char *service; /* NULL: the whole machine */
	const char *release; /* prefix of its id */
	const char *state;   /* quiescent state */
	uint32_t timeout_ms, hold_ms;
};

/*
 * An update needs a control key only with --accept-loss. Only then may its order carry a
 * consent, so only then is anything signed.
 */
static struct intent intent_update(const Control__UpdateRequest *update)
{
	uint32_t action = update->prepare_only ? ORDER_PREPARE : ORDER_UPDATE;

	return (struct intent){.action = update->accept_loss ? action : 0,
	        .service = update->service,
	        .release = strcmp(update->release, INTENT_NEWEST) != 0 ? update->release : "",
	        .state = update->state,
	        .timeout_ms = update->timeout_ms,
	        .hold_ms = update->hold_ms};
}

/*
 * The same for a rollback. The generation of --to is known to lud only, so its release is not
 * compared; it is shown before it is signed.
 */
static struct intent intent_rollback(const Control__RollbackRequest *rollback)
{
	return (struct intent){.action = rollback->accept_loss ? ORDER_UPDATE : 0,
	        .service = rollback->service,
	        .release = "",
	        .state = rollback->state,
	        .timeout_ms = rollback->timeout_ms};
}

/*
 * The requests that may need a control key, by name. Every other one gives action 0, and its
 * order is not signed: a request that is added later must be added here on purpose, hence a
 * default.
 */
static struct intent intent_of(const Control__Request *asked)
{
	switch ((int)asked->body_case) {
	case CONTROL__REQUEST__BODY_UPDATE:
		return intent_update(asked->update);
	case CONTROL__REQUEST__BODY_ROLLBACK:
		return intent_rollback(asked->rollback);
	case CONTROL__REQUEST__BODY_RESTART:
		return (struct intent){.action = ORDER_RESTART, .service = asked->restart->service};
	case CONTROL__REQUEST__BODY_MACHINE_STOP:
		return (struct intent){.action = asked->machine_stop->clean ? ORDER_SHUTDOWN : 0};
	default:
		return (struct intent){0};
	}
}

/*
 * Is the order for exactly this service? NULL: for the whole machine, so it has no component.
 * The name in the order may fill its field to the last byte.
 */
static bool intent_is_of_service(const char *service, const struct order_manifest *order)
{
	const struct order_component *c = order_components(order);

	if (!service) {
		return order->n_components == 0;
	}
	return order->n_components == 1 && strlen(service) < sizeof(c->service) &&
	       strncmp(c->service, service, sizeof(c->service)) == 0;
}

/* Whether hex is a prefix of the id, as lud takes it: in either case. */
static bool intent_is_release(const char *hex, const uint8_t id[64])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; hex[i] != '\0'; i++) {
		const char *digit = i < 128 ? strchr(digits, hex[i] | 0x20) : NULL;
		uint8_t nibble = i % 2 ? id[i / 2] & 15 : id[i / 2] >> 4;

		if (!digit || digit - digits != nibble) {
			return false;
		}
	}
	return true;
}

/* What an update was to be, beside of which service. */
static const char *intent_update_refusal(
        const struct intent *intent, const struct order_manifest *order)
{
	const struct order_component *c = order_components(order);

	if (!intent_is_release(intent->release, c->release_id)) {
		return "it is for another release than the one that was named";
	}
	if (*intent->state && (strlen(intent->state) >= sizeof(c->state) ||
	                              strncmp(c->state, intent->state, sizeof(c->state)) != 0)) {
		return "it waits for another quiescent state than the one that was named";
	}
	if ((intent->timeout_ms && order->total_ms != intent->timeout_ms) ||
	        (intent->hold_ms && order->hold_ms != intent->hold_ms)) {
		return "it has other time limits than those that were given";
	}
	return NULL;
}

const char *intent_machine(const Control__Request *asked)
{
	switch ((int)asked->body_case) {
	case CONTROL__REQUEST__BODY_UPDATE:
		return asked->update->machine;
	case CONTROL__REQUEST__BODY_ROLLBACK:
		return asked->rollback->machine;
	case CONTROL__REQUEST__BODY_RESTART:
		return asked->restart->machine;
	case CONTROL__REQUEST__BODY_MACHINE_STOP:
		return asked->machine_stop->machine;
	default:
		return "";
	}
}

const char *intent_refusal(
        const Control__Request *asked, const struct order_manifest *order, uint64_t now)
{
	struct intent intent = intent_of(asked);
	const char *refusal = NULL;

	if (intent.action == 0) {
		return "nothing was asked for that needs a control key";
	}
	if (order->action != intent.action) {
		return "its action is not the one that was asked for";
	}
	if (!intent_is_of_service(intent.service, order)) {
		return "it is for other services than the one that was asked for";
	}
	if (order->argument != 0) {
		return "it has an argument that was not asked for";
	}
	if (intent.action == ORDER_UPDATE || intent.action == ORDER_PREPARE) {
		refusal = intent_update_refusal(&intent, order);
	}
	if (refusal) {
		return refusal;
	}
	return order->expires > now + INTENT_LIFE_SEC ? "it would be valid for too long" : NULL;
}
