/*
 * Answers, on which everything in this room stands. An answer that is too large for one frame is
 * refused instead.
 *
 * A refusal always says the same four things: a code for programs, the place, the cause in words,
 * and what to do. The record's own failures are phrased here, so that every request that changes
 * something gives the same reason while nothing can be changed.
 */
#include "orchestrator/control/client/client.h"

#include <string.h>

#include "host/base/log.h"

/*
 * Whether it may be said only when the record has it on disk. A refusal is nothing that was done; a status is
 * how things are now, and says itself how the record is: a disk that does not answer must not keep it.
 */
static bool control_rests(const Control__FromLud *from)
{
	return from->body_case != CONTROL__FROM_LUD__BODY_REPLY ||
	       (from->reply->body_case != CONTROL__REPLY__BODY_STATUS &&
	               from->reply->body_case != CONTROL__REPLY__BODY_ERROR);
}

const struct control_tally *control_tally(const struct control *control)
{
	return &control->tally;
}

/* A class that is none of ours comes from a machine. */
static void control_count(struct control *control, const Control__Reply *reply)
{
	size_t class = reply->body_case == CONTROL__REPLY__BODY_ERROR
	                       ? (size_t)reply->error->class_
	                       : WIRE__ERROR_CLASS__ERROR_NONE;

	control->tally
	        .answered[class < CONTROL_CLASSES ? class : WIRE__ERROR_CLASS__ERROR_INTERNAL]++;
}

static void control_say(struct control_client *client, const Control__FromLud *from)
{
	client->ops->say(client->arg, from, control_rests(from));
}

void control_reply(struct control_client *client, uint64_t id, Control__Reply *reply)
{
	Control__FromLud from = CONTROL__FROM_LUD__INIT;
	static const struct failure large = {"too-large", "control",
	        "the answer does not fit one message", "ask for less, with --limit or a service"};

	if (!control_once_end(client, id, reply)) {
		control_refuse_change(client, id);
		return;
	}
	reply->id = id;
	from.body_case = CONTROL__FROM_LUD__BODY_REPLY;
	from.reply = reply;
	if (control__from_lud__get_packed_size(&from) > FRAME_PAYLOAD_MAX) {
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_FULL, &large);
		return;
	}
	control_count(client->control, reply);
	control_say(client, &from);
}

/*
 * The class is what a program branches on, and what becomes luctl's exit code; the failure is for
 * the person. A machine's own error goes the same way (forward.c), so that both look alike.
 */
void control_refuse(struct control_client *client, uint64_t id, Wire__ErrorClass class,
        const struct failure *failure)
{
	Control__Reply reply = CONTROL__REPLY__INIT;
	Wire__Error error = WIRE__ERROR__INIT;
	Wire__Cause cause = WIRE__CAUSE__INIT;

	cause.component = (char *)failure->place;
	cause.name = (char *)failure->code;
	cause.message = (char *)failure->cause;
	error.class_ = class;
	error.cause = &cause;
	error.hint = (char *)failure->remedy;
	reply.body_case = CONTROL__REPLY__BODY_ERROR;
	reply.error = &error;
	control_reply(client, id, &reply);
}

void control_refuse_record(struct control_client *client, uint64_t id)
{
	struct failure failure;

	db_failure(control_db(client), &failure);
	log_error("%s: %s (%s)", failure.place, failure.cause, err_trace());
	err_forget();
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_INTERNAL, &failure);
}

/*
 * The place and the remedy stay those of the record. The cause is prefixed, because what was
 * asked need not sound like a write at all (`luctl machine stop`).
 */
void control_refuse_change(struct control_client *client, uint64_t id)
{
	struct failure failure;
	char cause[sizeof(failure.cause)];

	db_failure(control_db(client), &failure);
	snprintf(cause, sizeof(cause), "nothing can be changed now: %.280s", failure.cause);
	memcpy(failure.cause, cause, sizeof(cause));
	err_forget();
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_UNAVAILABLE, &failure);
}

void control_done(struct control_client *client, uint64_t id, const char *text)
{
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__Done done = CONTROL__DONE__INIT;

	done.text = (char *)text;
	reply.body_case = CONTROL__REPLY__BODY_DONE;
	reply.done = &done;
	control_reply(client, id, &reply);
}

void control_progress(struct control_client *client, Control__Progress *progress)
{
	Control__FromLud from = CONTROL__FROM_LUD__INIT;

	from.body_case = CONTROL__FROM_LUD__BODY_PROGRESS;
	from.progress = progress;
	control_say(client, &from);
}

void control_log(struct control_client *client, Control__LogChunk *chunk)
{
	Control__FromLud from = CONTROL__FROM_LUD__INIT;

	from.body_case = CONTROL__FROM_LUD__BODY_LOG;
	from.log = chunk;
	control_say(client, &from);
}

void control_events(struct control_client *client, Control__EventChunk *chunk)
{
	Control__FromLud from = CONTROL__FROM_LUD__INIT;

	from.body_case = CONTROL__FROM_LUD__BODY_EVENTS;
	from.events = chunk;
	control_say(client, &from);
}

struct db *control_db(const struct control_client *client)
{
	return engine_db(client->control->engine);
}

struct engine *control_engine(const struct control_client *client)
{
	return client->control->engine;
}
