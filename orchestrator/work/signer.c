/*
 * The conversation with lusign: requests and replies of fixed size over two pipes, one at a
 * time, in order. The process is started for the first request, and again after it died or the
 * signed root changed: with a new root come new keys. Whatever goes wrong with a request ends
 * the process, because after half a reply nobody knows where the next one begins; the requests
 * behind it are asked of a new one.
 *
 *   pending:  [oldest] [.] [.]      oldest: written by signer_on_writable(), answered by
 *      |                            signer_on_readable(), ended by signer_on_timeout()
 *      `-- signer_on_kick() begins with the oldest as soon as none is under way
 *
 * That requests are answered in order is relied on: what was asked for first is signed first, so a
 * statement comes before the order that needs it.
 *
 * A second signer is the same conversation over a socket: a connection in the place of a process, and one
 * for each request, since it serves one client at a time and none for long. It is somebody else's, so of
 * what it answers nothing is believed but its signature.
 *
 * A request may hold a seed: it is wiped as soon as it is answered, as is the reply.
 */
#include "orchestrator/work/signer.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "host/child/child.h"

/* A signature takes a millisecond; starting the process, with keys on a slow disk, some more. */
#define SIGNER_ANSWER_SEC 20

/*
 * One request, with all it holds, until it is answered. One that nobody waits for any more keeps
 * its place: it may be on its way already.
 */
struct signer_pending {
	TAILQ_ENTRY(signer_pending) link;
	struct signer_request request;
	uint8_t *flat; /* ->request.variant.flat_len bytes that follow it, or NULL; owned */
	signer_fn fn;  /* NULL: nobody waits any more */
	void *arg;
};

/* Requests are sent one at a time: the next when the last is answered. */
struct signer_client {
	struct event_base *base;
	char *program;
	char *keys;
	char *user;                   /* UID:GID for it to become, or NULL */
	char *socket;                 /* of a second signer: then the three above are NULL */
	struct child_process process; /* pid 0: not running */
	struct event *input_event;
	struct event *output_event;
	struct event *timeout;
	struct event *kick;
	struct stat root; /* of the signed root that it was started with */
	size_t sent;
	size_t received;
	uint64_t last_id;
	struct signer_reply reply;
	TAILQ_HEAD(, signer_pending) pending;
};

static void signer_pending_free(struct signer_client *client, struct signer_pending *pending)
{
	TAILQ_REMOVE(&client->pending, pending, link);
	free(pending->flat);
	explicit_bzero(pending, sizeof(*pending));
	free(pending);
}

static int signer_stop(struct signer_client *client);

/* Answers the oldest request, takes it off, and sees to the next. */
static void signer_answer(struct signer_client *client, const struct failure *failure)
{
	static const struct timeval now = {0, 0};
	struct signer_pending *pending = TAILQ_FIRST(&client->pending);
	signer_fn fn = pending->fn;
	void *arg = pending->arg;

	evtimer_del(client->timeout);
	signer_pending_free(client, pending);
	client->sent = client->received = 0;
	if (client->socket) {
		(void)signer_stop(client);
	}
	if (!TAILQ_EMPTY(&client->pending)) {
		evtimer_add(client->kick, &now);
	}
	if (fn) {
		fn(failure, failure ? NULL : &client->reply, arg);
	}
}

/*
 * Nothing is running afterwards, and the next request starts another. How it ended, as waitpid()
 * gives it.
 */
static int signer_stop(struct signer_client *client)
{
	if (client->input_event) {
		event_free(client->input_event);
		event_free(client->output_event);
	}
	client->input_event = client->output_event = NULL;
	return child_process_end(&client->process);
}

/* What the signer wrote to stderr before it went away. */
static void signer_last_words(struct signer_client *client, char *ret_text, size_t size)
{
	ssize_t n =
	        client->process.errors < 0 ? 0 : read(client->process.errors, ret_text, size - 1);

	ret_text[n > 0 ? n : 0] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
}

/* Nobody but who runs it can do something about it. */
static void signer_fail_second(struct signer_client *client, const char *what)
{
	struct failure failure = {0};

	failure_set(&failure, "second-signer", client->socket,
	        "start it where its keys are, `lusign --second --keys DIR --listen SOCKET`, and "
	        "run "
	        "the command again; its log says what it did",
	        "the second signer: %s", what);
	(void)signer_stop(client);
	signer_answer(client, &failure);
}

/*
 * Fails the request under way with whatever the signer said last; those behind it go on. One that
 * complains before it ends means its keys, rules or program. One that ends without a word was ended,
 * and its keys are as they were: another is started for the next request.
 */
