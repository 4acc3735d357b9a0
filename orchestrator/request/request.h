#pragma once
/*
 * What lud can be asked for: the one way in, and the only part of it that whoever carries requests
 * knows. In come messages of control.proto and who asks; out go messages of it. Nothing else passes,
 * no pointer of the engine and no row of the record, so that another process could stand on either side.
 *
 *   server (sockets, sessions, limits) -> control (rights, requests) -> engine, record
 *
 * Everything runs in one thread, lud's event loop.
 */
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "orchestrator/access/rights.h"
#include "proto/control/control.pb-c.h"

/* Version 2 has orders to sign and a machine's time; what is in both means the same. */
#define CONTROL_PROTOCOL 2u
#define CONTROL_PROTOCOL_MIN 1u

struct engine;
struct control;
/* Somebody who asks, as long as its connection lives. */
struct control_client;

/* How what is said to a client gets there. Neither may free the client. */
struct control_ops {
	/*
	 * Takes one message, which is the caller's; rests: it may be seen only when the record has on disk
	 * what was changed before.
	 */
	void (*say)(void *arg, const Control__FromLud *message, bool rests);
	/* Bytes that were said and not read yet. */
	size_t (*backlog)(const void *arg);
};

/* What a client waits for, least first. */
enum control_load {
	CONTROL_NOTHING,
	CONTROL_FOLLOWS, /* only reads the log, or what happens */
	CONTROL_WAITS,   /* for an answer */
	_CONTROL_LOAD_N,
};

/* Borrows both. */
struct control *control_new(struct event_base *base, struct engine *engine);
/* What was answered since lud started, by the class of the refusal; [ERROR_NONE]: what was not refused. */
#define CONTROL_CLASSES 11u
struct control_tally {
	uint64_t answered[CONTROL_CLASSES];
};
const struct control_tally *control_tally(const struct control *control);
/* lud ends: what clients have until they leave stays theirs. */
void control_ending(struct control *control);
/* Clients are freed by then. NULL is allowed, and what it returns. */
struct control *control_free(struct control *control);

/* What is amiss with the way in, for the status; copied. */
struct control_notice {
	bool is_wrong;  /* it is; else it will be */
	int64_t ends;   /* what will end, and when: seconds since 1970; 0: nothing */
	char text[480]; /* "lets nobody in: ..."; "": nothing is amiss any more */
	char remedy[240];
};
void control_notice(struct control *control, const struct control_notice *notice);
/* Who may ask from elsewhere, as it counts from now on; borrowed until the next call. NULL: nobody. */
void control_identities(struct control *control, const struct access_identities *identities);

/*
 * who: copied, as are its rights; its role is not looked at. ops and arg: borrowed until control_client_free().
 */
struct control_client *control_client_new(struct control *control, const struct principal *who,
        const struct access_rights *rights, const struct control_ops *ops, void *arg);
/* Ends everything that it waits for; jobs that it asked for go on. Always NULL. */
struct control_client *control_client_free(struct control_client *client);
/* Answered by ops->say(), once, at once or later; the request is the caller's. */
void control_client_ask(struct control_client *client, const Control__Request *request);
/* Its session is over: what it waited for is nobody's any more. */
void control_client_forget(struct control_client *client);
/* Its rights are others now; copied. */
void control_client_rights(struct control_client *client, const struct access_rights *rights);
enum control_load control_client_load(const struct control_client *client);
