/*
 * One blocking conversation with lud, over a stream (stream.h). Frames and sessions are those of proto/frame; a message
 * is unpacked into the client's own arena, checked (reply.c) and escaped (clean.c) before a
 * command sees it, and lives until the next call.
 *
 * The wait for an answer ends by wait_limit(), if nothing else ends it: jobs take their time. A lud that
 * says nothing for a while is asked for its version, as a sign of life, and given up after
 * CLIENT_SILENT_MSEC. Ctrl-C and that limit end luctl and no job. Progress and log lines go to the caller's
 * function; an answer to another request, such as the version, is dropped.
 */
#include "ctl/client/client.h"

#include <string.h>
#include <sys/random.h>

#include "ctl/base/clean.h"
#include "ctl/base/exits.h"
#include "ctl/client/again.h"
#include "ctl/client/leave.h"
#include "ctl/client/place.h"
#include "ctl/client/reply.h"
#include "ctl/client/stream.h"
#include "ctl/client/stream_tls.h"
#include "ctl/client/target.h"
#include "ctl/client/wait.h"
#include "proto/frame/arena.h"
#include "proto/frame/session.h"

/*
 * Versions of the control protocol that this luctl speaks; the session takes the highest that
 * both sides have.
 */
#define CLIENT_PROTOCOL 2u
#define CLIENT_PROTOCOL_MIN 1u
/* How long lud may take to answer the greeting: it needs nothing for it but its event loop. */
#define CLIENT_HELLO_MSEC 5000
/* A lud that says nothing is asked for a sign of life, and given up in the end. */
#define CLIENT_PULSE_MSEC 5000
#define CLIENT_SILENT_MSEC 30000
/*
 * Memory for one unpacked message. A frame holds 64 KiB; lists of small messages take many times
 * the room unpacked that they take packed.
 */
#define CLIENT_ARENA_SIZE (4u << 20)

/* Inside, no exit codes: see client_stop_at(); and the connection is lost, which nobody was told yet. */
#define CLIENT_STOPPED (-1)
#define CLIENT_LOST (-2)

/*
 * The connection and everything that one message needs. The two buffers are part of it, so that
 * a client is one allocation and nothing is allocated while it is used.
 */
struct client {
	const struct hosts_entry *host; /* that lud is on; NULL: this one */
	char *place;                    /* the socket of this one */
	struct stream *stream;
	struct again again; /* how often it was asked again, and under which id */
	char lost[200];     /* why, of CLIENT_LOST */
	struct session session;
	struct frame_decoder decoder;
	struct wire_arena arena;
	uint64_t last_id;
	struct leave leave; /* of the request that waits for its answer */
	unsigned int quiet_msec;
	int stop_fd; /* readable: the wait for an answer ends; -1: none */
	uint8_t buffer[2 * FRAME_SIZE_MAX];
	uint8_t out[FRAME_SIZE_MAX];
	uint8_t arena_bytes[CLIENT_ARENA_SIZE] __attribute__((aligned(16)));
};

void client_closep(struct client **client)
{
	if (*client) {
		stream_closep(&(*client)->stream);
		free((*client)->place);
		free(*client);
	}
}

/*
 * The conversation is over, for the reason in `what`. Jobs in lud are not affected, which the remedy says. Over the network that
 * is CLIENT_LOST, and another connection may be made.
 */
static int client_lost(struct client *client, const char *what)
{
	const char *remedy = stream_remedy(client->stream);

	if (client->host && !stream_is_final(client->stream)) {
		snprintf(client->lost, sizeof(client->lost), "%s", what);
		return CLIENT_LOST;
	}
	return ctl_fail(client->host ? CTL_TRUST : CTL_UNREACHABLE, stream_name(client->stream),
	        *remedy ? remedy
	                : "open jobs continue in lud; `luctl history` will show their outcomes",
	        "%s", what);
}

/* Nobody asks again. */
static int client_give_up(const struct client *client)
{
	return ctl_fail(CTL_UNREACHABLE, stream_name(client->stream),
	        "open jobs continue in lud; `luctl history` will show their outcomes", "%s",
	        client->lost);
}