static void signer_fail(struct signer_client *client, const char *what)
{
	struct failure failure = {0};
	char words[200], remedy[sizeof(failure.remedy)], end[80] = "";
	int status;

	if (client->socket) {
		signer_fail_second(client, what);
		return;
	}
	signer_last_words(client, words, sizeof(words));
	status = signer_stop(client);
	if (*words) {
		snprintf(remedy, sizeof(remedy),
		        "`luctl keys list --keys %.120s` says what is wrong with the keys or the "
		        "rules, and what to do",
		        client->keys);
	} else {
		if (status >= 0) {
			child_status_text(status, end, sizeof(end));
		}
		snprintf(remedy, sizeof(remedy),
		        "run the command again: another signer is started for it; if that ends, "
		        "too, `journalctl` says who ends it (memory, a signal, its sandbox)");
	}
	failure_set(&failure, "signer", client->program, remedy, "%s%s%s", what,
	        *words || *end ? ": " : "", *words ? words : end);
	signer_answer(client, &failure);
}

/* A pipe takes less than a request at times; the rest goes when there is room. */
static void signer_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct signer_client *client = arg;
	struct signer_pending *pending = TAILQ_FIRST(&client->pending);
	const size_t head = sizeof(pending->request);
	const size_t all = head + (pending->flat ? pending->request.variant.flat_len : 0);
	ssize_t n;

	n = client->sent < head
	            ? write(client->process.input,
	                      (const uint8_t *)&pending->request + client->sent,
	                      head - client->sent)
	            : write(client->process.input, pending->flat + (client->sent - head),
	                      all - client->sent);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		signer_fail(client, "the signer went away");
		return;
	}
	client->sent += n > 0 ? n : 0;
	if (client->sent == all) {
		event_del(client->input_event);
	}
}

/*
 * Magic and id are compared although the process is ours: a reply taken for that of another
 * request would be a signature under the wrong thing. One that comes unasked ends the process.
 */
static void signer_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct signer_client *client = arg;
	struct signer_pending *pending = TAILQ_FIRST(&client->pending);
	ssize_t n;

	n = read(client->process.output, (uint8_t *)&client->reply + client->received,
	        sizeof(client->reply) - client->received);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (!pending) {
		(void)signer_stop(client);
		return;
	}
	if (n <= 0) {
		signer_fail(client, "the signer went away");
		return;
	}
	client->received += n;
	if (client->received < sizeof(client->reply)) {
		return;
	}
	if (memcmp(client->reply.magic, SIGNER_MAGIC, sizeof(client->reply.magic)) ||
	        client->reply.id != pending->request.id) {
		signer_fail(client, "the signer answered something else");
		return;
	}
	client->reply.text[sizeof(client->reply.text) - 1] = '\0';
	signer_answer(client, NULL);
	explicit_bzero(&client->reply, sizeof(client->reply));
}

static void signer_on_timeout(evutil_socket_t fd, short what, void *arg)
{
	signer_fail(arg, "the signer does not answer");
}

/* A connection in both directions, as two descriptors. */
static int signer_connect(struct signer_client *client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd =
	        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(client->socket) >= sizeof(address.sun_path)) {
		return err_raise(-ENAMETOOLONG);
	}
	strcpy(address.sun_path, client->socket);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return err_raise(-errno);
	}
	client->process.output = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (client->process.output < 0) {
		return err_raise(-errno);
	}
	client->process.input = fd_steal(&fd);
	return 0;
}

/* Requests and replies have a pipe each; its stderr is read only when it has failed. */
static int signer_start(struct signer_client *client)
{
	const char *argv[] = {client->program, "--keys", client->keys,
	        client->user ? "--user" : NULL, client->user, NULL};
	int r;

	r = client->socket ? signer_connect(client) : child_spawn(argv, NULL, &client->process);
	if (r < 0) {
		return err_up(r);
	}
	client->input_event = event_new(client->base, client->process.input, EV_WRITE | EV_PERSIST,
	        signer_on_writable, client);
	client->output_event = event_new(client->base, client->process.output, EV_READ | EV_PERSIST,
	        signer_on_readable, client);
	if (!client->input_event || !client->output_event ||
	        event_add(client->output_event, NULL) < 0) {
		abort();
	}
	return 0;
}

/* A root that is not there is all zero, which is like none that is. */
static void signer_root_stat(const struct signer_client *client, struct stat *ret_root)
{
	_cleanup_(freep) char *path = text_format("%s/root.signed", client->keys);

	if (stat(path, ret_root) < 0) {
		memset(ret_root, 0, sizeof(*ret_root));
	}
}

