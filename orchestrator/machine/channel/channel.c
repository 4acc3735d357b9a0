/*
 * Requests to a machine, over links that come and go. The channel connects again and again,
 * with pauses that double up to two seconds, and gives each request an id and a time limit; an
 * answer is found by its id, since answers may overtake each other. When a session ends,
 * whatever waits in it fails with -ECONNRESET: the machine may have acted on it, and it is the
 * caller's to ask.
 *
 * Silence is another thing than a lost session. A machine that was not heard for a while is asked
 * with a ping, and one that has not been heard for CHANNEL_SILENT_SEC is reported. Time in which
 * lud itself stood still does not count. Each channel looks by a timer of its own: when the machine
 * will have been quiet long enough to be asked, then twice a second until it answers, and not at all
 * once it is silent. So one that has something to say by itself costs nothing, and no turn of the loop
 * goes over all of them.
 *
 *     heard --CHANNEL_QUIET_USEC--> asked --CHANNEL_PULSE_USEC, again and again--> silent --> heard
 *
 * A callback may free the channel. While those of pending requests run, ->calling keeps its
 * memory.
 */
#include "orchestrator/machine/channel/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "orchestrator/link/link.h"
#include "orchestrator/store/schema.h"

#define CHANNEL_PAUSE_MIN_MSEC 20u
#define CHANNEL_PAUSE_MAX_MSEC 2000u
/* A machine that is quiet for so long is asked. */
#define CHANNEL_QUIET_USEC 2000000
/* How often it is looked while it does not answer, or has no session. */
#define CHANNEL_PULSE_USEC 500000
#define CHANNEL_TOGETHER_USEC 250000

/* A request that was sent; owned by the list until it is answered, forgotten or out of time. */
struct channel_pending {
	LIST_ENTRY(channel_pending) link;
	struct channel *channel;
	struct event *timeout;
	struct timeval limit; /* of ->timeout */
	bool rests;           /* on the record: it may wait for the disk */
	uint64_t id;
	channel_reply_fn fn;
	void *arg;
};

struct channel {
	struct event_base *base;
	char *path;
	const struct channel_ops *ops;
	void *arg;
	struct link *link;
	struct link_buffers *buffers;
	struct event *again;
	struct event *pulse;
	int64_t pulsed_usec; /* when it was looked last; monotonic, as the two below */
	int64_t pulse_usec;  /* when it is to be looked next */
	int64_t heard_usec;
	int64_t heard_at_usec; /* unix; 0: never */
	bool asked;            /* a ping is under way */
	bool silent;           /* the owner was told */
	unsigned int pause_msec;
	uint64_t last_id;
	bool up;
	bool freed;   /* by a callback: whoever called it frees the memory */
	bool calling; /* callbacks run that may free us */
	LIST_HEAD(, channel_pending) pending;
};

/* A little later than that, so that the loop wakes once for all channels that are due about then. */
static void channel_look_in(struct channel *channel, int64_t now, int64_t usec)
{
	int64_t due = now + usec;
	struct timeval pause;

	due += CHANNEL_TOGETHER_USEC - due % CHANNEL_TOGETHER_USEC;
	pause = (struct timeval){(due - now) / 1000000, (due - now) % 1000000};
	channel->pulsed_usec = now;
	channel->pulse_usec = due;
	evtimer_add(channel->pulse, &pause);
}

/* The machine said something, whatever it was. What it had been asked is answered by that. */
static void channel_hear(struct channel *channel)
{
	bool was_silent = channel->silent;

	channel->heard_usec = elapsed_usec();
	channel->heard_at_usec = store_now_usec();
	if (channel->asked || was_silent) {
		channel_look_in(channel, channel->heard_usec, CHANNEL_QUIET_USEC);
	}
	channel->asked = channel->silent = false;
	if (was_silent) {
		channel->ops->heard(channel->arg);
	}
}

/* The answer is not waited for as such: whatever the machine says counts as heard. */
static void channel_ask(struct channel *channel)
{
	Machine__Ping ping = MACHINE__PING__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	request.id = ++channel->last_id;
	request.body_case = MACHINE__REQUEST__BODY_PING;
	request.ping = &ping;
	channel->asked = link_say(channel->link, &request.base) == 0;
	err_forget();
}

/*
 * Time in which lud itself stood still is not the machine's silence: what it said meanwhile may still
 * be in the socket. Nor is time in which the question waited for the disk.
 */
static void channel_forgive(struct channel *channel, int64_t now)
{
	int64_t late = now - channel->pulse_usec;

	if (late > 2 * CHANNEL_PULSE_USEC) {
		channel->heard_usec += late;
	} else if (channel->link && link_is_held(channel->link)) {
		channel->heard_usec += now - channel->pulsed_usec;
	}
}