static int client_write(struct client *client, const uint8_t *bytes, size_t len)
{
	return stream_write(client->stream, bytes, len)
	               ? CTL_OK
	               : client_lost(client, stream_why(client->stream));
}

/* The time to wait is over. */
static int client_waited(const struct client *client)
{
	_cleanup_(ctl_freep) char *why =
	        ctl_format("not over after %g s", wait_limit_msec() / 1000.0);

	return leave_now(&client->leave, CTL_WAITED, why);
}

/*
 * Number and send a request. The frame is packed where its header will be put in front, so
 * nothing is copied.
 */
static int client_send(struct client *client, Control__Request *request);

/* Nothing came for a while: asks whether lud is there at all. */
static int client_pulse(struct client *client)
{
	Control__VersionRequest version = CONTROL__VERSION_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	client->quiet_msec += CLIENT_PULSE_MSEC;
	if (client->quiet_msec >= CLIENT_SILENT_MSEC) {
		return client_lost(client, "lud has not answered for 30 s");
	}
	request.body_case = CONTROL__REQUEST__BODY_VERSION;
	request.version = &version;
	return client_send(client, &request);
}

void client_stop_at(struct client *client, int fd)
{
	client->stop_fd = fd;
}

bool client_can_connect(const char *path)
{
	_cleanup_(ctl_freep) char *place = path ? ctl_format("%s", path) : place_socket();

	/* A host that does not answer says nothing of whether there is a lud: whoever asks finds out. */
	return (!path && target_host()) || stream_can_open_socket(place);
}

/* Takes what has come. */
static int client_take(struct client *client)
{
	size_t room;
	uint8_t *space = frame_decoder_space(&client->decoder, &room);
	ssize_t n = stream_read(client->stream, space, room);

	client->quiet_msec = 0;
	if (n < 0) {
		return client_lost(client, stream_why(client->stream));
	}
	frame_decoder_added(&client->decoder, n);
	return CTL_OK;
}

/* Reads once. msec < 0: as long as lud gives signs of life. */
static int client_read(struct client *client, int msec)
{
	int pause = msec < 0 ? wait_left_msec(CLIENT_PULSE_MSEC) : msec;

	if (!pause) {
		return client_waited(client);
	}
	switch (stream_wait(client->stream, client->stop_fd, pause)) {
	case STREAM_INTERRUPTED:
		return leave_now(&client->leave, CTL_INTERRUPTED, "interrupted");
	case STREAM_STOPPED:
		return CLIENT_STOPPED;
	case STREAM_QUIET:
		if (msec >= 0) {
			return client_lost(client, "lud does not answer");
		}
		return pause == CLIENT_PULSE_MSEC ? client_pulse(client) : CTL_OK;
	case STREAM_BYTES:
	case _STREAM_EVENT_N:
		break;
	}
	return client_take(client);
}

/* lud ended the greeting because no version is common to both. */
static int client_refused(const struct client *client)
{
	return ctl_fail(CTL_UNREACHABLE, stream_name(client->stream),
	        "use the luctl that came with this lud",
	        "lud speaks protocol %u to %u, this luctl speaks %u",
	        client->session.peer.min_version, client->session.peer.max_version,
	        CLIENT_PROTOCOL);
}

/* lud knows who asks, and has nothing for it: another connection would end in the same way. */
static int client_has_no_role(const struct client *client)
{
	return ctl_fail(CTL_TRUST, stream_name(client->stream),
	        "have an admin of that host put it into the identities file of its lud",
	        "lud says that %s has no role there", stream_self(client->stream));
}

/* The session is over, by lud's word or because it has forgotten it. */
static int client_ended(struct client *client)
{
	return client->session.bye == WIRE__BYE_REASON__BYE_NO_ROLE
	               ? client_has_no_role(client)
	               : client_lost(client, "lud ended the session");
}

/* Waits for the next message of the session; others are dealt with here. */
static int client_next(
        struct client *client, int msec, enum session_event wanted, struct frame *ret_frame)
{
	uint8_t out[SESSION_OUT_MAX];
	int code = CTL_OK;

