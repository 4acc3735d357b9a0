/*
 * One connection: libevent moves the bytes, proto/frame finds the frames and decides which of
 * them count, and the owner gets unpacked messages. Two timers belong to it: an initiator
 * repeats its Hello until it is answered, and a frame that stops growing is given up, because
 * its rest was cut off by the peer's end.
 *
 * Any callback may free the link. Where frames are handled one after the other, ->freed points
 * to a local that link_free() sets; nothing of the link is touched after that. A message is
 * unpacked into an arena that all links share, and dies with the callback, so a peer cannot make lud
 * allocate; the loop has one thread, and a link calls back only from the loop, so that no two are at
 * work at once. A link that is idle has no buffer: it borrows one for each reading, and keeps it only
 * while part of a frame is there. What is queued for a peer that does not read is limited by link_send().
 *
 * Nothing leaves a link that the record could still lose, where it was given a database: frames wait in ->held, one callback of the database for each, and go in their order. So an order,
 * an acknowledgement or an answer need not know what they rest on, and no caller can forget to wait.
 * What rests on nothing in the record (Hello, Bye, link_say()) waits only behind what waits already.
 * All that is queued, and what it costs to hold it, has one limit: a peer that makes us say more without
 * reading it is cut off.
 */
#include "orchestrator/link/link.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "host/base/file.h"
#include "host/base/wipe.h"
#include "orchestrator/db/durable.h"
#include "proto/frame/arena.h"
#include "proto/frame/hello.pb-c.h"

#define LINK_BUFFER_SIZE (2 * FRAME_SIZE_MAX) /* a frame, and what came behind it */
#define LINK_ARENA_SIZE (1u << 20)            /* of one message, unpacked */
#define LINK_BACKLOG_MAX (4u << 20)           /* queued for a peer that does not read */
#define LINK_AGAIN_MSEC 50u                   /* from a lost session to the next Hello */

/* Bytes that wait for the database. */
struct link_held {
	STAILQ_ENTRY(link_held) link;
	size_t len;
	uint8_t bytes[];
};

struct link {
	struct bufferevent *stream; /* owned, with its descriptor */
	struct event
	        *retry; /* initiator: runs while there is no session; responder: while it rests */
	struct event *stall; /* runs while the decoder has part of a frame */
	bool rests;          /* link_rest() */
	struct session session;
	struct frame_decoder decoder;
	struct link_buffers *buffers;
	uint8_t *own; /* the decoder's, from one reading to the next; NULL: nothing is left there */
	const struct link_ops *ops; /* the owner's, with its ->arg */
	void *arg;
	struct db *db;                 /* what is sent waits for it; NULL: for nothing */
	STAILQ_HEAD(, link_held) held; /* in the order of their callbacks */
	size_t held_bytes;
	bool *freed; /* set while a callback may free us */
};

struct link_buffers {
	struct db *db;
	struct wire_arena arena;      /* over ->arena_bytes; reset at each message */
	uint8_t in[LINK_BUFFER_SIZE]; /* what is being read */
	uint8_t out[FRAME_SIZE_MAX];  /* one message on its way into a stream */
	uint8_t arena_bytes[LINK_ARENA_SIZE] __attribute__((aligned(16)));
};

struct link_buffers *link_buffers_new(struct db *db)
{
	struct link_buffers *buffers = mem_zero(sizeof(*buffers));

	buffers->db = db;
	wire_arena_init(&buffers->arena, buffers->arena_bytes, sizeof(buffers->arena_bytes));
	return buffers;
}

struct link_buffers *link_buffers_free(struct link_buffers *buffers)
{
	if (buffers) {
		explicit_bzero(buffers->out, sizeof(buffers->out));
	}
	free(buffers);
	return NULL;
}

/* For a reading: the decoder works in what all share, unless it has kept part of a frame. */
static void link_borrow(struct link *link)
{
	if (!link->own) {
		frame_decoder_move(&link->decoder, link->buffers->in);
	}
}

