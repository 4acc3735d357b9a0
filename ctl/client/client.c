/*
 * One blocking conversation with lud. Frames and sessions are those of proto/frame; a message
 * is unpacked into the client's own arena, checked (reply.c) and escaped (clean.c) before a
 * command sees it, and lives until the next call.
 *
 * The wait for an answer ends by client_wait_limit(), if nothing else ends it: jobs take their time. A lud that
 * says nothing for a while is asked for its version, as a sign of life, and given up after
 * CLIENT_SILENT_MSEC. Ctrl-C and that limit end luctl and no job. Progress and log lines go to the caller's
 * function; an answer to another request, such as the version, is dropped.
 */
#include "ctl/client/client.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/base/clean.h"
#include "ctl/base/exits.h"
#include "ctl/client/place.h"
#include "ctl/client/reply.h"
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

/* Inside: no exit code, see client_stop_at(). */
#define CLIENT_STOPPED (-1)

/*
 * The connection and everything that one message needs. The two buffers are part of it, so that
 * a client is one allocation and nothing is allocated while it is used.
 */
struct client {
	int fd;
	char *path;
	struct session session;
	struct frame_decoder decoder;
	struct wire_arena arena;
	uint64_t last_id;
	uint64_t job;           /* that the newest news was about; 0: none */
	const char *request_id; /* of the request that waits for its answer; "": none was given */
	bool needs_key;         /* nobody but this luctl signs what it asks for */
	bool is_stream;         /* its answer has no end but Ctrl-C */
	bool is_many;           /* it was about others, too */
	char waits[240];        /* what is known of why it is not over */
	unsigned int quiet_msec;
	int stop_fd; /* readable: the wait for an answer ends; -1: none */
	uint8_t buffer[2 * FRAME_SIZE_MAX];
	uint8_t out[FRAME_SIZE_MAX];
	uint8_t arena_bytes[CLIENT_ARENA_SIZE] __attribute__((aligned(16)));
};

/* When luctl gives up waiting, by the monotonic clock, and how long that was. One for the program. */
static int64_t client_deadline_msec;
static uint32_t client_limit_msec;

static int64_t client_now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void client_wait_limit(uint32_t msec)
{
	if (!client_limit_msec) {
		client_limit_msec = msec;
		client_deadline_msec = client_now_msec() + msec;
	}
}

/* Set by Ctrl-C and never cleared: luctl ends at its next wait. */
static volatile sig_atomic_t client_interrupted;

static void client_on_interrupt(int signal)
{
	client_interrupted = 1;
}

bool client_is_interrupted(void)
{
	return client_interrupted;
}

void client_closep(struct client **client)
{
	if (*client) {
		close((*client)->fd);
		free((*client)->path);
		free(*client);
	}
}

/*
 * CTL_UNREACHABLE: the conversation is over, for the reason in `what`. Jobs in lud are not
 * affected, which the remedy says.
 */
static int client_lost(const struct client *client, const char *what)
{
	return ctl_fail(CTL_UNREACHABLE, client->path,
	        "open jobs continue in lud; `luctl history` will show their outcomes", "%s", what);
}

/*
 * Send all bytes. A lud that does not read blocks this for as long as its socket is full;
 * requests are small, so it does not happen to a lud that works.
 */
static int client_write(struct client *client, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(client->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return client_lost(client, "the connection to lud is broken");
		}
		bytes += n;
		len -= n;
	}
	return CTL_OK;
}

/*
 * Number and send a request. The frame is packed where its header will be put in front, so
 * nothing is copied.
 */
static int client_send(struct client *client, Control__Request *request);

/* luctl goes before lud said which job it is, if it is one: that can be found out. */
static int client_leave_early(const struct client *client, enum ctl_exit code, const char *why)
{
	_cleanup_(ctl_freep) char *remedy =
	        *client->request_id
	                ? ctl_format("the same with --request-id %s shows what became of it",
	                          client->request_id)
	                : ctl_format("`luctl jobs` and `luctl history` show whether lud took it; "
	                             "with --request-id "
	                             "the same can be asked again and is done once");

	return ctl_fail(code, "", remedy, "%s; lud has not answered yet", why);
}