	while (code == CTL_OK) {
		enum frame_result result = frame_decoder_next(&client->decoder, ret_frame);
		size_t out_len = 0;
		enum session_event event;

		if (result == FRAME_NEED) {
			code = client_read(client, msec);
			continue;
		}
		if (result == FRAME_BAD) {
			return client_lost(client, "lud sent an invalid message");
		}
		event = session_receive(&client->session, ret_frame, out, &out_len);
		code = client_write(client, out, out_len);
		if (event == wanted) {
			return code;
		}
		if (event == SESSION_REFUSED) {
			return client_refused(client);
		}
		if (event == SESSION_ENDED || event == SESSION_LOST) {
			return client_ended(client);
		}
	}
	return code;
}

/*
 * Open the session by an exchange of greetings. Every frame repeats the nonce, so that no frame of
 * another connection is taken for one of this. CTL_OK, or an exit code after the reason was
 * printed.
 */
static int client_hello(struct client *client)
{
	static const struct session_identity self = {
	        .min_version = CLIENT_PROTOCOL_MIN,
	        .max_version = CLIENT_PROTOCOL,
	        .software = "luctl",
	};
	uint8_t out[SESSION_OUT_MAX];
	struct frame frame;
	uint64_t nonce = 0;
	int code;

	while (!nonce && getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce)) {
	}
	session_init(&client->session, SESSION_INITIATOR, &self);
	code = client_write(client, out, session_hello(&client->session, nonce, out));
	if (code == CTL_OK) {
		code = client_next(client, CLIENT_HELLO_MSEC, SESSION_OPENED, &frame);
	}
	return code;
}

/* A stream to lud, in place of the one there was, and the greeting. */
static int client_connect(struct client *client)
{
	int code;

	stream_closep(&client->stream);
	frame_decoder_init(&client->decoder, client->buffer, sizeof(client->buffer));
	client->quiet_msec = 0;
	code = client->host ? stream_open_tls(client->host, &client->stream)
	                    : stream_open_socket(client->place, &client->stream);
	if (code == CTL_OK) {
		again_opened(&client->again);
		code = client_hello(client);
	}
	return code;
}

/*
 * After a loss: connects again, as often and as long as that makes sense. CTL_OK; else the exit code of the last try, which
 * was told.
 */
static int client_return(struct client *client)
{
	int code = CLIENT_LOST;

	again_begin(&client->again, stream_name(client->stream), client->lost);
	while (code == CLIENT_LOST || code == CTL_UNREACHABLE) {
		bool is_last = again_pause(&client->again);

		if (wait_is_interrupted()) {
			return leave_now(&client->leave, CTL_INTERRUPTED, "interrupted");
		}
		ctl_catch(!is_last);
		code = client_connect(client);
		ctl_catch(false);
		if (is_last) {
			return code == CLIENT_LOST ? client_give_up(client) : code;
		}
	}
	/* What will not mend itself was caught, and is told by the same once more. */
	return code == CTL_OK ? CTL_OK : client_connect(client);
}

int client_open(const char *path, struct client **ret_client)
{
	_cleanup_(client_closep) struct client *client = ctl_zero(sizeof(*client));
	int code;

	wait_for_interrupt();
	client->stop_fd = -1;
	client->leave.request_id = "";
	client->host = path ? NULL : target_host();
	client->place = path ? ctl_format("%s", path) : place_socket();
	wire_arena_init(&client->arena, client->arena_bytes, sizeof(client->arena_bytes));
	code = client_connect(client);
	if (code == CLIENT_LOST) {
		code = client_return(client);
	}
	if (code == CTL_OK) {
		*ret_client = client;
		client = NULL;
	}
	return code;
}

/*
 * Print an error of lud with its hint; its exit code. The cause is missing only in errors of a
 * lud that is older or broken.
 */
static int client_tell_error(const struct client *client, const Wire__Error *error)
{
	const Wire__Cause *cause = error->cause;

	if (!cause) {
		return ctl_fail(exits_of_error(error), "", error->hint,
		        "lud rejected the request (class %d)", error->class_);
	}
	return ctl_fail_as(&(struct ctl_fault){exits_of_error(error), cause->component,
	                           cause->message, error->hint, cause->name, client->leave.job},
	        false);
}

