/*
 * From a request to its handler, by one table. A row says what must hold before the handler
 * runs: that whoever asks has the role for it, that the machine that is named can be spoken with (one that is connecting is waited
 * for, a few seconds, and the request is handled then), and that what changes something can be
 * recorded. The rows are those of control.proto, where the comment behind each request says so; a
 * request whose handler is missing does not link. What this lud does not know is answered
 * `unsupported`, which is how a newer luctl learns that it is older.
 */
#include <string.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "orchestrator/control/ask/ask.h"
#include "orchestrator/control/priv.h"

#define CONTROL_CONNECT_USEC INT64_C(5000000) /* that a request waits for its machine */

struct control_rule {
	void (*handle)(struct control_client *client, const Control__Request *request);
	/* The machine that must be spoken with; NULL: none. One that connects is waited for. */
	const char *(*machine)(const Control__Request *request);
	/* It changes something that must be recorded: refused while nothing can be. */
	bool records;
	uint32_t answer;       /* its answer, the first of two kinds: a field of Reply's body */
	enum access_role role; /* that is needed */
};

/* The machine that a request names, for those whose row says NAMED. */
#define CONTROL_NAMED(field)                                                                       \
	static const char *control_named_##field(const Control__Request *request)                  \
	{                                                                                          \
		return request->field->machine;                                                    \
	}
#define CONTROL_ANY(field)
#define REQUEST(NAME, field, answer, other, machine, effect, role, about, place)                   \
	CONTROL_##machine(field)
#include "proto/control/requests.gen.def"
#undef REQUEST
#undef CONTROL_NAMED
#undef CONTROL_ANY

#define CONTROL_NAMED(field) control_named_##field
#define CONTROL_ANY(field) NULL
#define CONTROL_CHANGES true
#define CONTROL_READS false

/* NULL: a request that this lud does not know. Without a default: the build misses no row. */
static const struct control_rule *control_rule(Control__Request__BodyCase body)
{
	switch (body) {
#define REQUEST(NAME, field, answer, other, machine, effect, role, about, place)                   \
	case CONTROL__REQUEST__BODY_##NAME: {                                                      \
		static const struct control_rule rule = {control_on_##field,                       \
		        CONTROL_##machine(field), CONTROL_##effect, CONTROL__REPLY__BODY_##answer, \
		        ACCESS_##role};                                                            \
		return &rule;                                                                      \
	}
#include "proto/control/requests.gen.def"
#undef REQUEST
	case CONTROL__REQUEST__BODY__NOT_SET:
	case _CONTROL__REQUEST__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return NULL;
}

/* Whether reason and request id are what the record can keep and a log can print. */
static bool control_words_ok(const Control__Request *request)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "0123456789_.:+-";
	const char *id = request->request_id;

	for (const char *at = request->reason; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f) {
			return false;
		}
	}
	if (request->expect_plan.len &&
	        request->expect_plan.len != sizeof((struct job_row){0}.plan)) {
		return false;
	}
	return strlen(request->reason) < sizeof((struct job_row){0}.reason) &&
	       strlen(id) < sizeof((struct job_row){0}.request_id) && !id[strspn(id, letters)];
}

/*
 * Whether an override may be: a right of its own, for a request whose jobs have something to pass, with
 * a reason, since the history is all that is left of what was passed. False: it was refused.
 */
static bool control_override_ok(struct control_client *client, const struct control_about *about,
        const Control__Request *request)
{
	static const struct failure reason = {"no-reason", "override",
	        "an override has to say why, in the history", "give --reason"};
	static const struct failure unknown = {"invalid", "override",
	        "this request has nothing that could be passed, or the override is unknown",
	        "use the luctl of the same version"};
	bool has_jobs = request->body_case == CONTROL__REQUEST__BODY_UPDATE ||
	                request->body_case == CONTROL__REQUEST__BODY_ROLLBACK ||
	                request->body_case == CONTROL__REQUEST__BODY_RERANDOMIZE ||
	                request->body_case == CONTROL__REQUEST__BODY_RESTART;

	if (!request->override) {
		return true;
	}
	if (!has_jobs || request->override >= 2 * (_RULES_OVERRIDE_N - 1)) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &unknown);
		return false;
	}
	if (!control_may(client, about, ACCESS_OVERRIDE, request->id)) {
		return false;
	}
	if (!*request->reason) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &reason);
		return false;
	}
	return true;
}

