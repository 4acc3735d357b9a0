#pragma once
/* Inside control: clients, requests that wait, and the builders of answers. */
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
/* Version 2 has orders to sign and a machine's time; what is in both means the same. */
#define CONTROL_PROTOCOL 2u
#define CONTROL_PROTOCOL_MIN 1u

struct control_client;

/* A request that is answered later. */
struct control_wait {
	LIST_ENTRY(control_wait) link;
	struct control_client *client;
	uint64_t id;                  /* of the request */
	struct machine *machine;      /* NULL: none in particular */
	struct engine_watch *watch;   /* jobs */
	struct machine_listener *log; /* log follow */
	struct forge_task *task;      /* release add */
	char path[FORGE_PATH_SIZE];   /* what the task made */
	struct event *timer;
	Control__Request *request; /* deferred; owned */
	int64_t deadline_us;
	size_t n_jobs;
	size_t n_open;
	int64_t jobs[CONTROL_JOBS_MAX];
	struct job_skip {
		char service[24];
		struct failure failure;
		bool refused; /* else it cannot be updated yet */
	} skipped[CONTROL_JOBS_MAX];
	size_t n_skipped;
	bool many; /* answer with a list of jobs */
};

struct control_client {
	LIST_ENTRY(control_client) link;
	struct control *control;
	struct link *stream;
	struct event *limit; /* of saying Hello, then of asking nothing */
	uint64_t uid;
	bool open;           /* said Hello */
	int64_t quiet_since; /* monotonic us; of the last request or answer */
	char identity[64];
	size_t n_waiting;
	LIST_HEAD(, control_wait) waiting;
};

struct control {
	struct event_base *base;
	struct engine *engine;
	struct event *accept_event;
	struct event *accept_again; /* when descriptors ran out */
	int fd;
	char *path;
	size_t n_clients;
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
void control_done(struct control_client *client, uint64_t id, const char *text);
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

/* target.c: letters, digits, - and _, less than 32 of them */
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
Control__Job *view_skipped(
        struct pool *pool, const struct machine *machine, const struct job_skip *skip);
int __must_check view_generation(struct pool *pool, struct engine *engine,
        const struct generation_row *row, bool with_envelope, Control__Generation **ret_view);
/* view_pairing.c: without findings there are only their numbers */
int __must_check view_job_pairing(struct pool *pool, struct db *db, const struct job_row *row,
        bool with_findings, Control__Job *view);
/* What a control key is to sign, and what it destroys. */
Control__Proposal *view_proposal(struct pool *pool, const struct job_news *news);
Control__Release *view_release(struct pool *pool, const struct release_row *row);
