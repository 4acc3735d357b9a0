/*
 * From a request to its handler, by one table. A row says what must hold before the handler
 * runs: that the machine that is named can be spoken with (one that is connecting is waited
 * for, a few seconds, and the request is handled then), and that what changes something can be
 * recorded. A request without a row is answered `unsupported`, which is how a newer luctl
 * learns that this lud is older.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/control/priv.h"

#define CONTROL_CONNECT_USEC INT64_C(5000000) /* that a request waits for its machine */

struct control_rule {
	void (*handle)(struct control_client *client, const Control__Request *request);
	/*
	 * The machine that must be spoken with; NULL: none. One that is
	 * connecting is waited for.
	 */
	const char *(*machine)(const Control__Request *request);
	/* It changes something that must be recorded: refused while nothing can be. */
	bool records;
};

static const char *control_status_machine(const Control__Request *request)
{
	return request->status->machine;
}

static const char *control_update_machine(const Control__Request *request)
{
	return request->update->machine;
}

static const char *control_rollback_machine(const Control__Request *request)
{
	return request->rollback->machine;
}

static const char *control_rerandomize_machine(const Control__Request *request)
{
	return request->rerandomize->machine;
}

static const char *control_restart_machine(const Control__Request *request)
{
	return request->restart->machine;
}

static const char *control_time_machine(const Control__Request *request)
{
	return request->machine_time->machine;
}

/* Indexed by the request's body; what is missing is answered `unsupported`. */
static const struct control_rule control_rules[] = {
        [CONTROL__REQUEST__BODY_VERSION] = {.handle = control_on_version},
        [CONTROL__REQUEST__BODY_STATUS] = {.handle = control_on_status,
                .machine = control_status_machine},
        [CONTROL__REQUEST__BODY_UPDATE] = {.handle = control_on_update,
                .machine = control_update_machine,
                .records = true},
        [CONTROL__REQUEST__BODY_ROLLBACK] = {.handle = control_on_rollback,
                .machine = control_rollback_machine,
                .records = true},
        [CONTROL__REQUEST__BODY_RERANDOMIZE] = {.handle = control_on_rerandomize,
                .machine = control_rerandomize_machine,
                .records = true},
        [CONTROL__REQUEST__BODY_HISTORY] = {.handle = control_on_history},
        [CONTROL__REQUEST__BODY_SHOW] = {.handle = control_on_show},
        [CONTROL__REQUEST__BODY_MACHINE_LIST] = {.handle = control_on_machine_list},
        [CONTROL__REQUEST__BODY_MACHINE_START] = {.handle = control_on_machine_start,
                .records = true},
        [CONTROL__REQUEST__BODY_MACHINE_STOP] = {.handle = control_on_machine_stop,
                .records = true},
        [CONTROL__REQUEST__BODY_MACHINE_DEFAULT] = {.handle = control_on_machine_default,
                .records = true},
        [CONTROL__REQUEST__BODY_MACHINE_REMOVE] = {.handle = control_on_machine_remove,
                .records = true},
        [CONTROL__REQUEST__BODY_RELEASE_UNBLOCK] = {.handle = control_on_release_unblock,
                .records = true},
        [CONTROL__REQUEST__BODY_RELEASE_ADD] = {.handle = control_on_release_add, .records = true},
        [CONTROL__REQUEST__BODY_RELEASE_LIST] = {.handle = control_on_release_list},
        [CONTROL__REQUEST__BODY_LOG_FOLLOW] = {.handle = control_on_log_follow},
        [CONTROL__REQUEST__BODY_JOB_LIST] = {.handle = control_on_job_list},
        [CONTROL__REQUEST__BODY_JOB_SHOW] = {.handle = control_on_job_show},
        [CONTROL__REQUEST__BODY_STAGE_LIST] = {.handle = control_on_stage_list},
        [CONTROL__REQUEST__BODY_STAGE_DROP] = {.handle = control_on_stage_drop},
        [CONTROL__REQUEST__BODY_RESOURCES] = {.handle = control_on_resources},
        [CONTROL__REQUEST__BODY_RESTART] = {.handle = control_on_restart,
                .machine = control_restart_machine,
                .records = true},
        [CONTROL__REQUEST__BODY_JOB_SIGN] = {.handle = control_on_job_sign, .records = true},
        [CONTROL__REQUEST__BODY_MACHINE_TIME] = {.handle = control_on_machine_time,
                .machine = control_time_machine},
};

static void control_on_connect_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = {0, 20000};
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	Control__Request *request = wait->request;
	const struct control_rule *rule = &control_rules[request->body_case];

	if (control_is_connecting(client, rule->machine(request)) &&
	        store_now_usec() < wait->deadline_us) {
		evtimer_add(wait->timer, &pause);
		return;
	}
	wait->request = NULL;
	control_wait_free(wait);
	rule->handle(client, request);
	control__request__free_unpacked(request, NULL);
}

/* Handles the request again when the machine has answered, or not in time. */
static void control_defer(struct control_client *client, const Control__Request *request)
{
	static const struct timeval now = {0, 0};
	size_t size = control__request__get_packed_size(request);
	_cleanup_(freep) uint8_t *packed = mem_zero(size + 1);
	struct control_wait *wait = control_wait_new(client, request->id);

	if (!wait) {
		return;
	}
	control__request__pack(request, packed);
	wait->request = control__request__unpack(NULL, size, packed);
	if (!wait->request) {
		abort();
	}
	wait->deadline_us = store_now_usec() + CONTROL_CONNECT_USEC;
	wait->timer = evtimer_new(client->control->base, control_on_connect_look, wait);
	evtimer_add(wait->timer, &now);
}

/*
 * Whether what is asked can be recorded. A record that could not be written is tried
 * first: what is possible again is not refused.
 */
static bool control_can_record(const struct control_client *client)
{
	struct db *db = control_db(client);

	if (db_health(db) != DB_WELL && db_try_write(db) < 0) {
		err_forget();
	}
	return db_health(db) == DB_WELL;
}

void control_on_request(struct control_client *client, const Control__Request *request)
{
	static const struct failure unknown = {"unsupported", "lud",
	        "this lud does not know the request", "use the luctl of the same version"};
	size_t n = sizeof(control_rules) / sizeof(control_rules[0]);
	const struct control_rule *rule = &control_rules[request->body_case];

	if ((size_t)request->body_case >= n || !rule->handle) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_UNSUPPORTED, &unknown);
	} else if (rule->records && !control_can_record(client)) {
		control_refuse_change(client, request->id);
	} else if (rule->machine && control_is_connecting(client, rule->machine(request))) {
		control_defer(client, request);
	} else {
		rule->handle(client, request);
	}
}