/* Behind it: what is left of a frame moves into memory of the link's own, and else nothing stays. */
static void link_return(struct link *link)
{
	bool partial = frame_decoder_is_partial(&link->decoder);

	if (partial && !link->own) {
		link->own = mem_zero(LINK_BUFFER_SIZE);
		frame_decoder_move(&link->decoder, link->own);
	} else if (!partial) {
		frame_decoder_move(&link->decoder, NULL);
		free(link->own);
		link->own = NULL;
	}
}

static void link_close(struct link *link, const char *why);

static void link_held_free(struct link *link, struct link_held *held)
{
	STAILQ_REMOVE_HEAD(&link->held, link);
	link->held_bytes -= sizeof(*held) + held->len;
	explicit_bzero(held->bytes, held->len);
	free(held);
}

/* The oldest that is held. It may hold secrets, as the queue that it goes to. */
static void link_on_durable(int r, void *arg)
{
	struct link *link = arg;
	struct link_held *held = STAILQ_FIRST(&link->held);

	if (r < 0) {
		link_close(link, "what was to be said is not in the record: its disk failed");
		return;
	}
	wipe_queue(bufferevent_get_output(link->stream), held->bytes, held->len);
	link_held_free(link, held);
}

/*
 * rests: on what the record has. Over the limit the connection is shut, and the loop frees it when it
 * reads the end: the caller may still hold it.
 */
static void link_write(struct link *link, const uint8_t *bytes, size_t len, bool rests)
{
	struct link_held *held;

	if (!len) {
		return;
	}
	if (link_backlog(link) > LINK_BACKLOG_MAX + FRAME_SIZE_MAX) {
		shutdown(link_fd(link), SHUT_RDWR);
		return;
	}
	if (!link->db || (STAILQ_EMPTY(&link->held) && (!rests || db_is_settled(link->db)))) {
		wipe_queue(bufferevent_get_output(link->stream), bytes, len);
		return;
	}
	held = mem_zero(sizeof(*held) + len);
	held->len = len;
	memcpy(held->bytes, bytes, len);
	STAILQ_INSERT_TAIL(&link->held, held, link);
	link->held_bytes += sizeof(*held) + len;
	db_after(link->db, link_on_durable, link);
}

/* Has link_on_retry() look in so long whether a Hello is due. */
static void link_retry_in(struct link *link, unsigned int msec)
{
	struct timeval delay = {msec / 1000, msec % 1000 * 1000};

	evtimer_add(link->retry, &delay);
}

/*
 * Says Hello: with a nonce of its own when fresh, else again with the one that was not answered.
 * The peer sees from that whether a session begins or a Hello came twice. 0 is no nonce.
 */
static void link_hello(struct link *link, bool fresh)
{
	uint64_t nonce = link->session.nonce;
	uint8_t out[SESSION_OUT_MAX];

	while (fresh && getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce)) {
	}
	link_write(link, out, session_hello(&link->session, nonce ? nonce : 1, out), false);
	link_retry_in(link, SESSION_RETRY_MSEC);
}

static void link_go_on(struct link *link);

static void link_on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	if (link->session.role == SESSION_RESPONDER) {
		link_go_on(link);
	} else if (link->session.state != SESSION_OPEN) {
		link_hello(link, link->session.state == SESSION_CLOSED);
	}
}

/*
 * Tells the owner that the connection is over. Reading stops first and both timers with it, so
 * that nothing else is called before the owner frees the link.
 */
static void link_close(struct link *link, const char *why)
{
	bufferevent_disable(link->stream, EV_READ);
	evtimer_del(link->retry);
	evtimer_del(link->stall);
	if (link->db) {
		db_forget(link->db, link);
	}
	link->ops->closed(link, why, link->arg);
}

/* The session is over while the connection lives; never two Hellos in a breath. */
static void link_lose(struct link *link)
{
	if (link->session.role == SESSION_INITIATOR) {
		link_retry_in(link, LINK_AGAIN_MSEC);
	}
	link->ops->lost(link, link->arg);
}

/*
 * A frame or a message that a correct peer cannot send: ends the session, not the connection.
 * What follows in the stream is looked through for the next Hello.
 */
static void link_bad(struct link *link)
{
	uint8_t out[SESSION_OUT_MAX];

	link_write(link, out, session_end(&link->session, WIRE__BYE_REASON__BYE_FRAME, out), false);
	link_lose(link);
}

