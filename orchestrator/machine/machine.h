#pragma once
/*
 * Machines as lud runs them: the process (when it is ours), the channel, what the
 * machine last said, its log. What is true is in the machine; this is lud's view
 * of it. Nothing here loops over machines: each wakes by its own events.
 */
#include "host/child/child.h"
#include "orchestrator/config/config.h"
#include "orchestrator/machine/channel/channel.h"
#include "orchestrator/store/machines.h"

struct machine;
struct machine_work;
struct machines;
struct standing_watch;

/* The numbers of the control protocol. */
enum machine_state {
	MACHINE_UP = 1,         /* a session is open and the machine is who it should be */
	MACHINE_STARTING = 2,   /* its process is being started */
	MACHINE_CONNECTING = 3, /* its process runs; no session yet */
	MACHINE_DOWN = 4,       /* its process ended, or it is somebody else */
	MACHINE_STOPPED = 5,    /* by request */
	MACHINE_SILENT = 6,     /* its process may run, and it is not heard */
	_MACHINE_STATE_N,
};

/* Told to the owner of all machines. */
struct machines_ops {
	void (*up)(struct machine *machine, void *arg);
	/* Its session is over, or it came to be DOWN from any state. */
	void (*down)(struct machine *machine, void *arg);
	/* It is not heard any more; a session may still be open. up() or down() follows. */
	void (*silent)(struct machine *machine, void *arg);
	void (*step)(struct machine *machine, const Machine__TxnStep *step, void *arg);
	void (*result)(struct machine *machine, const Machine__Result *result, void *arg);
	/* People see another state of it; told before the others. NULL: nobody wants to know. */
	void (*shown)(struct machine *machine, void *arg);
	/* Something happened to a service; NULL: nobody wants to know. */
	void (*change)(struct machine *machine, const Machine__ServiceChange *change, void *arg);
};

int __must_check machines_new(struct event_base *base, struct db *db, const struct config *config,
        const struct machines_ops *ops, void *arg, struct machines **ret_machines);
struct machines *machines_free(struct machines *machines);
/* Takes up every machine of the record; running ones are connected to. */
int __must_check machines_load(struct machines *machines);
/* The record can be written again: what was only remembered is written. */
void machines_recorded(struct machines *machines);
/* The host's clock was set by so much: when machines were heard, or came into their state, moves along. */
void machines_clock_set(struct machines *machines, int64_t usec);
/* There are as many machines as the configuration allows. */
bool machines_are_full(const struct machines *machines);
/* NULL when there is none. */
struct machine *machines_by_id(struct machines *machines, int64_t id);
struct machine *machines_by_name(struct machines *machines, const char *name);
/* The default one, else the only one; NULL: there is none, or nobody can say which. */
struct machine *machines_default(struct machines *machines);
/* The first whose name sorts behind this one; "": the first. NULL: none does. */
struct machine *machines_after(struct machines *machines, const char *name);
/* Another number whenever a machine is new, is gone, was heard for the first time, or has other groups or labels. */
uint64_t machines_version(const struct machines *machines);
/* Visits all by name, for lists that a person asked for. */
struct machine *machines_next(struct machines *machines, struct machine *after);
/*
 * The next one in turn after a name, round and round, for whoever looks at a few machines at a time; NULL: there is none. What
 * joins or goes meanwhile has no other one left out.
 */
struct machine *machines_turn(struct machines *machines, const char *name);

/* How many machines there are, well: heard from, with services that all run; mute: up, and no status yet; in each state. */
struct machines_tally {
	uint32_t all, well, mute, in[_MACHINE_STATE_N];
};
const struct machines_tally *machines_tally(const struct machines *machines);
/* Counts one machine, for who may not see all of them. */
void machine_tally_into(const struct machine *machine, struct machines_tally *tally);
/*
 * Visits by name, for whoever looks for what is amiss, those that may have something of it: neither up nor stopped by request,
 * ahead of the record, with a clock that differs, or with a service that does not run as it should.
 */
struct machine *machines_notable_next(struct machines *machines, const struct machine *after);
/* Asserts that both are what a walk over all machines finds; for tests. */
void machines_check(const struct machines *machines);
/* By how many seconds its clock was ahead of this host's when it said so; 0: it is not up, or did not say. */
#define MACHINE_CLOCK_SEC 60 /* below this orders do not mind */
int64_t machine_clock_ahead(const struct machine *machine);

/*
 * Makes a machine of this name: one to be started by us (socket NULL), or one that
 * runs and is reached by its socket. One of this name that was removed is taken up
 * again. The first machine becomes the default. DB_E_EXISTS.
 */
int __must_check machine_new(struct machines *machines, const char *name, const char *socket,
        struct machine **ret_machine);

/*
 * Machines that run and that the record does not know as running. Whether something
 * serves the socket that a machine of this name would have; where that socket is (the
 * caller frees); whether a path leads to it and a process of ours serves it.
 */
bool machine_is_served(const struct machines *machines, const char *name);
char *machine_own_socket(const struct machines *machines, const char *name);
bool machine_owns_socket(const struct machines *machines, const char *name, const char *socket);
/* Finds one that the record does not have at all. */
bool machines_find_lost(struct machines *machines, char *ret_name, size_t size);
/*
 * As machine_new() for a machine that was started by us and runs, whose record was lost:
 * it keeps its identity, which it says itself.
 */
int __must_check machine_new_found(
        struct machines *machines, const char *name, struct machine **ret_machine);
/*
 * Takes up the process of a machine of ours that runs; one that is being started is taken up by its
 * launch. -ESRCH: there is none.
 */