/*
 * Whether whoever asks may ask for it, from there and on what it is about, and pass what it is to pass; false: it was
 * refused.
 */
static bool control_is_allowed(struct control_client *client, const struct control_rule *rule,
        const Control__Request *request)
{
	struct control_about about;

	control_about(request, &about);
	return control_may(client, &about, rule->role, request->id) &&
	       control_may_from_there(client, request) &&
	       control_override_ok(client, &about, request);
}

/*
 * Whether it is carried out once under its id. A hold that lasts as long as a command is no act: its id is how lud knows
 * it again, on another connection, too. A signature is of one proposal, which ends with it.
 */
static bool control_is_once(const struct control_rule *rule, const Control__Request *request)
{
	return rule->records && *request->request_id &&
	       request->body_case != CONTROL__REQUEST__BODY_JOB_SIGN &&
	       !(request->body_case == CONTROL__REQUEST__BODY_HOLD &&
	               request->hold->while_connected);
}

/* False: there is no answer yet, which *ret_row is for; or jobs that it asked for are still to be planned, and ->id is set. */
static bool control_is_answered(
        struct control_client *client, const Control__Request *request, struct answer_row *ret_row)
{
	switch (control_once_look(client, request, ret_row)) {
	case CONTROL_ONCE_NEW:
		return false;
	case CONTROL_ONCE_KNOWN:
		return control_again(client, request, ret_row);
	case CONTROL_ONCE_REFUSED:
	case _CONTROL_ONCE_N:
		break;
	}
	return true;
}

/* Nothing is in the way of it. While it waited for its machine the same may have come again, and have been carried out. */
static void control_carry_out(struct control_client *client, const struct control_rule *rule,
        const Control__Request *request)
{
	struct answer_row row;

	if (!control_is_once(rule, request)) {
		rule->handle(client, request);
		return;
	}
	if (control_is_answered(client, request, &row)) {
		return;
	}
	if (!row.id) {
		row.said = rule->answer;
		control_once_new(client, request, &row);
		control_once_begin(client, request->id);
	}
	rule->handle(client, request);
	control_once_pause(client->control);
}

/*
 * Looks again until the machine has answered or the time is over, then handles the request as if
 * it had come now: the handler itself says what is wrong with a machine that is still not up. By
 * then the machine may be gone; it is looked up again by its name.
 */
static void control_on_connect_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = {0, 20000};
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	Control__Request *request = wait->request;
	const struct control_rule *rule = control_rule(request->body_case);

	if (control_is_connecting(client, rule->machine(request)) &&
	        elapsed_usec() < wait->deadline_us) {
		evtimer_add(wait->timer, &pause);
		return;
	}
	wait->request = NULL;
	control_wait_free(wait);
	/* Rights and groups may have changed since it came. */
	if (control_is_allowed(client, rule, request)) {
		control_carry_out(client, rule, request);
	}
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
	wait->deadline_us = elapsed_usec() + CONTROL_CONNECT_USEC;
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

/*
 * The one way in. The order of the checks is that of what they cost to mend: an unknown request
 * is never going to work, the record may come back, and the machine is likely to answer soon. One that was carried out
 * needs neither.
 */
void control_client_ask(struct control_client *client, const Control__Request *request)
{
	static const struct failure unknown = {"unsupported", "lud",
	        "this lud does not know the request", "use the luctl of the same version"};
	static const struct failure words = {"words", "request",
	        "a reason, a request id or a plan's hash is too long, or has characters that it "
	        "must not have",
	        "give a reason of up to 199 bytes in one line, and an id of up to 63 letters, "
	        "digits "
	        "and _.:+-"};
	const struct control_rule *rule = control_rule(request->body_case);
	struct answer_row answer;

	engine_clock(control_engine(client));
	if (!rule) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_UNSUPPORTED, &unknown);
	} else if (!control_is_allowed(client, rule, request)) {
		return;
	} else if (!control_words_ok(request)) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &words);
	} else if (control_is_once(rule, request) &&
	           control_is_answered(client, request, &answer)) {
		return;
	} else if (rule->records && !control_can_record(client)) {
		control_refuse_change(client, request->id);
	} else if (rule->machine && control_is_connecting(client, rule->machine(request))) {
		control_defer(client, request);
	} else {
		control_carry_out(client, rule, request);
	}
}