/* A renewed root, and the keys that come with it, are taken up between two requests. */
static void signer_renew(struct signer_client *client)
{
	struct stat root;

	if (client->socket) {
		return;
	}
	signer_root_stat(client, &root);
	if (client->input_event &&
	        (root.st_ino != client->root.st_ino || root.st_size != client->root.st_size ||
	                root.st_mtim.tv_sec != client->root.st_mtim.tv_sec ||
	                root.st_mtim.tv_nsec != client->root.st_mtim.tv_nsec)) {
		log_info("the signed root has changed: the signer is restarted");
		(void)signer_stop(client);
	}
	client->root = root;
}

/* Begins to send the oldest request. */
static void signer_on_kick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval limit = {SIGNER_ANSWER_SEC, 0};
	struct signer_client *client = arg;
	int r;

	if (TAILQ_EMPTY(&client->pending) || client->sent) {
		return;
	}
	signer_renew(client);
	r = client->input_event ? 0 : signer_start(client);
	if (r < 0) {
		signer_fail(client, client->socket ? strerror(-r) : "the signer cannot be started");
		err_forget();
		return;
	}
	event_add(client->input_event, NULL);
	evtimer_add(client->timeout, &limit);
}

static struct signer_client *signer_client_init(struct event_base *base)
{
	struct signer_client *client = mem_zero(sizeof(*client));

	client->base = base;
	client->process = (struct child_process){0, -1, -1, -1, -1};
	client->timeout = evtimer_new(base, signer_on_timeout, client);
	client->kick = evtimer_new(base, signer_on_kick, client);
	TAILQ_INIT(&client->pending);
	return client;
}

int signer_client_new(struct event_base *base, const char *program, const char *keys,
        const struct child_user *user, struct signer_client **ret_client)
{
	struct signer_client *client = signer_client_init(base);

	client->program = text_copy(program);
	client->keys = text_copy(keys);
	client->user = user->separate ? text_format("%u:%u", user->uid, user->gid) : NULL;
	*ret_client = client;
	return 0;
}

struct signer_client *signer_client_second(struct event_base *base, const char *socket)
{
	struct signer_client *client = signer_client_init(base);

	client->socket = text_copy(socket);
	return client;
}

/* Nobody is called. */
struct signer_client *signer_client_free(struct signer_client *client)
{
	if (!client) {
		return NULL;
	}
	while (!TAILQ_EMPTY(&client->pending)) {
		signer_pending_free(client, TAILQ_FIRST(&client->pending));
	}
	(void)signer_stop(client);
	event_free(client->timeout);
	event_free(client->kick);
	free(client->program);
	free(client->keys);
	free(client->user);
	free(client->socket);
	free(client);
	return NULL;
}

void signer_client_ask(
        struct signer_client *client, const struct signer_request *request, signer_fn fn, void *arg)
{
	signer_client_ask_with(client, request, NULL, fn, arg);
}

void signer_client_ask_with(struct signer_client *client, const struct signer_request *request,
        uint8_t *flat, signer_fn fn, void *arg)
{
	static const struct timeval now = {0, 0};
	struct signer_pending *pending = mem_zero(sizeof(*pending));

	pending->request = *request;
	pending->flat = flat;
	memcpy(pending->request.magic, SIGNER_MAGIC, sizeof(pending->request.magic));
	pending->request.id = ++client->last_id;
	pending->fn = fn;
	pending->arg = arg;
	TAILQ_INSERT_TAIL(&client->pending, pending, link);
	if (pending == TAILQ_FIRST(&client->pending)) {
		evtimer_add(client->kick, &now);
	}
}

void signer_client_forget(struct signer_client *client, const void *arg)
{
	struct signer_pending *pending;

	if (!client) {
		return;
	}
	TAILQ_FOREACH(pending, &client->pending, link)
	{
		if (pending->arg == arg) {
			pending->fn = NULL;
		}
	}
}

const char *signer_remedy(const struct signer_reply *reply)
{
	static const char *const remedies[_ENVELOPE_N] = {
	        [ENVELOPE_OK] =
	                "see what the keyring's signer.rules allow; lusign(1) says how they "
	                "are written",
#define REASON(constant, word, name, value, class, by, sentence, remedy, signing)                  \
	[ENVELOPE_##constant] = (signing),
#include "proto/words/errors.def"
	};
	const char *remedy = reply->reason < _ENVELOPE_N ? remedies[reply->reason] : "";

	return *remedy ? remedy
	               : "sign the kit again with `luctl release sign KIT`, then `luctl release "
	                 "add KIT`";
}
