/* Requests about the record: versions, history, generations, releases; and the log. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/base/file.h"
#include "orchestrator/base/log.h"
#include "orchestrator/control/priv.h"
#include "orchestrator/work/kit.h"
#include "version.h"

#define CONTROL_HISTORY_DEFAULT 20
#define CONTROL_HISTORY_MAX 40
#define CONTROL_RELEASES_MAX 200
#define CONTROL_RELEASE_ID 8 /* bytes of a release id that name a directory */
#define CONTROL_KIT_FILE_MAX (256u << 20)

void control_on_version(struct control_client *client, const Control__Request *request)
{
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__Version version = CONTROL__VERSION__INIT;

	version.software = "lud " SAMSARA_VERSION;
	version.protocol = CONTROL_PROTOCOL;
	version.machine_protocol = 1;
	version.schema = store_migrations_n;
	version.build = SAMSARA_BUILD;
	reply.body_case = CONTROL__REPLY__BODY_VERSION;
	reply.version = &version;
	control_reply(client, request->id, &reply);
}

struct control_history {
	struct pool *pool;
	struct engine *engine;
	Control__History *history;
	size_t limit;
};

static int control_history_row(const struct generation_row *row, void *arg)
{
	struct control_history *visit = arg;
	Control__History *history = visit->history;
	int r;

	if (history->n_generations == visit->limit) {
		history->more = true;
		return 0;
	}
	r = view_generation(visit->pool, visit->engine, row, false,
	        &history->generations[history->n_generations]);
	history->n_generations += !r;
	return err_up(r);
}

void control_on_history(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__HistoryRequest *ask = request->history;
	int64_t machine = control_machine_of_record(client, request->id, ask->machine);
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__History history = CONTROL__HISTORY__INIT;
	struct control_history visit = {&pool, control_engine(client), &history, ask->limit};
	struct generation_filter filter = {.service = ask->service, .before = ask->before};
	int r;

	pool_init(&pool);
	if (!machine) {
		return;
	}
	visit.limit = visit.limit ? visit.limit : CONTROL_HISTORY_DEFAULT;
	visit.limit = visit.limit < CONTROL_HISTORY_MAX ? visit.limit : CONTROL_HISTORY_MAX;
	filter.machine = machine;
	filter.limit = visit.limit + 1;
	history.generations = pool_zero(&pool, visit.limit * sizeof(*history.generations));
	r = store_generation_each(control_db(client), &filter, control_history_row, &visit);
	if (r) {
		control_refuse_record(client, request->id);
		return;
	}
	reply.body_case = CONTROL__REPLY__BODY_HISTORY;
	reply.history = &history;
	control_reply(client, request->id, &reply);
}

void control_on_show(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__ShowRequest *ask = request->show;
	int64_t row_id = control_machine_of_record(client, request->id, ask->machine);
	struct machine *machine = machines_by_id(engine_machines(control_engine(client)), row_id);
	const Machine__Service *service;
	Control__Reply reply = CONTROL__REPLY__INIT;
	uint64_t number = ask->generation;
	struct generation_row row;
	struct failure failure;
	int r;

	pool_init(&pool);
	if (!row_id) {
		return;
	}
	service = machine ? machine_service(machine, ask->service) : NULL;
	if (!number && service) {
		number = service->generation;
	}
	r = store_generation_find(control_db(client), row_id, ask->service, number, &row);
	if (!r) {
		r = view_generation(&pool, control_engine(client), &row, true, &reply.generation);
	}
	if (r < 0) {
		control_refuse_record(client, request->id);
		return;
	}
	if (r) {
		failure_set(&failure, "no-generation", ask->service,
		        "`luctl history` shows the generations",
		        "there is no generation %" PRIu64 " of this service", number);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
		return;
	}
	reply.body_case = CONTROL__REPLY__BODY_GENERATION;
	control_reply(client, request->id, &reply);
}

static int control_release_txn(struct db *db, void *arg)
{
	return store_release_put(db, arg);
}

/* Puts a directory in the place of another one, which is there whole until then. */
static int control_dir_replace(const char *from, const char *to)
{
	if (access(to, F_OK) == 0) {
		if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) < 0) {
			return err_raise(-errno);
		}
		return err_up(dir_remove(from));
	}
	return rename(from, to) < 0 ? err_raise(-errno) : 0;
}

/*
 * Keeps a copy of the kit under its release id: what was signed must be there for
 * every later variant, whatever happens to the directory it came from.
 */
static int control_release_keep(const struct config *config, const struct kit_facts *facts,
        const char *from, char **ret_path, struct failure *ret_failure)
{
	_cleanup_(freep) char *dir = text_format("%s/releases", config->state_dir);
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *next = NULL;
	char id[2 * CONTROL_RELEASE_ID + 1];
	int r = dir_make(dir);

	for (size_t i = 0; i < CONTROL_RELEASE_ID; i++) {
		snprintf(id + 2 * i, 3, "%02x", facts->release_id[i]);
	}
	path = text_format("%s/%s-%s.kit", dir, facts->manifest.service, id);
	next = text_format("%s.next", path);
	if (!r) {
		r = dir_remove(next);
	}
	if (!r) {
		r = dir_copy(from, next, CONTROL_KIT_FILE_MAX);
	}
	if (!r) {
		r = control_dir_replace(next, path);
	}
	if (r < 0) {
		failure_set(ret_failure, "kit", path, "check the state directory and its space",
		        "the kit cannot be copied: %s", strerror(-r));
		return err_up(r);
	}
	*ret_path = steal(&path);
	return 0;
}

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