/* Asks a quiet machine, and finds a silent one. Who is told of that may free the channel. */
static void channel_on_pulse(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;
	int64_t now = elapsed_usec(), quiet;

	channel_forgive(channel, now);
	quiet = now - channel->heard_usec;
	if (quiet >= CHANNEL_SILENT_SEC * INT64_C(1000000)) {
		channel->silent = true;
		channel->ops->silent(channel->arg);
		return;
	}
	if (channel->up && !channel->asked && quiet >= CHANNEL_QUIET_USEC) {
		channel_ask(channel);
	}
	channel_look_in(channel, now,
	        channel->up && quiet < CHANNEL_QUIET_USEC ? CHANNEL_QUIET_USEC - quiet
	                                                  : CHANNEL_PULSE_USEC);
}

static void channel_pending_free(struct channel_pending *pending)
{
	LIST_REMOVE(pending, link);
	event_free(pending->timeout);
	free(pending);
}

/* Unlinked before the call, which may send again, forget others, or free the channel. */
static void channel_finish(struct channel_pending *pending, int r, const Machine__Reply *reply)
{
	channel_reply_fn fn = pending->fn;
	void *arg = pending->arg;

	channel_pending_free(pending);
	fn(r, reply, arg);
}

/* What waits for our own disk was not asked yet: the machine gets its time once it is. */
static void channel_on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct channel_pending *pending = arg;

	if (pending->rests && link_is_held(pending->channel->link)) {
		evtimer_add(pending->timeout, &pending->limit);
		return;
	}
	channel_finish(pending, -ETIMEDOUT, NULL);
}

/*
 * Ends the session: every pending request fails, then down() is told. False when the
 * channel was freed by that.
 */
static bool channel_drop(struct channel *channel, const char *why)
{
	if (!channel->up) {
		return true;
	}
	channel->up = channel->asked = false;
	channel->calling = true;
	while (!channel->freed && !LIST_EMPTY(&channel->pending)) {
		channel_finish(LIST_FIRST(&channel->pending), -ECONNRESET, NULL);
	}
	channel->calling = false;
	if (channel->freed) {
		free(channel);
		return false;
	}
	channel->ops->down(why, channel->arg);
	return true;
}

/* The pause doubles as long as nobody answers, and is short again after a session. */
static void channel_again(struct channel *channel)
{
	struct timeval pause = {channel->pause_msec / 1000, channel->pause_msec % 1000 * 1000};

	evtimer_add(channel->again, &pause);
	channel->pause_msec *= 2;
	if (channel->pause_msec > CHANNEL_PAUSE_MAX_MSEC) {
		channel->pause_msec = CHANNEL_PAUSE_MAX_MSEC;
	}
}

/*
 * A session over a link that has one already: the machine was restarted behind it, or lost its
 * memory of us. All that waited belongs to the old one.
 */
static void channel_on_opened(struct link *link, void *arg)
{
	struct channel *channel = arg;

	if (!channel_drop(channel, "the session was reopened")) {
		return;
	}
	channel_hear(channel);
	channel->up = true;
	channel->pause_msec = CHANNEL_PAUSE_MIN_MSEC;
	channel->ops->up(link_session(link), channel->arg);
}

static void channel_on_lost(struct link *link, void *arg)
{
	(void)channel_drop(arg, "the machine dropped the session");
}

static void channel_on_closed(struct link *link, const char *why, void *arg)
{
	struct channel *channel = arg;

	char text[128];

	/* The words are the link's, and it goes now. */
	snprintf(text, sizeof(text), "%s", why);
	channel->link = link_free(channel->link);
	channel_again(channel);
	if (channel->up) {
		(void)channel_drop(channel, text);
	} else {
		channel->ops->down(text, channel->arg);
	}
}

/*
 * An answer without a request is one that was given up: its time was over, or its sender has
 * left.
 */
static void channel_on_reply(struct channel *channel, const Machine__Reply *reply)
{
	struct channel_pending *pending;

	LIST_FOREACH(pending, &channel->pending, link)
	{
		if (pending->id == reply->id) {
			channel_finish(pending, 0, reply);
			return;
		}
	}
}

static void channel_on_message(struct link *link, const ProtobufCMessage *message, void *arg)
{
	const Machine__FromMachine *from = (const Machine__FromMachine *)message;
	struct channel *channel = arg;

	channel_hear(channel);
	switch (from->body_case) {
	case MACHINE__FROM_MACHINE__BODY_REPLY:
		channel_on_reply(channel, from->reply);
		return;
	case MACHINE__FROM_MACHINE__BODY_EVENT:
		channel->ops->event(from->event, channel->arg);
		return;
	case MACHINE__FROM_MACHINE__BODY_LOG:
		channel->ops->log(from->log, channel->arg);
		return;
	case MACHINE__FROM_MACHINE__BODY__NOT_SET:
	case _MACHINE__FROM_MACHINE__BODY__CASE_IS_INT_SIZE:
		return;
	}
}

static const struct link_ops channel_link_ops = {
        .message_type = &machine__from_machine__descriptor,
        .opened = channel_on_opened,
        .message = channel_on_message,
        .lost = channel_on_lost,
        .closed = channel_on_closed,
};

/*
 * One address, one attempt. A link that is made tells its end by channel_on_closed(), and so the
 * next attempt follows.
 */