/*
 * Unpacks into the arena that the last message used: one that needs more than LINK_ARENA_SIZE is
 * as bad as one that does not unpack.
 */
static void link_message(struct link *link, const struct frame *frame)
{
	ProtobufCMessage *message;

	wire_arena_reset(&link->buffers->arena);
	message = protobuf_c_message_unpack(link->ops->message_type,
	        &link->buffers->arena.allocator, frame->len, frame->payload);
	if (!message) {
		link_bad(link);
		return;
	}
	link->ops->message(link, message, link->arg);
}

/* The peer has no version in common with us: asking again would not help. */
static void link_refused(struct link *link)
{
	const struct session *session = &link->session;
	char why[96];

	snprintf(why, sizeof(why), "it speaks protocol versions %u to %u, we speak %u to %u",
	        session->peer.min_version, session->peer.max_version, session->self.min_version,
	        session->self.max_version);
	link_close(link, why);
}

static void link_frame(struct link *link, const struct frame *frame)
{
	uint8_t out[SESSION_OUT_MAX];
	size_t out_len = 0;
	enum session_event event = session_receive(&link->session, frame, out, &out_len);

	link_write(link, out, out_len, false);
	switch (event) {
	case SESSION_NOTHING:
	case _SESSION_EVENT_N:
		return;
	case SESSION_OPENED:
		evtimer_del(link->retry);
		link->ops->opened(link, link->arg);
		return;
	case SESSION_MESSAGE:
		link_message(link, frame);
		return;
	case SESSION_ENDED:
	case SESSION_LOST:
		link_lose(link);
		return;
	case SESSION_REFUSED:
		link_refused(link);
		return;
	}
}

/* Handles what the decoder holds. False when the link was freed meanwhile. */
static bool link_frames(struct link *link)
{
	enum frame_result result;
	struct frame frame;
	bool freed = false;

	link->freed = &freed;
	while (!link->rests &&
	        (result = frame_decoder_next(&link->decoder, &frame)) != FRAME_NEED) {
		if (result == FRAME_OK) {
			link_frame(link, &frame);
		} else {
			link_bad(link);
		}
		if (freed) {
			return false;
		}
	}
	link->freed = NULL;
	return true;
}

/*
 * Moves bytes from libevent to the decoder as far as it has room, and handles whole frames after
 * each piece, so that a peer cannot make the decoder hold more than one. The stall timer runs
 * while part of a frame is there, anew with each byte that comes.
 */
static void link_on_read(struct bufferevent *stream, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(stream);
	struct link *link = arg;
	unsigned int msec = link->ops->stall_msec ? link->ops->stall_msec : FRAME_STALL_MSEC;
	struct timeval limit = {msec / 1000, msec % 1000 * 1000};

	link_borrow(link);
	while (!link->rests && evbuffer_get_length(input)) {
		size_t room;
		uint8_t *space = frame_decoder_space(&link->decoder, &room);
		int n = evbuffer_remove(input, space, room);

		if (n <= 0) {
			break;
		}
		frame_decoder_added(&link->decoder, n);
		if (!link_frames(link)) {
			return;
		}
	}
	link_return(link);
	if (link->own && !link->rests) {
		evtimer_add(link->stall, &limit);
	} else {
		evtimer_del(link->stall);
	}
}

void link_rest(struct link *link, unsigned int msec)
{
	link->rests = true;
	bufferevent_disable(link->stream, EV_READ);
	link_retry_in(link, msec);
}

/* It has rested: first what it had read of, then what came meanwhile. */
static void link_go_on(struct link *link)
{
	link->rests = false;
	link_borrow(link);
	if (!link_frames(link)) {
		return;
	}
	if (!link->rests) {
		bufferevent_enable(link->stream, EV_READ);
	}
	link_on_read(link->stream, link);
}

/*
 * Part of a frame, and nothing for its time: its rest was cut off, by a machine that
 * ended in the middle. Its bytes are looked at again, since a whole frame may stand in them.
 */
