/*
 * Requests about policies. Files come from wherever they were written, with the library that luctl has
 * checked them with; they are checked again here, by the same, since it is lud that will act on them.
 * What a policy says and lud does not act on is in the answer by name, whenever policies change or are
 * shown: a key without effect that nobody is told of would be taken for a protection.
 */
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"

#define CONTROL_VERSIONS_DEFAULT 20

static Control__PolicyVersion *control_policy_version(
        struct pool *pool, const struct policy_version_row *row)
{
	Control__PolicyVersion *view = pool_zero(pool, sizeof(*view));

	control__policy_version__init(view);
	view->version = (uint64_t)row->id;
	view->created_us = row->created_us;
	view->change = pool_text(pool, row->change);
	view->digest = pool_bytes(pool, row->digest, sizeof(row->digest));
	view->n_policies = row->n_policies;
	view->identity = pool_text(pool, row->identity);
	view->way = (char *)access_way_word(row->way);
	view->role = (char *)(row->id ? access_role_word(row->role) : "");
	view->uid = row->way == ACCESS_WAY_LOCAL ? row->uid : 0;
	view->reason = pool_text(pool, row->reason);
	return view;
}

static bool control_policy_reports(const Machine__Status *status, const char *metric)
{
	for (size_t i = 0; i < status->n_services; i++) {
		for (size_t j = 0; j < status->services[i]->n_metrics; j++) {
			if (!strcmp(status->services[i]->metrics[j]->name, metric)) {
				return true;
			}
		}
	}
	return false;
}

/* Of a fleet where no machine is up nothing is known, and nothing said. */
static bool control_policy_is_reported(const char *metric, void *arg)
{
	struct machine *machine = NULL;
	bool is_known = false;

	while ((machine = machines_next(arg, machine))) {
		if (machine_state(machine) != MACHINE_UP || !machine_status(machine)) {
			continue;
		}
		if (control_policy_reports(machine_status(machine), metric)) {
			return true;
		}
		is_known = true;
	}
	return !is_known;
}

/* What lud does not act on, and what nobody reports, of all policies that count. */
static void control_policy_notes(struct pool *pool, struct engine *engine, Control__PolicySet *set)
{
	struct policy_errors notes = {0};
	size_t n;
	const struct policy *const *policies = rules_policies(engine_rules(engine), &n);

	for (size_t i = 0; i < n; i++) {
		policy_idle(policies[i], &notes);
		policy_unreported(
		        policies[i], control_policy_is_reported, engine_machines(engine), &notes);
	}
	set->notes = pool_zero(pool, (notes.n + 1) * sizeof(*set->notes));
	for (size_t i = 0; i < notes.n; i++) {
		Control__PolicyNote *note = pool_zero(pool, sizeof(*note));

		control__policy_note__init(note);
		note->file = pool_text(pool, notes.list[i].file);
		note->line = (uint32_t)notes.list[i].line;
		note->column = (uint32_t)notes.list[i].column;
		note->what = pool_text(pool, notes.list[i].what);
		note->expected = pool_text(pool, notes.list[i].expected);
		set->notes[set->n_notes++] = note;
	}
	policy_errors_fini(&notes);
}

/* What counts now, without the files. */
static void control_policy_set(
        struct pool *pool, struct engine *engine, Control__PolicySet *ret_set)
{
	const struct rules *rules = engine_rules(engine);
	const char *broken = rules_broken(rules);

	control__policy_set__init(ret_set);
	ret_set->version = control_policy_version(pool, rules_version(rules));
	ret_set->broken = pool_text(pool, broken ? broken : "");
	control_policy_notes(pool, engine, ret_set);
}

static void control_policy_reply(
        struct control_client *client, uint64_t id, Control__PolicySet *set)
{
	Control__Reply reply = CONTROL__REPLY__INIT;

	reply.body_case = CONTROL__REPLY__BODY_POLICIES;
	reply.policies = set;
	control_reply(client, id, &reply);
}

void control_policies_answer(struct control_client *client, uint64_t id)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__PolicySet set;

	pool_init(&pool);
	control_policy_set(&pool, control_engine(client), &set);
	control_policy_reply(client, id, &set);
}

/* The end of a change: r is what came of it. */
static void control_policy_changed(
        struct control_client *client, uint64_t id, int r, const struct failure *failure)
{
	if (r < 0) {
		control_refuse_change(client, id);
	} else if (r) {
		control_refuse(client, id,
		        r == RULES_E_NONE ? WIRE__ERROR_CLASS__ERROR_NOT_FOUND
		                          : WIRE__ERROR_CLASS__ERROR_REFUSED,
		        failure);
	} else {
		engine_rules_changed(control_engine(client));
		control_policies_answer(client, id);
	}
}