void control_on_release_add(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const struct config *config = engine_config(control_engine(client));
	_cleanup_(freep) char *from = realpath(request->release_add->kit, NULL);
	_cleanup_(freep) char *path = NULL;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__ReleaseList list = CONTROL__RELEASE_LIST__INIT;
	Control__Release *release;
	struct failure failure = {0};
	struct kit_facts facts;
	struct release_row row;
	int r = from ? 0 : -errno;

	pool_init(&pool);
	if (r < 0) {
		failure_set(&failure, "kit", request->release_add->kit, "check the path",
		        "there is no such kit: %s", strerror(-r));
	} else {
		r = kit_verify(from, config->keyring, &facts, &failure);
	}
	if (!r) {
		r = control_release_keep(config, &facts, from, &path, &failure);
	}
	if (!r) {
		control_release_row(&row, &facts, path);
		r = db_txn(control_db(client), control_release_txn, &row);
		failure_set(&failure, "record", path, "check the state directory",
		        "the release cannot be recorded: %s", strerror(r < 0 ? -r : 0));
	}
	if (r && db_health(control_db(client)) != DB_WELL) {
		control_refuse_change(client, request->id);
		return;
	}
	if (r) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
		err_forget();
		return;
	}
	release = view_release(&pool, &row);
	list.n_releases = 1;
	list.releases = &release;
	reply.body_case = CONTROL__REPLY__BODY_RELEASES;
	reply.releases = &list;
	control_reply(client, request->id, &reply);
}

static int control_unblock_txn(struct db *db, void *arg)
{
	const struct release_row *row = arg;

	return store_release_block(db, row->id, 0, NULL);
}

void control_on_release_unblock(struct control_client *client, const Control__Request *request)
{
	const Control__ReleaseUnblockRequest *ask = request->release_unblock;
	struct release_row row;
	struct failure failure;
	int r = store_release_by_prefix(control_db(client), ask->service, ask->release, &row);

	if (r < 0) {
		control_refuse_record(client, request->id);
		return;
	}
	if (r || !row.blocked_us) {
		failure_set(&failure, "no-release", ask->service,
		        "`luctl release list` shows releases and which are blocked",
		        r == DB_E_NONE           ? "no release %s of this service is registered"
		        : r == STORE_E_AMBIGUOUS ? "several releases begin with %s"
		                                 : "release %s is not blocked",
		        ask->release);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
		return;
	}
	if (db_txn(control_db(client), control_unblock_txn, &row)) {
		control_refuse_change(client, request->id);
		return;
	}
	log_info("release %" PRId64 " of %s is unblocked for %s", row.counter, row.service,
	        client->identity);
	control_done(client, request->id, "");
}

struct control_releases {
	struct pool *pool;
	Control__ReleaseList *list;
};

static int control_releases_row(const struct release_row *row, void *arg)
{
	struct control_releases *visit = arg;

	if (visit->list->n_releases < CONTROL_RELEASES_MAX) {
		visit->list->releases[visit->list->n_releases++] = view_release(visit->pool, row);
	}
	return 0;
}

void control_on_release_list(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__ReleaseList list = CONTROL__RELEASE_LIST__INIT;
	struct control_releases visit = {&pool, &list};
	int r;

	pool_init(&pool);
	list.releases = pool_zero(&pool, CONTROL_RELEASES_MAX * sizeof(*list.releases));
	r = store_release_each(
	        control_db(client), request->release_list->service, control_releases_row, &visit);
	if (r) {
		control_refuse_record(client, request->id);
		return;
	}
	reply.body_case = CONTROL__REPLY__BODY_RELEASES;
	reply.releases = &list;
	control_reply(client, request->id, &reply);
}

static void control_on_lines(const Machine__LogLines *lines, void *arg)
{
	struct control_wait *wait = arg;
	Control__LogChunk chunk = CONTROL__LOG_CHUNK__INIT;

	chunk.id = wait->id;
	chunk.machine = (char *)machine_row(wait->machine)->name;
	chunk.n_lines = lines->n_lines;
	chunk.lines = lines->lines;
	chunk.dropped = lines->dropped;
	control_log(wait->client, &chunk);
}

void control_on_log_follow(struct control_client *client, const Control__Request *request)
{
	const Control__LogFollowRequest *ask = request->log_follow;
	struct machine *machine = control_machine(client, request->id, ask->machine);
	struct control_wait *wait;

	if (!machine) {
		return;
	}
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	wait->log = machine_listen(machine, ask->backlog, control_on_lines, wait);
	if (!ask->follow) {
		control_wait_free(wait);
		control_done(client, request->id, "");
	}
}
