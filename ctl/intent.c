#include "ctl/intent.h"

#include <stdbool.h>
#include <string.h>

/* Longer than any root of ours lets an order live. Also against dates ahead: they last as long. */
#define INTENT_LIFE_SEC 3600u

/* What of a request needs a control key's signature; action 0: nothing. */
struct intent {
	uint32_t action;
	const char *service; /* NULL: the whole machine */
};

static struct intent intent_update(const Control__UpdateRequest *update)
{
	uint32_t action = update->prepare_only ? ORDER_PREPARE : ORDER_UPDATE;

	return (struct intent){update->accept_loss ? action : 0, update->service};
}

static struct intent intent_of(const Control__Request *asked)
{
	switch ((int)asked->body_case) {
	case CONTROL__REQUEST__BODY_UPDATE:
		return intent_update(asked->update);
	case CONTROL__REQUEST__BODY_ROLLBACK:
		return (struct intent){
		        asked->rollback->accept_loss ? ORDER_UPDATE : 0, asked->rollback->service};
	case CONTROL__REQUEST__BODY_RESTART:
		return (struct intent){ORDER_RESTART, asked->restart->service};
	case CONTROL__REQUEST__BODY_MACHINE_STOP:
		return (struct intent){asked->machine_stop->clean ? ORDER_SHUTDOWN : 0, NULL};
	default:
		return (struct intent){0};
	}
}

static bool intent_is_of_service(const char *service, const struct order_manifest *order)
{
	const struct order_component *c = order_components(order);

	if (!service) {
		return order->n_components == 0;
	}
	return order->n_components == 1 && strlen(service) < sizeof(c->service) &&
	       strncmp(c->service, service, sizeof(c->service)) == 0;
}

const char *intent_refusal(
        const Control__Request *asked, const struct order_manifest *order, uint64_t now)
{
	struct intent intent = intent_of(asked);

	if (intent.action == 0) {
		return "nothing was asked for that needs a control key";
	}
	if (order->action != intent.action) {
		return "it does something else than what was asked for";
	}
	if (!intent_is_of_service(intent.service, order)) {
		return "it is about something else than what was asked for";
	}
	return order->expires > now + INTENT_LIFE_SEC ? "it would be good for too long" : NULL;
}