void control_on_policy_apply(struct control_client *client, const Control__Request *request)
{
	const Control__PolicyApplyRequest *apply = request->policy_apply;
	struct job_asked asked = control_asked(client, request);
	struct rules_asked by = {&asked.who, asked.reason, ""};
	struct failure failure;

	control_policy_changed(client, request->id,
	        rules_apply(engine_rules(control_engine(client)), apply->policies,
	                apply->n_policies, &by, &failure),
	        &failure);
}

void control_on_policy_remove(struct control_client *client, const Control__Request *request)
{
	const Control__PolicyRemoveRequest *remove = request->policy_remove;
	struct job_asked asked = control_asked(client, request);
	struct rules_asked by = {&asked.who, asked.reason, ""};
	struct failure failure;

	control_policy_changed(client, request->id,
	        rules_remove(engine_rules(control_engine(client)), remove->names, remove->n_names,
	                &by, &failure),
	        &failure);
}

void control_on_policy_rollback(struct control_client *client, const Control__Request *request)
{
	struct job_asked asked = control_asked(client, request);
	struct rules_asked by = {&asked.who, asked.reason, ""};
	struct failure failure;

	control_policy_changed(client, request->id,
	        rules_back(engine_rules(control_engine(client)),
	                (int64_t)request->policy_rollback->version, &by, &failure),
	        &failure);
}

/* One that is no message any more is left out; ->broken says so. */
static int control_policy_source(const uint8_t *body, size_t size, void *arg)
{
	void **to = arg;
	struct pool *pool = to[0];
	Control__PolicySet *set = to[1];

	if (set->n_policies < RULES_POLICIES_MAX) {
		set->policies[set->n_policies] =
		        control__policy_source__unpack(&pool->allocator, size, body);
		set->n_policies += set->policies[set->n_policies] != NULL;
	}
	return 0;
}

/* What counts for a machine, or for a service of it, as a text in the pool. */
static char *control_policy_text(struct pool *pool, const struct rules *rules,
        const struct machine *machine, const char *service)
{
	const struct machine_row *row = machine_row(machine);
	struct decide_subject subject = {row->name, row->groups, row->labels, service};
	_cleanup_(freep) char *text = NULL;
	size_t size, n;
	const struct policy *const *policies = rules_policies(rules, &n);
	FILE *file = open_memstream(&text, &size);

	if (!file) {
		abort();
	}
	decide_print(policies, n, &subject, file);
	(void)fclose(file);
	return pool_text(pool, text);
}

/* The policies as they were given, or what counts for a machine as a text. */
void control_on_policy_show(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__PolicyShowRequest *show = request->policy_show;
	const struct rules *rules = engine_rules(control_engine(client));
	struct machine *machine = NULL;
	Control__PolicySet set;

	pool_init(&pool);
	if (show->effective) {
		machine = control_machine(client, request->id, show->machine);
		if (!machine) {
			return;
		}
	}
	control_policy_set(&pool, control_engine(client), &set);
	set.policies = pool_zero(&pool, RULES_POLICIES_MAX * sizeof(*set.policies));
	if (machine) {
		set.n_notes = control_sees(client, NULL) ? set.n_notes : 0;
		set.text = control_policy_text(&pool, rules, machine, show->service);
	} else if (store_policy_each(control_db(client), rules_version(rules)->id,
	                   control_policy_source, (void *[]){&pool, &set}) != 0) {
		control_refuse_record(client, request->id);
		return;
	}
	control_policy_reply(client, request->id, &set);
}

/* A page of versions while it is filled. */
struct control_versions {
	struct pool *pool;
	Control__PolicyHistory *history;
	struct control_page page;
};

static int control_policy_version_row(const struct policy_version_row *row, void *arg)
{
	struct control_versions *visit = arg;
	Control__PolicyHistory *history = visit->history;
	Control__PolicyVersion *version = control_policy_version(visit->pool, row);

	if (control_page_takes(&visit->page, &version->base)) {
		history->versions[history->n_versions++] = version;
		history->next = version->version;
	}
	return 0;
}

/* Versions, newest first: who made which change of what counts. */
void control_on_policy_history(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__PolicyHistoryRequest *ask = request->policy_history;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__PolicyHistory history = CONTROL__POLICY_HISTORY__INIT;
	struct control_versions visit = {
	        &pool, &history, control_page(ask->limit, CONTROL_VERSIONS_DEFAULT)};

	pool_init(&pool);
	history.versions = pool_zero(&pool, visit.page.limit * sizeof(*history.versions));
	if (store_policy_versions(control_db(client), (int64_t)ask->before,
	            (int64_t)visit.page.limit + 1, control_policy_version_row, &visit) != 0) {
		control_refuse_record(client, request->id);
		return;
	}
	history.more = visit.page.more;
	history.next = history.more ? history.next : 0;
	reply.body_case = CONTROL__REPLY__BODY_POLICY_HISTORY;
	reply.policy_history = &history;
	control_reply(client, request->id, &reply);
}
