/*
 * Who may do what: users and groups of this host by the configuration, and those who come from elsewhere by the
 * identities that count. The file is read once more for it, and compared: what somebody has written there and not
 * yet had read, or what would be refused, is found out before it is needed.
 */
#include "orchestrator/control/ask/priv.h"

#include <stdlib.h>
#include <string.h>

#include "orchestrator/job/engine/engine.h"

/* All of them: few are in a configuration, and a file has no more than its reader takes. */
struct control_entries {
	struct pool *pool;
	Control__AccessEntry **list; /* owned */
	size_t n;
};

/* A role on machines of a group; "": on everything. */
static void control_access_grant(struct control_entries *entries, Control__AccessEntry *view,
        const char *role, const char *group)
{
	Control__AccessGrant *grant = pool_zero(entries->pool, sizeof(*grant));

	control__access_grant__init(grant);
	grant->role = pool_text(entries->pool, role);
	grant->group = pool_text(entries->pool, group);
	view->roles[view->n_roles++] = grant;
}

/* Copies what is lent; roles on everything come first. */
static void control_access_entry(const struct access_entry *entry, void *arg)
{
	struct control_entries *entries = arg;
	const struct access_rights *rights = entry->rights;
	Control__AccessEntry *view = pool_zero(entries->pool, sizeof(*view));

	control__access_entry__init(view);
	view->source = pool_text(entries->pool, entry->source);
	view->name = pool_text(entries->pool, entry->name);
	view->description = pool_text(entries->pool, entry->description);
	view->roles = pool_zero(entries->pool, (rights->n + _ACCESS_ROLE_N) * sizeof(*view->roles));
	for (enum access_role role = ACCESS_NOBODY + 1; role < _ACCESS_ROLE_N; role++) {
		if (rights->everywhere & 1u << role) {
			control_access_grant(entries, view, access_role_word(role), "");
		}
	}
	for (size_t i = 0; i < rights->n; i++) {
		control_access_grant(entries, view, access_role_word(rights->grants[i].role),
		        rights->grants[i].group);
	}
	entries->list = realloc(entries->list, (entries->n + 1) * sizeof(*entries->list));
	if (!entries->list) {
		abort();
	}
	entries->list[entries->n++] = view;
}

/* By what gives the rights, then by name: together they are each there once. */
static int control_access_compare(const void *a, const void *b)
{
	const Control__AccessEntry *one = *(Control__AccessEntry *const *)a;
	const Control__AccessEntry *other = *(Control__AccessEntry *const *)b;
	int order = strcmp(one->source, other->source);

	return order ? order : strcmp(one->name, other->name);
}

/* Those behind `after`, which is SOURCE/NAME: what is added or goes meanwhile shifts nothing. */
static void control_access_page(const struct control_entries *entries,
        const Control__AccessListRequest *ask, Control__AccessList *list)
{
	struct control_page page = control_page(ask->limit, CONTROL_PAGE_MAX);
	char *next = "";

	list->entries = pool_zero(entries->pool, page.limit * sizeof(*list->entries));
	for (size_t i = 0; i < entries->n && !page.more; i++) {
		Control__AccessEntry *entry = entries->list[i];
		char *key = pool_format(entries->pool, "%s/%s", entry->source, entry->name);

		if (strcmp(key, ask->after) > 0 && control_page_takes(&page, &entry->base)) {
			list->entries[list->n_entries++] = entry;
			next = key;
		}
	}
	list->next = page.more ? next : "";
}

/* The file that the next reload would read, beside what counts. */
static void control_access_file(
        const struct control_client *client, struct pool *pool, Control__AccessList *list)
{
	const struct config *config = engine_config(control_engine(client));
	const struct access_identities *counts = client->control->identities;
	struct access_identities *now = NULL;
	struct failure failure = {0};

	if (!config_is_remote(config)) {
		return;
	}
	list->file = pool_text(
	        pool, counts ? access_identities_path(counts) : config->remote_identities);
	list->read_us = counts ? access_identities_read_us(counts) : 0;
	if (access_identities_read(config->remote_identities, &now, &failure) < 0) {
		err_forget();
		list->wrong = pool_format(pool, "%s: %s", failure.place, failure.cause);
		list->remedy = pool_text(pool, failure.remedy);
		return;
	}
	list->changed = !counts || !access_identities_equal(counts, now);
	access_identities_free(now);
}

/* Names are answered as they are written: nothing is looked up, so it is never late. */
void control_on_access_list(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__AccessList list = CONTROL__ACCESS_LIST__INIT;
	struct control_entries entries = {.pool = &pool};

	pool_init(&pool);
	access_peers_each(engine_config(control_engine(client)), control_access_entry, &entries);
	access_identities_each(client->control->identities, control_access_entry, &entries);
	qsort(entries.list, entries.n, sizeof(*entries.list), control_access_compare);
	control_access_page(&entries, request->access_list, &list);
	control_access_file(client, &pool, &list);
	reply.body_case = CONTROL__REPLY__BODY_ACCESS;
	reply.access = &list;
	control_reply(client, request->id, &reply);
	free(entries.list);
}
