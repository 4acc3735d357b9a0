/*
 * What is not simply carried over: lost, dropped, moved, copied. Listed as notices, which people and
 * the host read, and as lines of the result.
 */
#include <string.h>

#include "proto/state/plan/text.h"
#include "proto/state/plan/transfer.h"

/* A line at the end of the notes. */
static struct state_text notes_begin(struct state_transfer *t)
{
	struct state_result *result = t->result;

	return (struct state_text){
	        .buffer = result->notes,
	        .size = sizeof(result->notes),
	        .len = strlen(result->notes),
	};
}

/* A line of the notes, or a text that is kept in scratch memory. */
static void notes_add(struct state_transfer *t, const char *word, const char *line)
{
	struct state_text text = notes_begin(t);

	state_text_add(&text, word);
	state_text_add(&text, line);
	state_text_add(&text, "\n");
}

static const char *text_keep(struct state_transfer *t, const char *line)
{
	char *kept = state_keep(t, strlen(line) + 1);

	return kept != NULL ? memcpy(kept, line, strlen(line) + 1) : NULL;
}

/* Without memory for it the pairing has failed. */
static void notice_add(struct state_transfer *t, const struct state_notice *notice)
{
	struct state_notice *kept;

	kept = state_keep(t, sizeof(*kept));
	if (kept == NULL) {
		return;
	}
	*kept = *notice;
	kept->text = text_keep(t, notice->text);
	kept->next = t->notices;
	t->notices = kept->text != NULL ? kept : t->notices;
}

/* Which entry a type was met in first. */
static uint32_t notice_entry(const struct state_transfer *t)
{
	return t->root_age == STATE_OLD ? t->root_entry : STATE_NONE;
}

/* The handler that a default is for may take care of this, and not ask for the default. */
static void loss_defer(
        struct state_transfer *t, const struct state_notice *notice, bool is_annotated)
{
	struct state_losses *losses = state_keep(t, sizeof(*losses));
	struct state_loss *loss = state_keep(t, sizeof(*loss));
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};
	struct state_notice risk = *notice;

	if (losses == NULL || loss == NULL) {
		return;
	}
	loss->notice = *notice;
	loss->notice.text = text_keep(t, notice->text);
	loss->is_annotated = is_annotated;
	losses->loss = loss;
	losses->next = t->losses;
	t->losses = losses;
	if (!is_annotated && loss->notice.text != NULL) {
		state_text_add(&text, notice->text);
		state_text_add(&text, ", by a handler's default");
		risk.kind = STATE_NOTICE_AT_RISK;
		risk.text = line;
		notice_add(t, &risk);
	}
}

static void loss_add(struct state_transfer *t, struct state_notice notice, bool is_annotated)
{
	if (t->is_default) {
		loss_defer(t, &notice, is_annotated);
		return;
	}
	notice.kind = is_annotated ? STATE_NOTICE_DROPPED : STATE_NOTICE_LOST;
	t->result->n_removed++;
	notes_add(t, is_annotated ? "dropped " : "lost ", notice.text);
	notice_add(t, &notice);
	if (!is_annotated && !t->accepts_loss && t->n_refused++ == 0) {
		t->first_refused = text_keep(t, notice.text);
	}
}

static bool type_is_dropped(const struct state_transfer *t, uint32_t type)
{
	char name[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = name, .size = sizeof(name)};

	state_text_add_type(&text, &t->desc[STATE_OLD], type);
	return state_type_is_dropped(t, type, name);
}

void state_lose_entry(struct state_transfer *t, uint32_t i)
{
	const struct state_desc *old = &t->desc[STATE_OLD];
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_entry(&text, old, i);
	if (t->unsure[i]) {
		state_text_add(&text,
		        ", which may be one of several of this name; STATE_MOVED_FROM says which");
	}
	loss_add(t,
	        (struct state_notice){
	                .thing = STATE_THING_VARIABLE, .entry = i, .member = "", .text = line},
	        state_entry_is_dropped(t, i));
}

void state_lose_member(struct state_transfer *t, uint32_t old_type, uint32_t new_type,
        const struct state_field *field)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_type(&text, &t->desc[STATE_OLD], old_type);
	state_text_add(&text, ".");
	state_text_add(&text, field->name[0] != 0 ? field->name : "(anonymous)");
	loss_add(t,
	        (struct state_notice){.thing = STATE_THING_MEMBER,
	                .entry = notice_entry(t),
	                .member = field->name,
	                .text = line},
	        state_member_is_dropped(t, new_type, field));
}

void state_lose_objects(struct state_transfer *t, uint32_t entry, uint64_t n)
{
	const struct state_desc *old = &t->desc[STATE_OLD];
	uint32_t type = state_type_strip(old, old->entries[entry].type);
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_entry(&text, old, entry);
	state_text_add(&text, ", objects: ");
	state_text_add_number(&text, n, 10);
	loss_add(t,
	        (struct state_notice){
	                .thing = STATE_THING_OBJECTS, .entry = entry, .member = "", .text = line},
	        type_is_dropped(t, type));
}

