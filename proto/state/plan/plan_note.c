/*
 * Plans that annotations ask for: nothing (skip), bytes as they are (raw), a handler; and the rule
 * that a version may only change where a handler knows what that means. These are the places where
 * an author overrules the types, so they are looked at before the types are.
 */
#include <string.h>

#include "proto/state/plan/plan.h"

/*
 * The new function of this name. A static one of the same name elsewhere makes it unclear, and is
 * refused.
 */
static enum state_code note_handler_find(
        struct state_report *r, const char *name, state_handler_t *ret)
{
	const struct state_desc *desc = &r->sides->desc[STATE_NEW];
	uint32_t n;
	uint32_t first = state_desc_kind_first(desc, STATE_FUNCTION, &n);
	uint64_t found = 0;

	for (uint32_t i = first; i < first + n; i++) {
		uint64_t addr = r->sides->addr[STATE_NEW][i];

		if (addr == 0 ||
		        strcmp(state_desc_string(desc, desc->entries[i].name), name) != 0) {
			continue;
		}
		if (found != 0) {
			return state_fail(r, STATE_E_ANNOTATION,
			        "several functions of the release have the handler's name", 0);
		}
		found = addr;
	}
	*ret = (state_handler_t)(uintptr_t)found;
	return found != 0 ? STATE_OK
	                  : state_fail(r, STATE_E_ANNOTATION,
	                            "handler is no function of the release", 0);
}

/* The default is made later (state_plan_defaults): it may need plans in the making. */
static enum state_code note_handler(struct state_maker *m, const uint32_t type[2],
        const struct state_notes *old, const struct state_notes *new)
{
	struct state_handler *handler = state_keep(m->report, sizeof(*handler));
	struct state_op *op = state_op_push(m->report, STATE_OP_HANDLER);
	enum state_code code;

	if (handler == NULL || op == NULL) {
		return STATE_E_SCRATCH;
	}
	code = note_handler_find(m->report, new->handler, &handler->call);
	if (code != STATE_OK) {
		return code;
	}
	handler->type[STATE_OLD] = type[STATE_OLD];
	handler->type[STATE_NEW] = type[STATE_NEW];
	handler->version[STATE_OLD] = old->version;
	handler->version[STATE_NEW] = new->version;
	handler->next = m->handlers;
	m->handlers = handler;
	m->has_handlers = true;
	op->sub = handler;
	return STATE_OK;
}

/* Even pointers are copied: the author says that they are none, or mean nothing. */
static enum state_code note_raw(struct state_report *r, const uint32_t type[2])
{
	uint64_t old_size = state_type_size(&r->sides->desc[STATE_OLD], type[STATE_OLD]);
	uint64_t new_size = state_type_size(&r->sides->desc[STATE_NEW], type[STATE_NEW]);

	if (old_size != new_size) {
		return state_fail(r, STATE_E_TYPE, "raw bytes changed their size", new_size);
	}
	return state_op_copy(r, old_size);
}

/*
 * Honour skip, raw, handler and version; *ret_done: nothing else is to be done. What the old
 * release skipped has no value worth carrying over.
 */
enum state_code state_plan_noted(struct state_maker *m, const uint32_t type[2],
        const struct state_notes *old, const struct state_notes *new, bool *ret_done)
{
	*ret_done = true;
	if (old->skip || new->skip) {
		return STATE_OK;
	}
	if (new->handler != NULL) {
		return note_handler(m, type, old, new);
	}
	if (old->version != new->version) {
		return state_fail(m->report, STATE_E_VERSION, "version changed without a handler",
		        new->version);
	}
	if (new->raw) {
		return note_raw(m->report, type);
	}
	*ret_done = false;
	return STATE_OK;
}