int __must_check machine_take_back(struct machine *machine);
/* Draws an identity for a machine of ours that is to be started and never had one. */
int __must_check machine_ensure_id(struct machine *machine);
/*
 * Draws the generation of the kernel that it is to be started with, recorded before there is one; or notes that it is
 * the kernel as it was linked. Errors: of the record.
 */
int __must_check machine_draw_kernel(struct machine *machine, bool drawn);

/* It is meant from now on when no machine is named. */
int __must_check machine_set_default(struct machine *machine);
/* Its groups and labels are these from now on; lists as in machine_row. */
int __must_check machine_set_marks(struct machine *machine, const char *groups, const char *labels);
/*
 * Forgets a machine that is stopped or down and has no open jobs, and removes its files.
 * Its rows stay in the record; machine_new() takes them up again.
 */
int __must_check machine_remove(struct machine *machine);

const struct machine_row *machine_row(const struct machine *machine);
/* What the owner of all machines keeps of the work on this one, for itself; NULL at first, and when the machine is removed. */
struct machine_work *machine_work(const struct machine *machine);
void machine_set_work(struct machine *machine, struct machine_work *work);
/* The same, of its standing order. */
struct standing_watch *machine_standing(const struct machine *machine);
void machine_set_standing(struct machine *machine, struct standing_watch *standing);
enum machine_state machine_state(const struct machine *machine);
/* It was up once, under this name and since it was added: it is not only meant to be there. */
bool machine_was_heard(const struct machine *machine);
const char *machine_state_name(enum machine_state state);
/* Of being down, or stopped by order; "" else. */
const char *machine_why(const struct machine *machine);
/* What a person can do about a machine that is not up; "" when nothing. */
void machine_remedy(const struct machine *machine, char *ret_text, size_t size);
const char *machine_dir(const struct machine *machine);
int64_t machine_since(const struct machine *machine); /* unix s of the state */
/* When it was heard last, and when machine_status() was given: unix us; 0: never. */
int64_t machine_heard_usec(const struct machine *machine);
int64_t machine_status_usec(const struct machine *machine);
/* What it has done that the record does not know of, in words; "": nothing. */
const char *machine_ahead(const struct machine *machine);
#define MACHINE_AHEAD_REMEDY                                                                       \
	"restore a newer backup of lud.db if there is one; else go on: numbers continue above "    \
	"the machine's, and what it ran in between is not in the history"
uint32_t machine_protocol(const struct machine *machine);
/* Whether it said in its last session that it makes layouts of kits by itself. */
bool machine_makes_layouts(const struct machine *machine);

/*
 * Starts the process from the boot image in its directory. done gets NULL or what
 * went wrong. A process that runs already is taken over, and a launch that nobody waits for any
 * more is waited for again. -EBUSY: somebody does, or it is not ours to start now.
 * MACHINE_E_NO_KERNEL: the kernel that was moved for this start is gone. Where no process comes of it
 * the boot image, which holds a seed, goes.
 */
enum { MACHINE_E_NO_KERNEL = 1 };
typedef void (*machine_launch_fn)(const struct failure *failure, void *arg);
int __must_check machine_launch(struct machine *machine, machine_launch_fn done, void *arg);
/* Takes up the channel of an attached machine, or of one that was launched. */
int __must_check machine_connect(struct machine *machine);
/* Ends the process (of ours) or lets go of the machine (attached); done follows. */
typedef void (*machine_stop_fn)(void *arg);
int __must_check machine_stop(struct machine *machine, machine_stop_fn done, void *arg);

/* It was ordered to end: when it does, it is stopped and not down. */
void machine_expect_end(struct machine *machine);

/* See channel_request(). */
int __must_check machine_request(struct machine *machine, Machine__Request *request,
        uint64_t timeout_usec, channel_reply_fn fn, void *arg);
void machine_forget(struct machine *machine, const void *arg);

/* What the machine said last; NULL before the first answer. */
const Machine__Status *machine_status(const struct machine *machine);
/* NULL when the machine has no such service. */
const Machine__Service *machine_service(const struct machine *machine, const char *name);
/* The release that a service runs, by the machine's word. DB_E_NONE: none that is registered. */
int __must_check machine_release(
        struct db *db, const Machine__Service *service, struct release_row *ret);
/*
 * When the layout that a service runs was made, unix us; as_of: when the machine said so. 0: not recorded.
 */
int64_t machine_layout_usec(struct db *db, const struct machine *machine,
        const Machine__Service *service, int64_t as_of_usec);
/*
 * What a service's status or an order's result tells of the seed, of a length that can be kept; it
 * points into that message.
 */
struct store_seed machine_seed(
        const ProtobufCBinaryData *commitment, const ProtobufCBinaryData *sealed);
/* Whether something that the machine is to be told waits for lud's own disk. */
bool machine_is_held(const struct machine *machine);
/* Asks the machine; fn gets 0 when machine_status() is fresh. */
typedef void (*machine_refresh_fn)(int r, void *arg);
int __must_check machine_refresh(struct machine *machine, machine_refresh_fn fn, void *arg);

/* The log: lines kept, and who is told of new ones. */
typedef void (*machine_log_fn)(const Machine__LogLines *lines, void *arg);
struct machine_listener;
/* Calls fn for up to `backlog` kept lines, then for new ones until freed. */
struct machine_listener *machine_listen(
        struct machine *machine, uint32_t backlog, machine_log_fn fn, void *arg);
struct machine_listener *machine_listener_free(struct machine_listener *listener);