void state_lose_elements(struct state_transfer *t, const void *old)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add(&text, "element");
	state_text_add_place(&text, t, old);
	loss_add(t,
	        (struct state_notice){.thing = STATE_THING_ELEMENTS,
	                .entry = notice_entry(t),
	                .member = "",
	                .text = line},
	        false);
}

enum state_code state_loss_check(struct state_transfer *t)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	if (t->n_refused == 0) {
		return STATE_OK;
	}
	state_text_add(&text, t->first_refused != NULL ? t->first_refused : "");
	if (t->n_refused > 1) {
		state_text_add(&text, " and ");
		state_text_add_number(&text, t->n_refused - 1, 10);
		state_text_add(&text, " more");
	}
	return state_fail_named(t, STATE_E_LOSS, "state would be lost:", line);
}

enum state_code state_lose_default(struct state_transfer *t, const struct state_losses *losses)
{
	for (; losses != NULL; losses = losses->next) {
		struct state_loss *loss = losses->loss;

		if (!loss->is_told && loss->notice.text != NULL) {
			loss->is_told = true;
			loss_add(t, loss->notice, loss->is_annotated);
		}
	}
	return state_loss_check(t);
}

void state_losses_join(struct state_transfer *t, const struct state_losses *losses)
{
	for (; losses != NULL; losses = losses->next) {
		struct state_losses *copy = state_keep(t, sizeof(*copy));

		if (copy == NULL) {
			return;
		}
		copy->loss = losses->loss;
		copy->next = t->losses;
		t->losses = copy;
	}
}

void state_risk(struct state_transfer *t, enum state_thing thing, uint32_t type, const char *name,
        uint64_t from)
{
	const struct state_desc *old = &t->desc[STATE_OLD];
	uint32_t entry = notice_entry(t);
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	if (thing == STATE_THING_ENUMERATOR) {
		state_text_add(&text, "enumerator ");
		state_text_add(&text, name);
		state_text_add(&text, " of ");
		state_text_add_type(&text, old, type);
		state_text_add(&text, " at ");
	} else if (thing == STATE_THING_ELEMENTS) {
		state_text_add(&text, "elements from ");
		state_text_add_index(&text, from);
		state_text_add(&text, " of ");
	}
	if (entry != STATE_NONE) {
		state_text_add_entry(&text, old, entry);
	}
	if (thing != STATE_THING_OBJECTS) {
		state_text_add_names(&text, t->path);
	} else if (type_is_dropped(t, type)) {
		return;
	}
	notice_add(t, &(struct state_notice){.kind = STATE_NOTICE_AT_RISK,
	                      .thing = thing,
	                      .entry = entry,
	                      .member = name[0] == 0 && t->path != NULL ? t->path->name : name,
	                      .text = line});
}

void state_drop(struct state_transfer *t, uint32_t old_type, const char *member)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};
	uint32_t entry = notice_entry(t);

	if (old_type != 0) {
		state_text_add_type(&text, &t->desc[STATE_OLD], old_type);
		state_text_add(&text, ".");
		state_text_add(&text, member);
	} else {
		state_text_add_entry(&text, &t->desc[STATE_OLD], entry);
	}
	state_text_add(&text, ", which starts fresh now");
	loss_add(t,
	        (struct state_notice){
	                .thing = old_type != 0 ? STATE_THING_MEMBER : STATE_THING_VARIABLE,
	                .entry = entry,
	                .member = member,
	                .text = line},
	        true);
}

/* What the entry at hand is, or where in it the member at hand. */
static enum state_thing thing_at_hand(const struct state_transfer *t)
{
	uint32_t entry = notice_entry(t);

	if (t->path != NULL) {
		return STATE_THING_MEMBER;
	}
	return entry != STATE_NONE && t->desc[STATE_OLD].entries[entry].kind == STATE_SITE
	               ? STATE_THING_OBJECTS
	               : STATE_THING_VARIABLE;
}

void state_drop_type(struct state_transfer *t, uint32_t old_type)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_type(&text, &t->desc[STATE_OLD], old_type);
	state_text_add_place(&text, t, NULL);
	state_text_add(&text, ", which starts fresh now");
	loss_add(t,
	        (struct state_notice){.thing = thing_at_hand(t),
	                .entry = notice_entry(t),
	                .member = t->path != NULL ? t->path->name : "",
	                .text = line},
	        true);
}

void state_moved(struct state_transfer *t, uint32_t i, uint32_t k)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_entry(&text, &t->desc[STATE_OLD], i);
	state_text_add(&text, " to ");
	state_text_add_entry(&text, &t->desc[STATE_NEW], k);
	notes_add(t, "moved ", line);
	notice_add(t, &(struct state_notice){.kind = STATE_NOTICE_MOVED,
	                      .thing = STATE_THING_VARIABLE,
	                      .entry = i,
	                      .member = "",
	                      .text = line});
}

const struct state_notice *state_pair_notices(const struct state_transfer *transfer)
{
	return transfer->notices;
}

void state_copied(struct state_transfer *t, uint32_t entry)
{
	const struct state_desc *desc = &t->desc[STATE_OLD];
	struct state_text text = notes_begin(t);

	t->result->n_strings++;
	state_text_add(&text, "copied \"");
	state_text_add(&text, state_desc_string(desc, desc->entries[entry].name));
	state_text_add(&text, "\"\n");
}
