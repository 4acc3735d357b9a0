/*
 * What is amiss, as events: the same sources as those of `luctl status` (amiss.def) are asked again and again, and what is
 * there now and was not, or was and is not, is an event. So no source needs to tell of a change, and none can forget to.
 * The first look of a run finds what is amiss already. Two rows are one thing if kind, machine, subject and the words of
 * the text before its first bracket or digit are the same: what follows counts days or seconds.
 *
 * A machine that is not up is not told of here: its states are events of their own.
 */
#include "orchestrator/control/feed/priv.h"

#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/control/view/view.h"

#define LOOK_MAX 64u /* more than one look shows */

/* One thing that is amiss, as far as its end is to be told. */
struct look_row {
	char kind[16];
	char machine[32];
	char subject[64];
	char words[100]; /* of its text */
	bool is_there;   /* at this look */
};

struct look {
	bool is_first; /* nothing was looked at yet */
	size_t n;
	struct look_row rows[LOOK_MAX];
};

struct look *look_new(void)
{
	struct look *look = mem_zero(sizeof(*look));

	look->is_first = true;
	return look;
}

struct look *look_free(struct look *look)
{
	free(look);
	return NULL;
}

static void look_event(struct feed *feed, const struct look_row *row, const char *state,
        const char *text, const char *remedy)
{
	Control__Event event = CONTROL__EVENT__INIT;

	event.kind = "amiss";
	event.machine = (char *)row->machine;
	event.state = (char *)state;
	event.text = (char *)text;
	event.remedy = (char *)remedy;
	feed_add(feed, &event);
}

static bool look_is_told_elsewhere(struct engine *engine, const Control__Amiss *amiss)
{
	const struct machine *machine = machines_by_name(engine_machines(engine), amiss->machine);

	return !strcmp(amiss->kind, "machine") && machine && machine_state(machine) != MACHINE_UP;
}

static bool look_is_same(const struct look_row *a, const struct look_row *b)
{
	return !strcmp(a->kind, b->kind) && !strcmp(a->machine, b->machine) &&
	       !strcmp(a->subject, b->subject) && !strcmp(a->words, b->words);
}

static void look_row(struct look *look, struct feed *feed, const Control__Amiss *amiss)
{
	struct look_row row = {.is_there = true};
	char text[400];

	snprintf(row.kind, sizeof(row.kind), "%s", amiss->kind);
	snprintf(row.machine, sizeof(row.machine), "%s", amiss->machine);
	snprintf(row.subject, sizeof(row.subject), "%s", amiss->subject);
	snprintf(row.words, sizeof(row.words), "%.*s", (int)strcspn(amiss->text, "(0123456789"),
	        amiss->text);
	for (size_t i = 0; i < look->n; i++) {
		if (look_is_same(&look->rows[i], &row)) {
			look->rows[i].is_there = true;
			return;
		}
	}
	if (look->n == LOOK_MAX) {
		return;
	}
	look->rows[look->n++] = row;
	snprintf(text, sizeof(text), "%s %s", amiss->subject, amiss->text);
	look_event(feed, &row, look->is_first ? "found" : "began", text, amiss->remedy);
}

/* Those that are not there any more. */
static void look_over(struct look *look, struct feed *feed)
{
	size_t n = 0;

	for (size_t i = 0; i < look->n; i++) {
		char text[300];

		if (look->rows[i].is_there) {
			look->rows[n++] = look->rows[i];
			continue;
		}
		snprintf(text, sizeof(text), "no more: %s %s", look->rows[i].subject,
		        look->rows[i].words);
		look_event(feed, &look->rows[i], "over", text, "");
	}
	look->n = n;
}

void look_at(struct look *look, struct feed *feed, struct engine *engine)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__Overview *view;

	pool_init(&pool);
	view = view_overview(&pool, engine, NULL);
	for (size_t i = 0; i < look->n; i++) {
		look->rows[i].is_there = false;
	}
	for (size_t i = 0; i < view->n_amiss; i++) {
		if (!look_is_told_elsewhere(engine, view->amiss[i])) {
			look_row(look, feed, view->amiss[i]);
		}
	}
	look_over(look, feed);
	look->is_first = false;
}