/*
 * luctl goes, and takes the control key with it: a job that has not been signed yet ends without. Whether this one was
 * is not known here.
 */
static int client_leave_unsigned(const struct client *client, enum ctl_exit code, const char *why)
{
	_cleanup_(ctl_freep) char *remedy = ctl_format(
	        "`luctl job cancel %" PRIu64 "` ends it now; then give the command again, "
	        "and let it run",
	        client->job);
	_cleanup_(ctl_freep) char *text = ctl_format(
	        "%s; job %" PRIu64 " is with lud, and fails if it was not signed yet%s%s%s", why,
	        client->job, *client->waits ? " (" : "", client->waits, *client->waits ? ")" : "");

	return ctl_fail_as(&(struct ctl_fault){code, "", text, remedy, "", client->job}, false);
}

/* luctl goes before the job is over, which nothing happens to: says why, and how to come back. */
static int client_leave(const struct client *client, enum ctl_exit code, const char *why)
{
	_cleanup_(ctl_freep) char *remedy =
	        client->is_many ? ctl_format("`luctl jobs` lists them, `luctl job show %" PRIu64
	                                     " --wait` waits for the last one",
	                                  client->job)
	                        : ctl_format("`luctl job show %" PRIu64 " --wait` waits for it",
	                                  client->job);
	_cleanup_(ctl_freep) char *text =
	        ctl_format("%s; job %" PRIu64 " goes on in lud%s%s%s", why, client->job,
	                *client->waits ? " (" : "", client->waits, *client->waits ? ")" : "");

	if (client->is_stream) {
		return code;
	}
	if (!client->job) {
		return client_leave_early(client, code, why);
	}
	if (client->needs_key) {
		return client_leave_unsigned(client, code, why);
	}
	return ctl_fail_as(&(struct ctl_fault){code, "", text, remedy, "", client->job}, false);
}

/* The time to wait is over. */
static int client_waited(const struct client *client)
{
	_cleanup_(ctl_freep) char *why =
	        ctl_format("not over after %g s", client_limit_msec / 1000.0);

	return client_leave(client, CTL_WAITED, why);
}

/* How long to sleep for news; 0: the time to wait is over. */
static int client_pause_msec(void)
{
	int64_t left =
	        client_limit_msec ? client_deadline_msec - client_now_msec() : CLIENT_PULSE_MSEC;

	return left <= 0 ? 0 : left < CLIENT_PULSE_MSEC ? (int)left : CLIENT_PULSE_MSEC;
}

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
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool can;

	strncpy(address.sun_path, place, sizeof(address.sun_path) - 1);
	can = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
	      (errno != ENOENT && errno != ECONNREFUSED);
	close(fd);
	return can;
}

/* Reads once. msec < 0: as long as lud gives signs of life. */
static int client_read(struct client *client, int msec)
{
	struct pollfd fds[] = {
	        {.fd = client->fd, .events = POLLIN}, {.fd = client->stop_fd, .events = POLLIN}};
	size_t room;
	uint8_t *space = frame_decoder_space(&client->decoder, &room);
	int pause = msec < 0 ? client_pause_msec() : msec;
	ssize_t n;

	if (!pause) {
		return client_waited(client);
	}
	n = client_interrupted ? -1 : poll(fds, 2, pause);
	if (client_interrupted) {
		return client_leave(client, CTL_INTERRUPTED, "interrupted");
	}
	if (n > 0 && fds[1].revents) {
		return CLIENT_STOPPED;
	}
	if (n == 0 && msec < 0) {
		return pause == CLIENT_PULSE_MSEC ? client_pulse(client) : CTL_OK;
	}
	if (n == 0) {
		return client_lost(client, "lud does not answer");
	}
	client->quiet_msec = 0;
	n = read(client->fd, space, room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		return CTL_OK;
	}
	if (n <= 0) {
		return client_lost(client, "lud closed the connection");
	}
	frame_decoder_added(&client->decoder, n);
	return CTL_OK;
}