/*
 * Whether strings stay as they came (--json). One for the program, as there is one command
 * line.
 */
static bool client_is_raw;

void client_keep_raw(void)
{
	client_is_raw = true;
}

/* The next message of lud, checked and escaped; it lives in the arena until the next call. */
static int client_receive(struct client *client, const Control__FromLud **ret_from)
{
	struct frame frame;
	Control__FromLud *from;
	int code;

	code = client_next(client, -1, SESSION_MESSAGE, &frame);
	if (code != CTL_OK) {
		return code;
	}
	wire_arena_reset(&client->arena);
	from = reply_unpack(&client->arena.allocator, frame.payload, frame.len);
	if (!from) {
		return client_lost(client, "lud sent an invalid message");
	}
	clean_from_lud(from, client_is_raw, &client->arena.allocator);
	*ret_from = from;
	return CTL_OK;
}

static int client_send(struct client *client, Control__Request *request)
{
	size_t len;

	request->id = ++client->last_id;
	len = control__request__get_packed_size(request);
	if (len > FRAME_PAYLOAD_MAX) {
		return ctl_fail(CTL_USAGE, "", "shorten the arguments", "the request is too long");
	}
	control__request__pack(request, client->out + FRAME_HEADER_SIZE);
	return client_write(client, client->out, session_seal(&client->session, client->out, len));
}

/*
 * lud's refusal of what was asked again, which says something of the first time: that it is still carried out, since lud has not
 * noticed yet that nobody hears it any more; or that a signature is no longer waited for, since it is there.
 */
static int client_on_error(
        struct client *client, const Control__Request *request, const Wire__Error *error)
{
	if (again_is_under_way(&client->again, error)) {
		snprintf(client->lost, sizeof(client->lost), "%s", error->cause->message);
		return CLIENT_LOST;
	}
	if (client->again.n_tries && request->body_case == CONTROL__REQUEST__BODY_JOB_SIGN) {
		return CTL_OK;
	}
	return client_tell_error(client, error);
}

/* Once: until the answer, or the end of the connection. */
static int client_ask(struct client *client, Control__Request *request, client_news_fn news,
        void *arg, const Control__Reply **ret_reply)
{
	const Control__FromLud *from = NULL;
	int code = client_send(client, request);

	while (code == CTL_OK) {
		code = client_receive(client, &from);
		if (code != CTL_OK) {
			break;
		}
		if (from->body_case == CONTROL__FROM_LUD__BODY_PROGRESS) {
			leave_note(&client->leave, from->progress);
		}
		if (from->body_case != CONTROL__FROM_LUD__BODY_REPLY) {
			if (news) {
				news(from, arg);
			}
			continue;
		}
		/* The answer to client_pulse(), or to a request of before. */
		if (from->reply->id != request->id) {
			continue;
		}
		if (!reply_answers(request, from->reply)) {
			return client_lost(client, "lud sent an answer of the wrong kind");
		}
		if (from->reply->body_case == CONTROL__REPLY__BODY_ERROR) {
			return client_on_error(client, request, from->reply->error);
		}
		*ret_reply = from->reply;
		return CTL_OK;
	}
	return code;
}

int client_call(struct client *client, Control__Request *request, client_news_fn news, void *arg,
        const Control__Reply **ret_reply)
{
	char *given = request->request_id;
	int code;

	*ret_reply = NULL;
	if (client->host && !*given && again_needs_id(request)) {
		request->request_id = again_id(&client->again);
	}
	leave_begin(&client->leave, request);
	code = client_ask(client, request, news, arg, ret_reply);
	while (code == CLIENT_LOST && again_may(request)) {
		code = client_return(client);
		if (code == CTL_OK) {
			code = client_ask(client, request, news, arg, ret_reply);
		}
	}
	request->request_id = given;
	if (code == CLIENT_LOST) {
		return client_give_up(client);
	}
	return code == CLIENT_STOPPED ? CTL_OK : code;
}
