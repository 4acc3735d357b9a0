#pragma once
/*
 * Who asks, the requests of it that wait, and what every request needs: answers, and the machine
 * that is meant.
 *
 *   control -> client -> wait (a request that is answered later)
 *
 * A client owns what it waits for and frees it. Everything runs in one thread, lud's event
 * loop; a handler is never interrupted, and no client ends inside one: what ends a client is
 * noticed by the loop.
 */
#include <sys/queue.h>

#include "orchestrator/request/request.h"
#include "orchestrator/control/feed/feed.h"
#include "orchestrator/control/view/view.h"
#include "orchestrator/store/answers.h"

#define CONTROL_WAITING_MAX 32u /* of one client */
#define CONTROL_JOBS_MAX 64u    /* of one request */
#define CONTROL_NAME_SIZE 32u   /* of a machine's name, with its end */

/* A right that a request was made with: looked at again while it waits. */
struct control_right {
	unsigned int roles; /* a set: those on what it is about */
	enum access_role needed;
	int64_t machine;    /* that it is about; 0: none in particular, */
	bool is_everything; /* which is everything, or whatever is seen */
};

/*
 * A request that is answered later. It waits for one of several things; what it does not wait for
 * is NULL. All of it is owned but the client and the machine.
 */
struct control_wait {
	LIST_ENTRY(control_wait) link; /* in client->waiting */
	struct control_client *client;
	uint64_t id; /* of the request, which its answer repeats */
	struct control_right right;
	struct machine *machine; /* NULL: none in particular; a removed one ends the wait */

	/* A request that came while its machine was connecting, to be handled then. */
	Control__Request *request;
	/* Whatever is looked for again and again: a connection, an attached machine's Hello. */
	struct event *timer;
	int64_t deadline_us; /* of elapsed_usec() */

	struct machine_listener *log; /* log follow */
	struct feed_reader *feed;     /* watch */
	struct forge_task *task;      /* release add, entropy */
	struct child_worker *child;   /* db check, db backup */
	char path
	        [FORGE_PATH_SIZE]; /* what the task or the child made; entropy: the service, or "" */
	char *json;                /* what the task wrote */
	char *kit;                 /* release add: what is added */
	unsigned int n_tries;      /* ... and how often that was begun again */

	struct pool *pool;         /* memory of what is put together for the answer */
	struct control_plan *plan; /* in ->pool */
	struct control_diff *diff; /* in ->pool */

	/* hold: called when the wait ends, however that may be; ->path is its token */
	void (*over)(struct control_wait *wait);

	bool is_standing; /* a standing order that the machine is to take */

	/* Jobs: ->jobs are planned, ->skipped never came to be; both are in the answer. */
	struct engine_watch *watch;
	size_t n_jobs;
	size_t n_open; /* of ->jobs; the answer is due at 0 */
	int64_t jobs[CONTROL_JOBS_MAX];
	struct job_skip *skipped; /* of CONTROL_JOBS_MAX, large; NULL: there are none */
	size_t n_skipped;
	bool many;       /* answer with a list of jobs, even of one */
	bool is_skipped; /* a timer asked, and the machine is busy: no job is made */
	int64_t release; /* entropy: which is measured */
	bool stale;      /* entropy: the machine did not answer */
};

/* Who it is comes from whoever carries its requests, never from what it says. */
struct control_client {
	LIST_ENTRY(control_client) link; /* in control->clients */
	struct control *control;
	const struct control_ops *ops;
	void *arg;            /* of ops */
	struct principal who; /* its role is that in which the request at hand is made */
	struct access_rights rights;
	struct control_right here; /* what of them the request at hand is made with */
	int backup;                /* of the record, for this client to read; -1: none */
	size_t n_waiting;          /* entries of ->waiting */
	LIST_HEAD(, control_wait) waiting;
	LIST_HEAD(, control_once) once; /* requests with an id that are not answered yet */
};

struct control {
	struct event_base *base;
	struct engine *engine; /* borrowed, as is the base */
	struct feed *feed;     /* owned: what happens, for whoever watches */
	bool is_ending;        /* lud is, so that what clients have until they leave stays theirs */
	uint64_t n_backups;    /* that were begun: each has a name of its own */
	const struct access_identities *identities; /* that count; borrowed, NULL: none */
	struct control_once *once;  /* whose effect is written with its answer now; NULL: none */
	struct control_tally tally; /* answer.c counts */
	LIST_HEAD(, control_client) clients;
};
_Static_assert(WIRE__ERROR_CLASS__ERROR_INTERNAL + 1 == CONTROL_CLASSES, "a class has no place");

