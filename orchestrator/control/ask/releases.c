/*
 * Requests about releases. A kit comes from anywhere and may be anything: a worker
 * reads it, judges it and copies it into the store; lud itself opens only what the worker
 * has put there, and registers it when the signature on it is good.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/kit/renew.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/work/kit.h"

#define CONTROL_KIT_PATH_MAX 4096u
#define CONTROL_IMPORTS_MAX 3u /* of one request, while others remove what it adds */

char *control_store(struct control_client *client)
{
	return text_format("%s/releases", engine_config(control_engine(client))->state_dir);
}

/* A release, and what its kit says of it. */
struct control_added {
	struct control_client *client;
	struct release_row *row;
	const char *notes;
};

static int control_release_txn(struct db *db, void *arg)
{
	const struct control_added *added = arg;
	int r = store_release_put(db, added->row);

	control_once_says(added->client, 0, added->row->id);
	return r || !*added->notes
	               ? err_up(r)
	               : err_up(store_release_notes_put(db, added->row->id, added->notes));
}

/* A file of the kit for people; "" where it has none, or has one that nobody signed. The caller frees. */
static char *control_release_text(
        const char *path, const struct kit_facts *facts, const char *name, size_t limit)
{
	struct kit_fault fault;
	char *text;

	return kit_file_of(path, &facts->manifest, name, limit, &text, &fault) < 0
	               ? text_format("%s", "")
	               : text;
}

/* Of what it was made of, the line that says it in a few words. */
static void control_release_source(struct release_row *row, const char *text)
{
	const char *is = strstr(text, "\n" KIT_SOURCE_IS);

	if (is && !strncmp(text, KIT_SOURCE_HEAD, strlen(KIT_SOURCE_HEAD))) {
		is += strlen("\n" KIT_SOURCE_IS);
		snprintf(row->source, sizeof(row->source), "%.*s", (int)strcspn(is, "\n"), is);
	}
}

/*
 * A row of what the manifest and its signature say; the path is the copy in the store. What the
 * record adds (when, whether blocked) is store_release_put()'s.
 */
static void control_release_row(
        struct release_row *row, const struct kit_facts *facts, const char *path)
{
	const struct kit_manifest *manifest = &facts->manifest;

	*row = (struct release_row){
	        .counter = manifest->counter,
	        .floor = manifest->floor,
	        .issued = manifest->issued,
	};
	memcpy(row->service, manifest->service, sizeof(row->service));
	memcpy(row->release_id, facts->release_id, sizeof(row->release_id));
	memcpy(row->source_id, manifest->source_id, sizeof(row->source_id));
	memcpy(row->state_hash, manifest->state_hash, sizeof(row->state_hash));
	memcpy(row->key_id, facts->key_id, sizeof(row->key_id));
	snprintf(row->path, sizeof(row->path), "%s", path);
}

/* Registers what the worker put into the store, if it is signed. */
static int control_release_register(struct control_client *client, const char *path,
        struct release_row *ret_row, struct failure *ret_failure)
{
	const struct config *config = engine_config(control_engine(client));
	_cleanup_(freep) char *store = control_store(client);
	_cleanup_(freep) char *source = NULL;
	_cleanup_(freep) char *notes = NULL;
	struct control_added added = {.client = client, .row = ret_row};
	struct kit_facts facts;
	int r;

	if (strncmp(path, store, strlen(store)) || path[strlen(store)] != '/') {
		failure_set(ret_failure, "kit", path, "check programs.luforge in the configuration",
		        "the kit was not put into the store %s", store);
		return err_raise(-EBADMSG);
	}
	r = kit_facts_read(path, config->keyring, &facts, ret_failure);
	if (r < 0) {
		return err_up(r);
	}
	control_release_row(ret_row, &facts, path);
	source = control_release_text(path, &facts, KIT_SOURCE, KIT_SOURCE_MAX);
	notes = control_release_text(path, &facts, KIT_NOTES, KIT_NOTES_MAX);
	control_release_source(ret_row, source);
	added.notes = notes;
	r = db_effect(control_db(client), control_release_txn, &added);
	if (r) {
		failure_set(ret_failure, "record", path, "check the state directory",
		        "the release cannot be recorded: %s", strerror(r < 0 ? -r : 0));
	}
	return err_fold(r);
}

