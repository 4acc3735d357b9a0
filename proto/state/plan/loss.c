/*
 * What is not simply carried over: lost, dropped, moved, copied. Losing state in silence is the
 * one thing a live update must not do, so each removal is a *notice*, which people and the host
 * read (luforge pair), and a line of the result.
 *
 *	lost       no place in the new release. Refused, unless somebody consented to losses
 *	at risk    the same, if the old instance has any: only the transfer will see
 *	dropped    no place, and an annotation of a release says so
 *	moved      found in another file or function by its name and type
 *	copied     a literal without a partner, now on the heap: only a line
 *
 * Losses are collected and refused together by state_loss_check(), so that an operator sees how
 * many there are. What the *default* of a handler would lose is another matter: the handler may
 * take care of it. It is kept with the default, listed as at risk, and counts once the handler
 * asks for it.
 */
#include <string.h>

#include "proto/state/match/field.h"
#include "proto/state/plan/loss.h"
#include "proto/state/report/text.h"

/* A line at the end of the notes. */
static struct state_text loss_note_begin(struct state_report *r)
{
	struct state_result *result = r->result;

	return (struct state_text){
	        .buffer = result->notes,
	        .size = sizeof(result->notes),
	        .len = strlen(result->notes),
	};
}

/* A line of the notes, or a text that is kept in scratch memory. */
static void loss_note_add(struct state_report *r, const char *word, const char *line)
{
	struct state_text text = loss_note_begin(r);

	state_text_add(&text, word);
	state_text_add(&text, line);
	state_text_add(&text, "\n");
}

static const char *loss_text_keep(struct state_report *r, const char *line)
{
	char *kept = state_keep(r, strlen(line) + 1);

	return kept != NULL ? memcpy(kept, line, strlen(line) + 1) : NULL;
}

/*
 * Without memory for it the pairing has failed, as state_keep() has reported: nothing more to do
 * here.
 */
static void loss_notice_add(struct state_report *r, const struct state_notice *notice)
{
	struct state_notice *kept;

	kept = state_keep(r, sizeof(*kept));
	if (kept == NULL) {
		return;
	}
	*kept = *notice;
	kept->text = loss_text_keep(r, notice->text);
	kept->next = r->notices;
	r->notices = kept->text != NULL ? kept : r->notices;
}

/* Which entry a type was met in first. */
static uint32_t loss_entry(const struct state_report *r)
{
	return r->where->age == STATE_OLD ? r->where->entry : STATE_NONE;
}

/*
 * The handler that a default is for may take care of this, and not ask for the default. Until it
 * does, people see it as a risk.
 */
static void loss_defer(struct state_report *r, const struct state_notice *notice, bool is_annotated)
{
	struct state_losses *losses = state_keep(r, sizeof(*losses));
	struct state_loss *loss = state_keep(r, sizeof(*loss));
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};
	struct state_notice risk = *notice;

	if (losses == NULL || loss == NULL) {
		return;
	}
	loss->notice = *notice;
	loss->notice.text = loss_text_keep(r, notice->text);
	loss->is_annotated = is_annotated;
	losses->loss = loss;
	losses->next = r->losses;
	r->losses = losses;
	if (!is_annotated && loss->notice.text != NULL) {
		state_text_add(&text, notice->text);
		state_text_add(&text, ", by a handler's default");
		risk.kind = STATE_NOTICE_AT_RISK;
		risk.text = line;
		loss_notice_add(r, &risk);
	}
}

/* A notice of a loss; its kind follows from who agreed to it. */
static void loss_add(struct state_report *r, struct state_notice notice, bool is_annotated)
{
	if (r->is_default) {
		loss_defer(r, &notice, is_annotated);
		return;
	}
	notice.kind = is_annotated ? STATE_NOTICE_DROPPED : STATE_NOTICE_LOST;
	r->result->n_removed++;
	loss_note_add(r, is_annotated ? "dropped " : "lost ", notice.text);
	loss_notice_add(r, &notice);
	if (!is_annotated && !r->accepts_loss && r->n_refused++ == 0) {
		r->first_refused = loss_text_keep(r, notice.text);
	}
}

static bool loss_type_is_dropped(const struct state_sides *s, uint32_t type)
{
	char name[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = name, .size = sizeof(name)};

	state_text_add_type(&text, &s->desc[STATE_OLD], type);
	return state_type_is_dropped(s, type, name);
}

void state_lose_entry(struct state_report *r, uint32_t i, bool is_unsure)
{
	const struct state_desc *old = &r->sides->desc[STATE_OLD];
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_entry(&text, old, i);
	if (is_unsure) {
		state_text_add(&text,
		        ", which may be one of several of this name; STATE_MOVED_FROM says which");
	}
	loss_add(r,
	        (struct state_notice){
	                .thing = STATE_THING_VARIABLE, .entry = i, .member = "", .text = line},
	        state_entry_is_dropped(r->sides, i));
}

void state_lose_member(struct state_report *r, uint32_t old_type, uint32_t new_type,
        const struct state_field *field)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_type(&text, &r->sides->desc[STATE_OLD], old_type);
	state_text_add(&text, ".");
	state_text_add(&text, field->name[0] != 0 ? field->name : "(anonymous)");
	loss_add(r,
	        (struct state_notice){.thing = STATE_THING_MEMBER,
	                .entry = loss_entry(r),
	                .member = field->name,
	                .text = line},
	        state_member_is_dropped(r->sides, new_type, field));
}

