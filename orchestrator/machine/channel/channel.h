#pragma once
/*
 * lud's end of one machine's protocol: it connects to the machine's socket again
 * and again, opens sessions, matches answers to requests and hands on events.
 */
#include <event2/event.h>
#include <stdbool.h>

#include "host/base/err.h"
#include "proto/machine/machine.pb-c.h"
#include "proto/frame/session.h"

/* A machine that is not heard for so long is silent; it is asked before. */
#define CHANNEL_SILENT_SEC 5
/* The version of the machine protocol that we speak, and no other. */
#define MACHINE_PROTOCOL 2u

struct channel;
struct db;

struct channel_ops {
	/* A session is open; ->peer names machine and boot. */
	void (*up)(const struct session *session, void *arg);
	/* No session any more, or an attempt at one failed. */
	void (*down)(const char *why, void *arg);
	/* Nothing was heard of the machine for CHANNEL_SILENT_SEC, session or not. */
	void (*silent)(void *arg);
	/* It was silent and is heard again. */
	void (*heard)(void *arg);
	void (*event)(const Machine__Event *event, void *arg);
	void (*log)(const Machine__LogLines *lines, void *arg);
};

/*
 * The answer to a request: r is 0 and reply is set (it may be of type error), or
 * r is -ETIMEDOUT or -ECONNRESET and reply is NULL.
 */
typedef void (*channel_reply_fn)(int r, const Machine__Reply *reply, void *arg);

struct link_buffers;

/* Starts connecting. `path` is copied. What is said to the machine waits for the database (link_new()). */
int __must_check channel_new(struct event_base *base, struct link_buffers *buffers,
        const char *path, const struct channel_ops *ops, void *arg, struct channel **ret_channel);
/* Pending requests end with -ECONNRESET; down() is not called. */
struct channel *channel_free(struct channel *channel);

/*
 * Sends a request; its id is drawn here. fn is called exactly once later, unless
 * an error is returned: -ENOTCONN, -EMSGSIZE, -EXFULL, or the channel is freed.
 */
int __must_check channel_request(struct channel *channel, Machine__Request *request,
        uint64_t timeout_usec, channel_reply_fn fn, void *arg);
/* The callbacks of requests with this arg will not be called. */
void channel_forget(struct channel *channel, const void *arg);
bool channel_is_up(const struct channel *channel);
/* Whether something that it is to be told waits for lud's own disk, and all that is asked waits behind it. */
bool channel_is_held(const struct channel *channel);
/* When the machine said something last, over this session or one before: unix us; 0: never. */
int64_t channel_heard_usec(const struct channel *channel);
/* The host's clock was set by so much: that time moves along. */
void channel_clock_set(struct channel *channel, int64_t usec);
