#pragma once
/*
 * Kernel calls and what services need around them: replies, names of errors. Grants are in grant.h.
 */
#include "osd/abi/start.h"
#include "osd/lib/sys/call.h"

/* Turn a received request into a reply: type MSG_REPLY, source kept as the one to answer, a
 * structure that starts with an err_t. */
#define SYS_REPLY(msg, type, ...)                                                                  \
	({                                                                                         \
		*(msg) = (struct message){.type = MSG_REPLY, .source = (msg)->source};             \
		*MSG_AS(type, msg) = (type){__VA_ARGS__};                                          \
	})

/* Is it a notification from this endpoint (EP_CLOCK, EP_HARDWARE, EP_KERNEL or a slot)? */
static inline bool message_is_notify(const struct message *msg, endpoint_t from)
{
	return msg->type == MSG_NOTIFY && msg->source == from;
}

/* Reply with a bare result: w[0] = err, other words 0. */
static inline err_t sys_reply_error(endpoint_t to, err_t err)
{
	struct message msg = {.type = MSG_REPLY, .w = {(uint64_t)err}};

	return sys_reply(to, &msg);
}

/* Name ("E_PERM") and one-line text of an error; never NULL. */
const char *sys_error_name(err_t err);
const char *sys_error_text(err_t err);