/* lud ended the greeting because no version is common to both. */
static int client_refused(const struct client *client)
{
	return ctl_fail(CTL_UNREACHABLE, client->path, "use the luctl that came with this lud",
	        "lud speaks protocol %u to %u, this luctl speaks %u",
	        client->session.peer.min_version, client->session.peer.max_version,
	        CLIENT_PROTOCOL);
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
			return client_lost(client, "lud ended the session");
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

/*
 * Connect to client->path. The remedy depends on the cause: a socket that this user may not
 * open, or no lud behind it.
 */
static int client_connect(struct client *client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(client->path) >= sizeof(address.sun_path)) {
		return ctl_fail(CTL_USAGE, client->path, "give a shorter path with --socket",
		        "the path is too long for a socket");
	}
	strcpy(address.sun_path, client->path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 ||
	        connect(client->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return ctl_fail(CTL_UNREACHABLE, client->path,
		        errno == EACCES ? "ask as root or as the user that lud runs as"
		                        : "start lud (`make up`, or the lud service), or name its "
		                          "socket with --socket",
		        "cannot reach lud: %s", strerror(errno));
	}
	return CTL_OK;
}

int client_open(const char *path, struct client **ret_client)
{
	/* Without SA_RESTART: a wait ends. */
	static const struct sigaction interrupt = {.sa_handler = client_on_interrupt};
	_cleanup_(client_closep) struct client *client = ctl_zero(sizeof(*client));
	int code;

	sigaction(SIGINT, &interrupt, NULL);
	client->fd = -1;
	client->stop_fd = -1;
	client->request_id = "";
	client->path = path ? ctl_format("%s", path) : place_socket();
	frame_decoder_init(&client->decoder, client->buffer, sizeof(client->buffer));
	wire_arena_init(&client->arena, client->arena_bytes, sizeof(client->arena_bytes));
	code = client_connect(client);
	if (code == CTL_OK) {
		code = client_hello(client);
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
	                           cause->message, error->hint, cause->name, client->job},
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

/* What is said of the job when luctl leaves it: the newest notice, or the step that it is in. */
static void client_note(struct client *client, const Control__Progress *news)
{
	client->is_many = client->is_many || (client->job && client->job != news->job);
	client->job = news->job;
	if (*news->notice) {
		snprintf(client->waits, sizeof(client->waits), "%s", news->notice);
	} else if (*news->step) {
		snprintf(client->waits, sizeof(client->waits), "in step %s", news->step);
	}
}

/* Whether a control key may have to sign it, by luctl, when its turn has come. */
static bool client_needs_key(const Control__Request *request)
{
	int kind = request->body_case;

	return kind == CONTROL__REQUEST__BODY_RESTART ||
	       (kind == CONTROL__REQUEST__BODY_MACHINE_STOP && !request->machine_stop->force) ||
	       (kind == CONTROL__REQUEST__BODY_UPDATE && request->update->accept_loss) ||
	       (kind == CONTROL__REQUEST__BODY_ROLLBACK && request->rollback->accept_loss);
}

int client_call(struct client *client, Control__Request *request, client_news_fn news, void *arg,
        const Control__Reply **ret_reply)
{
	const Control__FromLud *from = NULL;
	int code = client_send(client, request);

	client->request_id = request->request_id;
	client->needs_key = client_needs_key(request);
	client->is_stream = request->body_case == CONTROL__REQUEST__BODY_LOG_FOLLOW &&
	                    request->log_follow->follow;
	while (code == CTL_OK) {
		code = client_receive(client, &from);
		if (code != CTL_OK) {
			break;
		}
		if (from->body_case == CONTROL__FROM_LUD__BODY_PROGRESS) {
			client_note(client, from->progress);
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
			return client_tell_error(client, from->reply->error);
		}
		*ret_reply = from->reply;
		return CTL_OK;
	}
	*ret_reply = NULL;
	return code == CLIENT_STOPPED ? CTL_OK : code;
}
