#pragma once
/*
 * The client's half of a request: one inline function a row of osd/abi/NAME.def, made by the header
 * NAME.h beside this one. It fills the message from a structure, sends it, and returns the reply as
 * a structure whose `err` says what happened: what the server answered, or why it could not answer
 * (E_DEAD, E_RESTART, E_PERM, ...; the other members are 0 then).
 *
 *	struct ds_reply reply = ds_publish(ds, (struct ds_request){...});
 *
 * Blocking sends go from a lower rank to a higher one only, else two services could wait for each
 * other. The compiler knows both ranks (osd/meson.build reads them from the .service files and
 * passes SERVICE_RANK and RANK_<service>), and refuses the call of a stub that blocks where the
 * caller's rank is not lower. Programs without a rank (suites that the kernel loads, fuzzers) are
 * not checked. Asynchronous stubs may go anywhere.
 */
#include "osd/lib/sys/sys.h"

#if defined(SERVICE_RANK) && defined(__clang__)
#define STUB_UPWARD(server)                                                                        \
	__attribute__((diagnose_if(SERVICE_RANK >= RANK_##server,                                  \
	        "a blocking request goes to a service of higher rank only; see ranks in the "      \
	        ".service files, or send asynchronously",                                          \
	        "error")))
#else
#define STUB_UPWARD(server)
#endif

/* Send a filled message and return the reply as a structure of type answer_t. */
#define STUB_SENDREC(to, msg, answer_t)                                                            \
	({                                                                                         \
		err_t err_ = sys_sendrec((to), (msg));                                             \
		err_ == E_OK ? *MSG_AS(struct answer_t, (msg)) : (struct answer_t){.err = err_};   \
	})

#define STUB(kind, server, verb, name, n, asks, answers, right, repeat, ...)                       \
	STUB_##kind(server, verb, name, asks, answers, repeat)

#define STUB_CALL(server, verb, name, ask_t, answer_t, repeat)                                     \
	STUB_UPWARD(server)                                                                        \
	static inline struct answer_t server##_##verb(endpoint_t to, struct ask_t ask)             \
	{                                                                                          \
		struct message msg = {.type = (name)};                                             \
                                                                                                   \
		*MSG_AS(struct ask_t, &msg) = ask;                                                 \
		return STUB_SENDREC(to, &msg, answer_t);                                           \
	}                                                                                          \
	STUB_CALL_##repeat(server, verb, name, ask_t, answer_t)

#define STUB_GET(server, verb, name, ask_t, answer_t, repeat)                                      \
	STUB_UPWARD(server)                                                                        \
	static inline struct answer_t server##_##verb(endpoint_t to)                               \
	{                                                                                          \
		struct message msg = {.type = (name)};                                             \
                                                                                                   \
		return STUB_SENDREC(to, &msg, answer_t);                                           \
	}                                                                                          \
	STUB_GET_##repeat(server, verb, name, answer_t)

#define STUB_KEEP STUB_GET

/*
 * Rows that may be asked twice: ask again, once, when the server was restarted while it worked on
 * the request. What the old instance knew is gone; the caller has to be content with that. The
 * message is filled twice: after an error nothing is known of its words.
 */
#define STUB_CALL_ONCE(server, verb, name, ask_t, answer_t)
#define STUB_CALL_AGAIN(server, verb, name, ask_t, answer_t)                                       \
	STUB_UPWARD(server)                                                                        \
	static inline struct answer_t server##_##verb##_retry(endpoint_t to, struct ask_t ask)     \
	{                                                                                          \
		struct message msg = {.type = (name)}, again;                                      \
		struct answer_t answer;                                                            \
                                                                                                   \
		*MSG_AS(struct ask_t, &msg) = ask;                                                 \
		again = msg;                                                                       \
		answer = STUB_SENDREC(to, &msg, answer_t);                                         \
		return answer.err == E_RESTART ? STUB_SENDREC(to, &again, answer_t) : answer;      \
	}
#define STUB_GET_ONCE(server, verb, name, answer_t)
#define STUB_GET_AGAIN(server, verb, name, answer_t)                                               \
	STUB_UPWARD(server)                                                                        \
	static inline struct answer_t server##_##verb##_retry(endpoint_t to)                       \
	{                                                                                          \
		struct message msg = {.type = (name)}, again = msg;                                \
		struct answer_t answer = STUB_SENDREC(to, &msg, answer_t);                         \
                                                                                                   \
		return answer.err == E_RESTART ? STUB_SENDREC(to, &again, answer_t) : answer;      \
	}

/* E_FULL: the receiver's queue is full and nothing was sent. */
#define STUB_POST(server, verb, name, ask_t, answer_t, repeat)                                     \
	static inline err_t server##_##verb(endpoint_t to, struct ask_t ask)                       \
	{                                                                                          \
		struct message msg = {.type = (name)};                                             \
                                                                                                   \
		*MSG_AS(struct ask_t, &msg) = ask;                                                 \
		return sys_asend(to, &msg);                                                        \
	}
/* Called by the server; `to` is a client. */
#define STUB_EVENT STUB_POST