static void link_on_stall(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	bool freed = false;

	if (!frame_decoder_is_partial(&link->decoder)) {
		return;
	}
	frame_decoder_stalled(&link->decoder);
	link->freed = &freed;
	link_bad(link);
	if (!freed && link_frames(link)) {
		link_return(link);
	}
}

static void link_on_event(struct bufferevent *stream, short what, void *arg)
{
	if (what & BEV_EVENT_EOF) {
		link_close(arg, "the peer closed the connection");
	} else if (what & BEV_EVENT_TIMEOUT) {
		link_close(arg, "the peer does not read");
	} else if (what & BEV_EVENT_ERROR) {
		link_close(arg, strerror(EVUTIL_SOCKET_ERROR()));
	}
}

struct bufferevent *link_stream(struct event_base *base, int fd)
{
	struct bufferevent *stream;

	evutil_make_socket_nonblocking(fd);
	stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!stream) {
		abort();
	}
	return stream;
}

int link_new(struct bufferevent *stream, struct link_buffers *buffers, enum session_role role,
        const struct session_identity *self, const struct link_ops *ops, void *arg,
        struct link **ret_link)
{
	struct event_base *base = bufferevent_get_base(stream);
	struct link *link = mem_zero(sizeof(*link));

	link->stream = stream;
	link->buffers = buffers;
	link->db = buffers->db;
	link->retry = evtimer_new(base, link_on_retry, link);
	link->stall = evtimer_new(base, link_on_stall, link);
	if (!link->retry || !link->stall) {
		abort();
	}
	STAILQ_INIT(&link->held);
	link->ops = ops;
	link->arg = arg;
	session_init(&link->session, role, self);
	frame_decoder_init(&link->decoder, NULL, LINK_BUFFER_SIZE);
	bufferevent_setcb(link->stream, link_on_read, NULL, link_on_event, link);
	if (bufferevent_enable(link->stream, EV_READ | EV_WRITE) < 0) {
		link_free(link);
		return err_raise(-EIO);
	}
	if (role == SESSION_INITIATOR) {
		link_hello(link, true);
	}
	*ret_link = link;
	return 0;
}

struct link *link_free(struct link *link)
{
	if (!link) {
		return NULL;
	}
	if (link->freed) {
		*link->freed = true;
	}
	if (link->db) {
		db_forget(link->db, link);
	}
	while (!STAILQ_EMPTY(&link->held)) {
		link_held_free(link, STAILQ_FIRST(&link->held));
	}
	event_free(link->retry);
	event_free(link->stall);
	bufferevent_free(link->stream);
	free(link->own);
	free(link);
	return NULL;
}

static int link_pack(struct link *link, const ProtobufCMessage *message, bool rests)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	if (link->session.state != SESSION_OPEN) {
		return err_raise(-ENOTCONN);
	}
	if (len > FRAME_PAYLOAD_MAX) {
		return err_raise(-EMSGSIZE);
	}
	if (link_backlog(link) > LINK_BACKLOG_MAX) {
		return err_raise(-EXFULL);
	}
	protobuf_c_message_pack(message, link->buffers->out + FRAME_HEADER_SIZE);
	len = session_seal(&link->session, link->buffers->out, len);
	link_write(link, link->buffers->out, len, rests);
	explicit_bzero(link->buffers->out, len); /* seeds are sent here */
	return 0;
}

int link_send(struct link *link, const ProtobufCMessage *message)
{
	return err_up(link_pack(link, message, true));
}

int link_say(struct link *link, const ProtobufCMessage *message)
{
	return err_up(link_pack(link, message, false));
}

size_t link_backlog(struct link *link)
{
	return evbuffer_get_length(bufferevent_get_output(link->stream)) + link->held_bytes;
}

bool link_is_held(const struct link *link)
{
	return !STAILQ_EMPTY(&link->held);
}

void link_end(struct link *link, uint32_t reason)
{
	uint8_t out[SESSION_OUT_MAX];

	link_write(link, out, session_end(&link->session, reason, out), false);
}

const struct session *link_session(const struct link *link)
{
	return &link->session;
}

int link_fd(const struct link *link)
{
	return bufferevent_getfd(link->stream);
}
