#pragma once
/*
 * A session of the wire protocol over a connected stream socket, in lud's event
 * loop: bytes in and out, frames, Hello and its repetition, cut frames. Messages
 * come out unpacked; the memory a peer can make us use has a limit.
 *
 * A link has one owner, whose callbacks it calls; none is called from inside
 * link_new(). link_free() may be called inside any callback.
 */
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "host/base/err.h"
#include "proto/frame/session.h"

struct link;
/*
 * What links need only while they are at work, so that one set serves all links of an event loop: room for
 * a message that is unpacked or packed, and for a frame that comes in. A link keeps a piece of it
 * no longer than part of a frame is there.
 */
struct db;
struct link_buffers;

/* db: what is sent waits for it; NULL: for nothing. */
struct link_buffers *link_buffers_new(struct db *db);
/* All links that use them are freed by then. */
struct link_buffers *link_buffers_free(struct link_buffers *buffers);

struct link_ops {
	const ProtobufCMessageDescriptor *message_type; /* of what the peer sends */
	/* How long the rest of a frame may take before it counts as cut off; 0: FRAME_STALL_MSEC. */
	unsigned int stall_msec;
	/* A session begins; requests of an earlier one will not be answered. */
	void (*opened)(struct link *link, void *arg);
	/* A message; it lives until the callback returns. */
	void (*message)(struct link *link, const ProtobufCMessage *message, void *arg);
	/* The peer dropped the session but the connection lives; initiators ask anew. */
	void (*lost)(struct link *link, void *arg);
	/* The connection is over, or the peer cannot be spoken with. Free the link. */
	void (*closed)(struct link *link, const char *why, void *arg);
};

/* A stream over a connected socket, which it takes. */
struct bufferevent *link_stream(struct event_base *base, int fd);
/*
 * Takes the stream, whatever it is made of. An initiator says Hello at once. What is sent leaves when all that
 * the database of the buffers was given before is on disk, in the order in which it was sent: whoever
 * hears us can rely on it. A disk that fails ends the connection for what waits.
 */
int __must_check link_new(struct bufferevent *stream, struct link_buffers *buffers,
        enum session_role role, const struct session_identity *self, const struct link_ops *ops,
        void *arg, struct link **ret_link);
struct link *link_free(struct link *link);

/*
 * Packs and queues a message. Errors: -ENOTCONN without a session; -EMSGSIZE;
 * -EXFULL when the peer does not read what is queued for it.
 */
int __must_check link_send(struct link *link, const ProtobufCMessage *message);
/* As link_send(), for what would be no less true if the power went now: it does not wait for the database. */
int __must_check link_say(struct link *link, const ProtobufCMessage *message);
/* Bytes queued and not yet taken by the socket, or that wait for the database. */
size_t link_backlog(struct link *link);
/* Whether something that was sent waits for the database. */
bool link_is_held(const struct link *link);
/*
 * Reads nothing for so long, and handles nothing of what was read: for a peer that asks more than its share.
 * Responders only. What is sent to it goes on.
 */
void link_rest(struct link *link, unsigned int msec);
/* Says Bye for a reason (enum Wire__ByeReason); what is queued is still sent. */
void link_end(struct link *link, uint32_t reason);

const struct session *link_session(const struct link *link);
int link_fd(const struct link *link);