/* answer.c: exactly one of reply, done and refuse ends a request; all copy what they are given */
void control_reply(struct control_client *client, uint64_t id, Control__Reply *reply);
void control_refuse(struct control_client *client, uint64_t id, Wire__ErrorClass class,
        const struct failure *failure);
/* The record did not do what was asked: says what is wrong with it. */
void control_refuse_record(struct control_client *client, uint64_t id);
/* What was asked would change something that cannot be recorded now. */
void control_refuse_change(struct control_client *client, uint64_t id);
/* It is done, and there is nothing to show. text: a word for the log of whoever asked, or "". */
void control_done(struct control_client *client, uint64_t id, const char *text);
/* On the way to an answer: not an answer, and as many as there are. */
void control_progress(struct control_client *client, Control__Progress *progress);
void control_log(struct control_client *client, Control__LogChunk *chunk);
void control_events(struct control_client *client, Control__EventChunk *chunk);
struct db *control_db(const struct control_client *client);
struct engine *control_engine(const struct control_client *client);

/* once.c: what a request asks for: all of it but the reason, and the number in its session */
void control_request_digest(const Control__Request *request, uint8_t ret_digest[64]);
enum control_once_look {
	CONTROL_ONCE_NEW,   /* nobody asked that: *ret_row has all but what is answered */
	CONTROL_ONCE_KNOWN, /* it was carried out: *ret_row says what the answer is */
	CONTROL_ONCE_REFUSED,
	_CONTROL_ONCE_N,
};
/* Looks for an answer to a request with an id. */
enum control_once_look control_once_look(
        struct control_client *client, const Control__Request *request, struct answer_row *ret_row);
/* It is carried out from now on, until it is answered or its client forgotten. row: ->said is what it will be answered with. */
void control_once_new(struct control_client *client, const Control__Request *request,
        const struct answer_row *row);
/* The next effect (db_effect()) is that of this request; without an id, or once it was, it is nobody's. */
void control_once_begin(struct control_client *client, uint64_t id);
/* Effects are nobody's any more. */
void control_once_pause(struct control *control);
/* What the request between those two is answered with, and what that is about; said 0: as it was. */
void control_once_says(struct control_client *client, uint32_t said, int64_t subject);
void control_once_text(struct control_client *client, const char *text);
/* It is about to be answered. False: that it was done cannot be recorded, and nothing was. */
bool control_once_end(struct control_client *client, uint64_t id, const Control__Reply *reply);
void control_once_forget(struct control_client *client);

/* wait.c: NULL when the client waits for too much already; the request was refused then. */
struct control_wait *control_wait_new(struct control_client *client, uint64_t id);
struct control_wait *control_wait_free(struct control_wait *wait);
/* Answers every request that waits for the machine, which is about to be removed. */
void control_end_waits(struct control *control, const struct machine *machine);
/* Rights, or the groups of machines, are others now: refuses what waits and would not be let in any more. */
void control_client_look(struct control_client *client);
void control_look(struct control *control);

/* target.c: whether the client may see the machine; NULL: what is about none */
bool control_sees(const struct control_client *client, const struct machine *machine);
/* Whether there is a machine that it may see. */
bool control_sees_some(const struct control_client *client);
/* The machine that is meant without a name: the default, or the only one that the client may see; NULL: that is not clear. */
struct machine *control_default(const struct control_client *client);
/* Letters, digits, - and _, fewer than CONTROL_NAME_SIZE of them */
bool control_name_is_valid(const char *name);
/*
 * The machine of this name; "" is the default, or the only one there is. NULL: there is none, or
 * it is not clear which; the request was refused.
 */
struct machine *control_machine(struct control_client *client, uint64_t id, const char *name);
/*
 * As control_machine(), for what the record knows: its id, of removed machines too. 0: refused.
 */
int64_t control_machine_of_record(struct control_client *client, uint64_t id, const char *name);
/* The machine exists and has not said Hello yet. */
bool control_is_connecting(const struct control_client *client, const char *name);
/* The machine of this name runs, and the record does not have it so. */
void control_refuse_lost(
        struct control_client *client, uint64_t id, Wire__ErrorClass class, const char *name);
