#pragma once
/*
 * Inside control: clients, requests that wait, and the builders of answers.
 *
 *   control -> client (a connection) -> wait (a request that is answered later)
 *
 * Each owns what stands to its right and frees it. Everything runs in one thread, lud's event
 * loop; a handler is never interrupted, and no client ends inside one: what ends a client is
 * noticed by the loop.
 */
#include <sys/queue.h>

#include "host/base/pool.h"
#include "orchestrator/control/server.h"
#include "orchestrator/link/link.h"
#include "orchestrator/store/releases.h"
#include "proto/control/control.pb-c.h"

#define CONTROL_CLIENTS_MAX 64u
#define CONTROL_GUESTS_MAX 16u  /* of any one user but root and lud's own */
#define CONTROL_WAITING_MAX 32u /* of one client */
#define CONTROL_JOBS_MAX 64u    /* of one request */
#define CONTROL_NAME_SIZE 32u   /* of a machine's name, with its end */
/* Version 2 has orders to sign and a machine's time; what is in both means the same. */
#define CONTROL_PROTOCOL 2u
#define CONTROL_PROTOCOL_MIN 1u

struct control_client;

/*
 * A request that is answered later. It waits for one of several things; what it does not wait for
 * is NULL. All of it is owned but the client and the machine.
 */
struct control_wait {
	LIST_ENTRY(control_wait) link; /* in client->waiting */
	struct control_client *client;
	uint64_t id;             /* of the request, which its answer repeats */
	struct machine *machine; /* NULL: none in particular; a removed one ends the wait */

	/* A request that came while its machine was connecting, to be handled then. */
	Control__Request *request;
	/* Whatever is looked for again and again: a connection, an attached machine's Hello. */
	struct event *timer;
	int64_t deadline_us; /* unix us */

	struct machine_listener *log; /* log follow */
	struct forge_task *task;      /* release add */
	char path[FORGE_PATH_SIZE];   /* what the task made */

	/* Jobs: ->jobs are planned, ->skipped never came to be; both are in the answer. */
	struct engine_watch *watch;
	size_t n_jobs;
	size_t n_open; /* of ->jobs; the answer is due at 0 */
	int64_t jobs[CONTROL_JOBS_MAX];
	struct job_skip {
		char service[24];
		struct failure failure;
		bool refused; /* else it cannot be updated yet */
	} skipped[CONTROL_JOBS_MAX];
	size_t n_skipped;
	bool many; /* answer with a list of jobs, even of one */
};

/* A connection. Who it is comes from the kernel, never from what it says. */
struct control_client {
	LIST_ENTRY(control_client) link; /* in control->clients */
	struct control *control;
	struct link *stream; /* owned; its callbacks get the client */
	struct event *limit; /* of saying Hello, then of asking nothing */
	uint64_t uid;
	bool open;           /* said Hello */
	int64_t quiet_since; /* monotonic us; of the last request or answer */
	char identity[64];   /* name, uid and pid, for the log and for jobs */
	size_t n_waiting;    /* entries of ->waiting */
	LIST_HEAD(, control_wait) waiting;
};

struct control {
	struct event_base *base;
	struct engine *engine;      /* borrowed, as is the base */
	struct event *accept_event; /* the listener is readable */
	struct event *accept_again; /* when descriptors ran out */
	int fd;                     /* the listener */
	char *path;                 /* of its socket, removed at the end */
	size_t n_clients;           /* entries of ->clients */
	LIST_HEAD(, control_client) clients;
};

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
struct db *control_db(const struct control_client *client);
struct engine *control_engine(const struct control_client *client);

/* client.c: disconnects the client after so long, unless this is called again */
void control_client_limit(struct control_client *client, int64_t usec);
/* The client asked or was answered: its time to ask nothing begins anew. */
void control_client_busy(struct control_client *client);

/* wait.c: NULL when the client waits for too much already; the request was refused then. */
struct control_wait *control_wait_new(struct control_client *client, uint64_t id);
struct control_wait *control_wait_free(struct control_wait *wait);
/* Answers every request that waits for the machine, which is about to be removed. */
void control_end_waits(struct control *control, const struct machine *machine);

/* target.c: letters, digits, - and _, fewer than CONTROL_NAME_SIZE of them */
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

/* machines.c: the list of all machines, which is the answer to whatever changes it */
void control_machines_answer(struct control_client *client, uint64_t id);

/* job_wait.c: answers when what ->jobs holds is settled; detach: with what is known now */
void control_jobs_wait(struct control_wait *wait, bool detach);
void control_wait_job(struct control_client *client, uint64_t id, int64_t job);

/* clients.c: who is connected, for how long, and who goes when there is no room */
void control_admit(struct control *control, int fd);
struct control_client *control_client_free(struct control_client *client);
/* Ends the connection that can be missed most; false: every one waits for an answer. */
bool control_make_room(struct control *control);

/* request.c */
void control_on_request(struct control_client *client, const Control__Request *request);

/*
 * control_on_NAME(), one for each request of the protocol: in the file of its subject. Answers
 * exactly once, or makes a control_wait that will; the request is the caller's and ends with
 * the call.
 */
#define REQUEST(NAME, field, answer, other, machine, effect)                                       \
	void control_on_##field(struct control_client *client, const Control__Request *request);
#include "proto/control/requests.gen.def"
#undef REQUEST

/*
 * view_*.c: rows as messages; all memory is the pool's. Negative: the record could not be
 * read, and there is nothing to show.
 */
Control__Machine *view_machine(struct pool *pool, const struct machine *machine);
Control__Record *view_record(struct pool *pool, struct engine *engine);
/*
 * What the machine says is shown whatever became of the record, which ->record tells.
 * stale: it did not say so now.
 */
Control__Status *view_status(
        struct pool *pool, struct engine *engine, struct machine *machine, bool stale);
/* DB_E_NONE when there is no such job. with_steps: the long form. */
int __must_check view_job(struct pool *pool, struct engine *engine, int64_t id, bool with_steps,
        Control__Job **ret_view);
/* A job that cannot go on because the record cannot be written. */
Control__Job *view_stalled(struct pool *pool, struct engine *engine, int64_t id);
/* A job that never came to be, and why: it has no id. */
Control__Job *view_skipped(
        struct pool *pool, const struct machine *machine, const struct job_skip *skip);
/* with_envelope: the signed variant and the sealed seed too, which may be large */
int __must_check view_generation(struct pool *pool, struct engine *engine,
        const struct generation_row *row, bool with_envelope, Control__Generation **ret_view);
/* view_pairing.c: without findings there are only their numbers */
int __must_check view_job_pairing(struct pool *pool, struct db *db, const struct job_row *row,
        bool with_findings, Control__Job *view);
/* What a control key is to sign, and what it destroys. */
Control__Proposal *view_proposal(struct pool *pool, const struct job_news *news);
Control__Release *view_release(struct pool *pool, const struct release_row *row);
