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

/* Rows that are looked at for somebody who may not see all of them: those of others must not take their places. */
#define AMISS_LOOKED_AT 4096u

/* Where the list is full a worse row takes the place of the last of the least bad ones. */
static void overview_put(Control__Overview *overview, size_t room, Control__Amiss *row)
{
	size_t least = 0;

	if (overview->n_amiss < room) {
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
	overview_put(overview, list->room, row);
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

bool view_sees(const struct access_rights *rights, const struct machine *machine)
{
	unsigned int roles = !rights    ? 0
	                     : !machine ? rights->everywhere
	                                : access_rights_on(rights, machine_row(machine)->groups);

	return !rights || access_role_for(roles, ACCESS_VIEWER) != ACCESS_NOBODY;
}

static void overview_count(Control__Overview *view, const struct machines_tally *tally)
{
	view->machines = tally->all;
	view->machines_well = tally->well;
	view->machines_stopped = tally->in[MACHINE_STOPPED];
	view->machines_coming =
	        tally->in[MACHINE_STARTING] + tally->in[MACHINE_CONNECTING] + tally->mute;
}

/* What is counted and found for somebody who may not see everything. */
struct overview_sight {
	Control__Overview *view;
	struct engine *engine;
	const struct access_rights *rights;
};

static int overview_count_job(const struct job_row *row, void *arg)
{
	struct overview_sight *sight = arg;
	const struct machine *machine =
	        machines_by_id(engine_machines(sight->engine), row->machine);

	if (view_sees(sight->rights, machine)) {
		sight->view->jobs_open += 1;
		sight->view->jobs_waiting += engine_job_waits(sight->engine, row->id) != NULL;
	}
	return 0;
}

/* Goes over all machines, and the open jobs of the record: nobody with rights on a group has what is kept of all. */
static void overview_count_seen(struct overview_sight *sight)
{
	struct machines *machines = engine_machines(sight->engine);
	struct machines_tally tally = {0};
	struct machine *machine = NULL;

	while ((machine = machines_next(machines, machine))) {
		if (view_sees(sight->rights, machine)) {
			machine_tally_into(machine, &tally);
		}
	}
	overview_count(sight->view, &tally);
	if (store_job_each_open(engine_db(sight->engine), 0, overview_count_job, sight)) {
		err_forget();
	}
}

/* Leaves what is about machines that may be seen, as much of it as is shown to others. What is about none is not theirs. */
static void overview_leave_seen(const struct overview_sight *sight)
{
	struct machines *machines = engine_machines(sight->engine);
	Control__Overview *view = sight->view;
	size_t n = 0;

	view->wrong = 0;
	for (size_t i = 0; i < view->n_amiss; i++) {
		Control__Amiss *row = view->amiss[i];
		const struct machine *machine = machines_by_name(machines, row->machine);

		if (view_sees(sight->rights, machine)) {
			view->wrong += row->level == CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG;
			view->amiss[n++] = row;
		}
	}
	view->left_out = n > AMISS_MAX ? (uint32_t)(n - AMISS_MAX) : 0;
	view->n_amiss = n - view->left_out;
}

Control__Overview *view_overview(
        struct pool *pool, struct engine *engine, const struct access_rights *rights)
{
	static const struct {
		const char *kind;
		void (*look)(struct amiss_list *list);
	} sources[] = {
#define AMISS(name, sentence) {#name, amiss_##name},
#include "orchestrator/control/view/amiss.def"
	};
	Control__Overview *view = pool_zero(pool, sizeof(*view));
	struct amiss_list list = {pool, engine, store_now_usec(), "", view, AMISS_MAX};
	struct overview_sight sight = {view, engine, rights};
	bool is_all = view_sees(rights, NULL);

	control__overview__init(view);
	list.room = is_all ? AMISS_MAX : AMISS_LOOKED_AT;
	view->amiss = pool_zero(pool, list.room * sizeof(*view->amiss));
	if (is_all) {
		overview_count(view, machines_tally(engine_machines(engine)));
		engine_count_jobs(engine, &view->jobs_open, &view->jobs_waiting);
	} else {
		overview_count_seen(&sight);
	}
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		list.kind = sources[i].kind;
		sources[i].look(&list);
	}
	overview_sort(view);
	if (!is_all) {
		overview_leave_seen(&sight);
	}
	return view;
}
