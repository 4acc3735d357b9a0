#pragma once
/*
 * The server's half of a request: from the rows of osd/abi/NAME.def come the prototypes of its
 * handlers and the cases of its dispatcher. A row and a handler suffice.
 *
 *	#define REQUEST SERVE_PROTOTYPE        in the server's priv.h
 *	#include "osd/abi/ds.def"
 *	#undef REQUEST
 *
 *	bool table_dispatch(struct message *msg)
 *	{
 *		switch (msg->type) {
 *	#define REQUEST SERVE_CASE
 *	#include "osd/abi/ds.def"
 *	#undef REQUEST
 *		}
 *		return serve_unknown(msg);
 *	}
 *
 * Before a handler runs, the right of its row was checked by the macro MAY_<right>(who, answer),
 * which the table defines; it gives E_OK, or the error of the reply. That a payload fits into the
 * words of a message is checked where the case is compiled. A handler returns the `err` of the
 * reply; the rest of *ret_answer is zero before it and is sent also with an error.
 *
 * A case leaves the dispatcher: true, and *msg is the reply, to be sent to msg->source; or false,
 * and nothing is to be sent.
 */
#include "osd/lib/sys/sys.h"

#define SERVE_PROTOTYPE(kind, server, verb, name, n, asks, answers, ...)                           \
	SERVE_PROTOTYPE_##kind(server, verb, asks, answers)
#define SERVE_PROTOTYPE_CALL(server, verb, ask_t, answer_t)                                        \
	err_t server##_on_##verb(                                                                  \
	        endpoint_t who, const struct ask_t *ask, struct answer_t *ret_answer);
#define SERVE_PROTOTYPE_GET(server, verb, ask_t, answer_t)                                         \
	err_t server##_on_##verb(endpoint_t who, struct answer_t *ret_answer);
/* E_OK: the request is kept open and replied to later, by sys_reply(). */
#define SERVE_PROTOTYPE_KEEP(server, verb, ask_t, answer_t)                                        \
	err_t server##_on_##verb(endpoint_t who);
#define SERVE_PROTOTYPE_POST(server, verb, ask_t, answer_t)                                        \
	void server##_on_##verb(endpoint_t who, const struct ask_t *ask);
#define SERVE_PROTOTYPE_EVENT(server, verb, ask_t, answer_t)

#define SERVE_CASE(kind, server, verb, name, n, asks, answers, right, ...)                         \
	SERVE_CASE_##kind(server, verb, name, asks, answers, right)
#define SERVE_CASE_CALL(server, verb, name, ask_t, answer_t, right)                                \
	case name: {                                                                               \
		struct answer_t answer = {0};                                                      \
                                                                                                   \
		answer.err = MAY_##right(msg->source, &answer);                                    \
		if (answer.err == E_OK) {                                                          \
			answer.err = server##_on_##verb(                                           \
			        msg->source, MSG_AS(const struct ask_t, msg), &answer);            \
		}                                                                                  \
		SERVE_REPLY(msg, answer_t, answer);                                                \
		return true;                                                                       \
	}
#define SERVE_CASE_GET(server, verb, name, ask_t, answer_t, right)                                 \
	case name: {                                                                               \
		struct answer_t answer = {0};                                                      \
                                                                                                   \
		answer.err = MAY_##right(msg->source, &answer);                                    \
		if (answer.err == E_OK) {                                                          \
			answer.err = server##_on_##verb(msg->source, &answer);                     \
		}                                                                                  \
		SERVE_REPLY(msg, answer_t, answer);                                                \
		return true;                                                                       \
	}
#define SERVE_CASE_KEEP(server, verb, name, ask_t, answer_t, right)                                \
	case name: {                                                                               \
		struct answer_t answer = {0};                                                      \
                                                                                                   \
		answer.err = MAY_##right(msg->source, &answer);                                    \
		if (answer.err == E_OK) {                                                          \
			answer.err = server##_on_##verb(msg->source);                              \
			if (answer.err == E_OK) {                                                  \
				return false;                                                      \
			}                                                                          \
		}                                                                                  \
		SERVE_REPLY(msg, answer_t, answer);                                                \
		return true;                                                                       \
	}
#define SERVE_CASE_POST(server, verb, name, ask_t, answer_t, right)                                \
	case name: {                                                                               \
		if (MAY_##right(msg->source, &(struct none){0}) == E_OK) {                         \
			server##_on_##verb(msg->source, MSG_AS(const struct ask_t, msg));          \
		}                                                                                  \
		return false;                                                                      \
	}
#define SERVE_CASE_EVENT(server, verb, name, ask_t, answer_t, right)

/* Turn a request into its reply; words behind the structure are zero. */
#define SERVE_REPLY(msg, answer_t, answer)                                                         \
	do {                                                                                       \
		_Static_assert(offsetof(struct answer_t, err) == 0, "replies begin with err");     \
		*(msg) = (struct message){.type = MSG_REPLY, .source = (msg)->source};             \
		*MSG_AS(struct answer_t, (msg)) = (answer);                                        \
	} while (0)

/* A right that everybody has who may send to the server at all. */
#define MAY_ANY(who, ret_answer) E_OK

/* A number of no row: E_NOSYS, so that a client can tell an older release of the server. */
static inline bool serve_unknown(struct message *msg)
{
	*msg = (struct message){.type = MSG_REPLY, .source = msg->source, .w = {(uint64_t)E_NOSYS}};
	return true;
}