static int channel_connect(struct channel *channel)
{
	static const struct session_identity self = {
	        .min_version = MACHINE_PROTOCOL,
	        .max_version = MACHINE_PROTOCOL,
	        .features = WIRE__FEATURE__FEATURE_METRICS | WIRE__FEATURE__FEATURE_LOG |
	                    WIRE__FEATURE__FEATURE_LAYOUTS,
	        .software = "lud",
	};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd =
	        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return err_raise(-errno);
	}
	strncpy(address.sun_path, channel->path, sizeof(address.sun_path) - 1);
	/* A full backlog answers EAGAIN: somebody else is being served; try later. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return err_raise(-errno);
	}
	return err_up(link_new(link_stream(channel->base, fd_steal(&fd)), channel->buffers,
	        SESSION_INITIATOR, &self, &channel_link_ops, channel, &channel->link));
}

static void channel_on_again(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;

	int r = channel->link ? 0 : channel_connect(channel);
	char text[128];

	if (r < 0) {
		err_forget();
		channel_again(channel);
		snprintf(text, sizeof(text), "nobody listens at its socket: %s", strerror(-r));
		channel->ops->down(text, channel->arg);
	}
}

/*
 * The clock of silence starts as if it had been heard now, so the owner is told after
 * CHANNEL_SILENT_SEC also of a machine that never was.
 */
int channel_new(struct event_base *base, struct link_buffers *buffers, const char *path,
        const struct channel_ops *ops, void *arg, struct channel **ret_channel)
{
	static const struct timeval now = {0, 0};
	struct sockaddr_un address;
	struct channel *channel;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return err_raise(-ENAMETOOLONG);
	}
	channel = mem_zero(sizeof(*channel));
	channel->base = base;
	channel->buffers = buffers;
	channel->path = text_copy(path);
	channel->ops = ops;
	channel->arg = arg;
	channel->pause_msec = CHANNEL_PAUSE_MIN_MSEC;
	LIST_INIT(&channel->pending);
	channel->again = evtimer_new(base, channel_on_again, channel);
	channel->pulse = evtimer_new(base, channel_on_pulse, channel);
	channel->heard_usec = elapsed_usec();
	channel_look_in(channel, channel->heard_usec, CHANNEL_PULSE_USEC);
	evtimer_add(channel->again, &now);
	*ret_channel = channel;
	return 0;
}

/*
 * The machine is told Bye, so that it need not wait for us. Called by a callback of
 * channel_drop() it leaves the memory to that.
 */
struct channel *channel_free(struct channel *channel)
{
	if (!channel) {
		return NULL;
	}
	if (channel->link && channel->up) {
		link_end(channel->link, WIRE__BYE_REASON__BYE_CLOSING);
	}
	channel->up = false;
	while (!LIST_EMPTY(&channel->pending)) {
		channel_finish(LIST_FIRST(&channel->pending), -ECONNRESET, NULL);
	}
	link_free(channel->link);
	event_free(channel->again);
	event_free(channel->pulse);
	free(channel->path);
	channel->freed = true;
	if (!channel->calling) {
		free(channel);
	}
	return NULL;
}

/* Sent before it is noted: a message that does not fit leaves nothing behind. */
int channel_request(struct channel *channel, Machine__Request *request, uint64_t timeout_usec,
        channel_reply_fn fn, void *arg)
{
	struct timeval limit = {timeout_usec / 1000000, timeout_usec % 1000000};
	struct channel_pending *pending;
	/* A question about the machine is true whatever the record has. */
	bool rests = request->body_case != MACHINE__REQUEST__BODY_STATUS;
	int r;

	if (!channel->up) {
		return err_raise(-ENOTCONN);
	}
	request->id = ++channel->last_id;
	r = rests ? link_send(channel->link, &request->base)
	          : link_say(channel->link, &request->base);
	if (r < 0) {
		return err_up(r);
	}
	pending = mem_zero(sizeof(*pending));
	pending->channel = channel;
	pending->id = request->id;
	pending->fn = fn;
	pending->arg = arg;
	pending->limit = limit;
	pending->rests = rests;
	pending->timeout = evtimer_new(channel->base, channel_on_timeout, pending);
	evtimer_add(pending->timeout, &limit);
	LIST_INSERT_HEAD(&channel->pending, pending, link);
	return 0;
}

void channel_forget(struct channel *channel, const void *arg)
{
	struct channel_pending *pending = LIST_FIRST(&channel->pending);

	while (pending) {
		struct channel_pending *next = LIST_NEXT(pending, link);

		if (pending->arg == arg) {
			channel_pending_free(pending);
		}
		pending = next;
	}
}

bool channel_is_held(const struct channel *channel)
{
	return channel->link && link_is_held(channel->link);
}

bool channel_is_up(const struct channel *channel)
{
	return channel->up;
}

int64_t channel_heard_usec(const struct channel *channel)
{
	return channel->heard_at_usec;
}

void channel_clock_set(struct channel *channel, int64_t usec)
{
	channel->heard_at_usec += channel->heard_at_usec ? usec : 0;
}