/* Consent can be by type: STATE_DROPPED_TYPE, or expendable in the old release. */
void state_lose_objects(struct state_report *r, uint32_t entry, uint64_t n)
{
	const struct state_desc *old = &r->sides->desc[STATE_OLD];
	uint32_t type = state_type_strip(old, old->entries[entry].type);
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_entry(&text, old, entry);
	state_text_add(&text, ", objects: ");
	state_text_add_number(&text, n, 10);
	loss_add(r,
	        (struct state_notice){
	                .thing = STATE_THING_OBJECTS, .entry = entry, .member = "", .text = line},
	        loss_type_is_dropped(r->sides, type));
}

/* No annotation allows this: only consent does, as it depends on values. */
void state_lose_elements(struct state_report *r, const void *old)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add(&text, "element");
	state_text_add_place(&text, r, old);
	loss_add(r,
	        (struct state_notice){.thing = STATE_THING_ELEMENTS,
	                .entry = loss_entry(r),
	                .member = "",
	                .text = line},
	        false);
}

/* Names the first and counts the others. */
enum state_code state_loss_check(struct state_report *r)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	if (r->n_refused == 0) {
		return STATE_OK;
	}
	state_text_add(&text, r->first_refused != NULL ? r->first_refused : "");
	if (r->n_refused > 1) {
		state_text_add(&text, " and ");
		state_text_add_number(&text, r->n_refused - 1, 10);
		state_text_add(&text, " more");
	}
	return state_fail_named(r, STATE_E_LOSS, "state would be lost:", line);
}

/* Each loss of a default counts once, however many values the handler runs on. */
enum state_code state_lose_default(struct state_report *r, const struct state_losses *losses)
{
	for (; losses != NULL; losses = losses->next) {
		struct state_loss *loss = losses->loss;

		if (!loss->is_told && loss->notice.text != NULL) {
			loss->is_told = true;
			loss_add(r, loss->notice, loss->is_annotated);
		}
	}
	return state_loss_check(r);
}

/* Plans inside a plan lose what they lose wherever they are used. */
void state_losses_join(struct state_report *r, const struct state_losses *losses)
{
	for (; losses != NULL; losses = losses->next) {
		struct state_losses *copy = state_keep(r, sizeof(*copy));

		if (copy == NULL) {
			return;
		}
		copy->loss = losses->loss;
		copy->next = r->losses;
		r->losses = copy;
	}
}

/* Objects of a type that is dropped anyway are no risk. */
void state_risk(struct state_report *r, enum state_thing thing, uint32_t type, const char *name,
        uint64_t from)
{
	const struct state_desc *old = &r->sides->desc[STATE_OLD];
	uint32_t entry = loss_entry(r);
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
		state_text_add_names(&text, r->where->path);
	} else if (loss_type_is_dropped(r->sides, type)) {
		return;
	}
	loss_notice_add(
	        r, &(struct state_notice){.kind = STATE_NOTICE_AT_RISK,
	                   .thing = thing,
	                   .entry = entry,
	                   .member = name[0] == 0 && r->where->path != NULL ? r->where->path->name
	                                                                    : name,
	                   .text = line});
}

void state_drop(struct state_report *r, uint32_t old_type, const char *member)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};
	uint32_t entry = loss_entry(r);

	if (old_type != 0) {
		state_text_add_type(&text, &r->sides->desc[STATE_OLD], old_type);
		state_text_add(&text, ".");
		state_text_add(&text, member);
	} else {
		state_text_add_entry(&text, &r->sides->desc[STATE_OLD], entry);
	}
	state_text_add(&text, ", which starts fresh now");
	loss_add(r,
	        (struct state_notice){
	                .thing = old_type != 0 ? STATE_THING_MEMBER : STATE_THING_VARIABLE,
	                .entry = entry,
	                .member = member,
	                .text = line},
	        true);
}

/* What the entry at hand is, or where in it the member at hand. */
static enum state_thing loss_thing(const struct state_report *r)
{
	uint32_t entry = loss_entry(r);

	if (r->where->path != NULL) {
		return STATE_THING_MEMBER;
	}
	return entry != STATE_NONE && r->sides->desc[STATE_OLD].entries[entry].kind == STATE_SITE
	               ? STATE_THING_OBJECTS
	               : STATE_THING_VARIABLE;
}

void state_drop_type(struct state_report *r, uint32_t old_type)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_type(&text, &r->sides->desc[STATE_OLD], old_type);
	state_text_add_place(&text, r, NULL);
	state_text_add(&text, ", which starts fresh now");
	loss_add(r,
	        (struct state_notice){.thing = loss_thing(r),
	                .entry = loss_entry(r),
	                .member = r->where->path != NULL ? r->where->path->name : "",
	                .text = line},
	        true);
}

void state_moved(struct state_report *r, uint32_t i, uint32_t k)
{
	char line[STATE_ERROR_TEXT];
	struct state_text text = {.buffer = line, .size = sizeof(line)};

	state_text_add_entry(&text, &r->sides->desc[STATE_OLD], i);
	state_text_add(&text, " to ");
	state_text_add_entry(&text, &r->sides->desc[STATE_NEW], k);
	loss_note_add(r, "moved ", line);
	loss_notice_add(r, &(struct state_notice){.kind = STATE_NOTICE_MOVED,
	                           .thing = STATE_THING_VARIABLE,
	                           .entry = i,
	                           .member = "",
	                           .text = line});
}

void state_copied(struct state_report *r, uint32_t entry)
{
	const struct state_desc *desc = &r->sides->desc[STATE_OLD];
	struct state_text text = loss_note_begin(r);

	r->result->n_strings++;
	state_text_add(&text, "copied \"");
	state_text_add(&text, state_desc_string(desc, desc->entries[entry].name));
	state_text_add(&text, "\"\n");
}
