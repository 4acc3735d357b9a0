/*
 * All machines at a glance, from lud's memory: nobody is asked, so it is never late, and what is old says so. Whatever
 * is wrong is in one list, worst first, from the sources of one table (amiss.def), so that a status which has
 * nothing to complain of has asked all of them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/control/view/amiss.h"

/* Where the list is full a worse row takes the place of the last of the least bad ones. */
static void overview_put(Control__Overview *overview, Control__Amiss *row)
{
	size_t least = 0;

	if (overview->n_amiss < AMISS_MAX) {
		overview->amiss[overview->n_amiss++] = row;
		return;
	}
	for (size_t i = 1; i < overview->n_amiss; i++) {
		least = overview->amiss[i]->level <= overview->amiss[least]->level ? i : least;
	}
	if (overview->amiss[least]->level < row->level) {
		overview->amiss[least] = row;
	}
	overview->left_out++;
}

Control__Amiss *amiss_add(struct amiss_list *list, Control__AmissLevel level, const char *subject,
        const char *format, ...)
{
	Control__Overview *overview = list->overview;
	Control__Amiss *row = pool_zero(list->pool, sizeof(*row));
	char text[400];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	control__amiss__init(row);
	row->kind = (char *)list->kind;
	row->level = level;
	row->subject = pool_text(list->pool, subject);
	row->text = pool_text(list->pool, text);
	row->source = CONTROL__SOURCE__SOURCE_MEMORY;
	overview->wrong += level == CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG;
	overview_put(overview, row);
	return row;
}

/* Worst first; the table's order within a level, which a stable sort of a short list keeps. */
static void overview_sort(Control__Overview *overview)
{
	for (size_t i = 1; i < overview->n_amiss; i++) {
		Control__Amiss *row = overview->amiss[i];
		size_t at = i;

		for (; at > 0 && overview->amiss[at - 1]->level < row->level; at--) {
			overview->amiss[at] = overview->amiss[at - 1];
		}
		overview->amiss[at] = row;
	}
}

static void overview_count(Control__Overview *view, const struct machines *machines)
{
	const struct machines_tally *tally = machines_tally(machines);

	view->machines = tally->all;
	view->machines_well = tally->well;
	view->machines_stopped = tally->in[MACHINE_STOPPED];
	view->machines_coming =
	        tally->in[MACHINE_STARTING] + tally->in[MACHINE_CONNECTING] + tally->mute;
}

Control__Overview *view_overview(struct pool *pool, struct engine *engine)
{
	static const struct {
		const char *kind;
		void (*look)(struct amiss_list *list);
	} sources[] = {
#define AMISS(name, sentence) {#name, amiss_##name},
#include "orchestrator/control/view/amiss.def"
	};
	Control__Overview *view = pool_zero(pool, sizeof(*view));
	struct amiss_list list = {pool, engine, store_now_usec(), "", view};

	control__overview__init(view);
	view->amiss = pool_zero(pool, AMISS_MAX * sizeof(*view->amiss));
	overview_count(view, engine_machines(engine));
	engine_count_jobs(engine, &view->jobs_open, &view->jobs_waiting);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		list.kind = sources[i].kind;
		sources[i].look(&list);
	}
	overview_sort(view);
	return view;
}