void control_release_answer(
        struct control_client *client, uint64_t id, const struct release_row *row)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__ReleaseList list = CONTROL__RELEASE_LIST__INIT;
	Control__Release *release;

	pool_init(&pool);
	release = view_release(&pool, row);
	list.n_releases = 1;
	list.releases = &release;
	reply.body_case = CONTROL__REPLY__BODY_RELEASES;
	reply.releases = &list;
	control_reply(client, id, &reply);
}

static void control_on_imported(const struct failure *failure, void *arg);

static void control_import(struct control_wait *wait)
{
	wait->task = forge_import(engine_forge(control_engine(wait->client)), wait->kit, wait->path,
	        control_on_imported, wait);
}

/*
 * A worker that finds a whole copy in the store leaves it alone. Somebody may have had that removed (release_remove.c)
 * before it is registered: then the kit is copied as if it had never been there.
 */
static bool control_is_removed(struct control_wait *wait)
{
	return access(wait->path, F_OK) < 0 && ++wait->n_tries < CONTROL_IMPORTS_MAX;
}

/*
 * The worker has copied the kit, or says what is wrong with it. A failure to record it is told as
 * the record's own, with its remedy; then the copy stays in the store, and adding it again is
 * enough.
 */
static void control_on_imported(const struct failure *failure, void *arg)
{
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	struct release_row row;
	struct failure unfit;
	uint64_t id = wait->id;

	wait->task = NULL;
	if (!failure && control_is_removed(wait)) {
		control_import(wait);
		return;
	}
	control_once_begin(client, id);
	if (!failure && control_release_register(client, wait->path, &row, &unfit) < 0) {
		failure = &unfit;
	}
	control_once_pause(client->control);
	if (failure && db_health(control_db(client)) != DB_WELL) {
		control_refuse_change(client, id);
	} else if (failure) {
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_REFUSED, failure);
		err_forget();
	} else {
		engine_releases_changed(control_engine(client));
		control_release_answer(client, id, &row);
	}
	control_wait_free(wait);
}

/*
 * Registers a kit. It is read by a worker, not by lud: what is in it was made elsewhere and is
 * not trusted until its signature is. The path has to be absolute, because the client's directory
 * is not lud's.
 */
void control_on_release_add(struct control_client *client, const Control__Request *request)
{
	const char *kit = request->release_add->kit;
	struct control_wait *wait;
	struct failure failure;
	int r = 0;

	if (kit[0] != '/' || strlen(kit) > CONTROL_KIT_PATH_MAX) {
		failure_set(&failure, "kit", "release add", "give the whole path, from /",
		        "a kit is named by its absolute path");
		r = err_raise(-EINVAL);
	}
	if (r < 0) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
		err_forget();
		return;
	}
	wait = control_wait_new(client, request->id);
	if (wait) {
		wait->kit = text_copy(kit);
		control_import(wait);
	}
}

/* A page of releases while it is filled. */
struct control_releases {
	struct pool *pool;
	Control__ReleaseList *list;
	struct control_page page;
};

/* The cursor is a release: one of the same number may be added meanwhile, and sorts behind it. */
static int control_releases_row(const struct release_row *row, void *arg)
{
	struct control_releases *visit = arg;
	Control__Release *release = view_release(visit->pool, row);

	if (control_page_takes(&visit->page, &release->base)) {
		visit->list->releases[visit->list->n_releases++] = release;
		visit->list->next = (uint64_t)row->id;
	}
	return 0;
}

/* Releases of one service or of all, blocked ones too, by service and number. */
void control_on_release_list(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__ReleaseList list = CONTROL__RELEASE_LIST__INIT;
	const Control__ReleaseListRequest *ask = request->release_list;
	struct control_releases visit = {&pool, &list, control_page(ask->limit, CONTROL_PAGE_MAX)};
	int r;

	pool_init(&pool);
	list.releases = pool_zero(&pool, visit.page.limit * sizeof(*list.releases));
	r = store_release_each(control_db(client), ask->service, (int64_t)ask->after,
	        (int64_t)visit.page.limit + 1, control_releases_row, &visit);
	if (r) {
		control_refuse_record(client, request->id);
		return;
	}
	list.next = visit.page.more ? list.next : 0;
	reply.body_case = CONTROL__REPLY__BODY_RELEASES;
	reply.releases = &list;
	control_reply(client, request->id, &reply);
}
