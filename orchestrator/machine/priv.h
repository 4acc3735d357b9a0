#pragma once
/* Inside machine: the object, shared by its process, session and log halves. */
#include <event2/buffer.h>
#include <sys/queue.h>

#include "orchestrator/machine/machine.h"
#include "orchestrator/machine/qemu/qemu.h"

#define MACHINE_LOG_KEPT 1000u
#define MACHINE_LOG_FIRST 8u /* room for so many before there are more */
#define MACHINE_USEC_PER_SEC 1000000
/* Why a machine is stopped that ended as a signed order told it to. */
#define MACHINE_BY_ORDER "it was switched off by order"

/* What a machine is at; state.c has the diagram and the state that each is shown as. */
enum machine_phase {
	MACHINE_IS_OFF,      /* by request or order; no process, or it is detached */
	MACHINE_IS_LAUNCHED, /* its process is being started */
	MACHINE_IS_SOUGHT,   /* its process runs; no session with a status yet */
	MACHINE_IS_OPEN,     /* a session is open, and its status is known */
	MACHINE_IS_MUTE,     /* as SOUGHT, and it is not heard */
	MACHINE_IS_HUNG,     /* as OPEN, and it is not heard */
	MACHINE_IS_ENDING,   /* its process was asked to end */
	MACHINE_IS_GONE,     /* its process ended, or could not be started */
	MACHINE_IS_FOREIGN,  /* another machine answers at its socket */
	_MACHINE_PHASE_N,
};

struct machine_log_line {
	uint8_t *packed;
	size_t size;
};

struct machine_listener {
	LIST_ENTRY(machine_listener) link;
	machine_log_fn fn;
	void *arg;
};

/* Somebody who waits for a fresh status. */
struct machine_refreshing {
	LIST_ENTRY(machine_refreshing) link;
	struct machine *machine;
	machine_refresh_fn fn;
	void *arg;
};

/* What of a machine counts in the tally; tally.c is the only writer. */
struct machine_tally {
	enum machine_state state; /* 0: it is not counted */
	bool is_well, is_mute, is_notable;
};

struct machine {
	struct machines *machines;
	struct machine_tally tally;
	struct machine_row row;
	struct machine_work *work; /* see machine_work() */
	struct standing_watch *standing;
	enum machine_phase phase; /* machine_set_phase() is the only writer */
	int64_t since;            /* unix s; of the state that the phase is shown as */
	char why[200];            /* of that state; "" */
	char *dir;                /* owned */

	/* The process, when it is ours. */
	struct child_worker *launcher;
	machine_launch_fn launch_done;
	void *launch_arg;
	machine_stop_fn stop_done; /* NULL: nobody waits for the end */
	void *stop_arg;
	int pidfd;
	struct event *exit_event;
	struct event *stop_limit; /* when asking it to end was not enough */

	/* The session. */
	struct channel *channel;
	int64_t heard_usec; /* unix; of channels that are closed */
	uint32_t protocol;
	uint64_t features; /* WIRE__FEATURE__*, of both sides of the last session */
	bool known;        /* the record had met it before this session */
	bool was_heard;    /* see machine_was_heard() */
	char ahead[200];   /* what it has that the record has not; "": nothing */
	Machine__Status *status;
	int64_t status_usec; /* unix; when it was given */
	LIST_HEAD(, machine_refreshing) refreshing;
	/* A status for services that started afresh: under way, and wanted once more behind it. */
	enum { MACHINE_RESTARTED_NONE, MACHINE_RESTARTED_ASKED, MACHINE_RESTARTED_AGAIN } restarted;
	struct event *flush;
	struct event *first_status; /* asks again while the first one failed */
	struct evbuffer *events;    /* length, packed event; not recorded yet */
	uint64_t newest_seq;
	uint64_t until_trim; /* events that may be recorded before old ones are dropped */

	/* The debug console's file; -1 and NULL while it is not followed. */
	int log_file;
	int log_watch;
	struct event *log_event;
	struct evbuffer *log_rest;    /* a line that has not ended */
	struct machine_log_line *log; /* ->log_room of them; NULL: it never said anything */
	size_t log_room; /* MACHINE_LOG_KEPT at most; less: none of them was written twice */
	size_t log_next; /* lines that came */
	LIST_HEAD(, machine_listener) listeners;
};

struct machines {
	struct event_base *base;
	struct db *db;
	const struct config *config;
	const struct machines_ops *ops;
	void *arg;
	struct machine **by_name, **by_id; /* sorted; index.c */
	size_t n;
	struct machines_tally tally;
	struct machine **notable; /* sorted by name; tally.c */
	size_t n_notable, notable_room;
	struct machine *by_default;   /* NULL: none is marked */
	uint64_t version;             /* see machines_version() */
	struct link_buffers *buffers; /* of all channels' links */
};

/* index.c: once its row has name and id; before it is freed */
void machines_index(struct machine *machine);
void machines_unindex(struct machine *machine);

/* tally.c: whatever counts in it may have changed; it is gone; assert that it was told */
void machine_tally(struct machine *machine);
void machine_tally_end(struct machine *machine);
void machine_tally_check(const struct machine *machine);

/* state.c */
/*
 * The only writer of ->phase: the move must be in its table, or is none. why is for people; "" keeps
 * what was said, as long as the shown state stays. When that changes the owner is told.
 */
void machine_set_phase(struct machine *machine, enum machine_phase phase, const char *why);
/* The table of moves. */
bool machine_phase_may_become(enum machine_phase from, enum machine_phase to);
/* Asserts what holds in the phase; at entries, never in the middle of a change. */
void machine_check(const struct machine *machine);
/* Whether a session is open and its first status is there, heard now or not. */
bool machine_is_open(const struct machine *machine);
/* Writes ->row to the record. DB_E_EXISTS: another record has its machine id. */
int __must_check machine_save(struct machine *machine);

/* events.c */
/* One event of the session, collected; recorded in the next turn of the loop. */
void machine_on_event(const Machine__Event *event, void *arg);
void machine_on_flush(evutil_socket_t fd, short what, void *arg);
/* Asks for all events that are not recorded yet. */
void machine_subscribe_events(struct machine *machine);
/* Sends a request whose answer does not matter. */
void machine_tell(struct machine *machine, Machine__Request *request);

/* session.c */
void machine_session_fini(struct machine *machine);
/* The record can be written again: events that waited are written and fetched. */
void machine_session_recorded(struct machine *machine);
void machine_on_first_status_due(evutil_socket_t fd, short what, void *arg);
/* status.c */
/* Whoever waits for a status learns at once that there is none. */
void machine_refreshing_end(struct machine *machine);
/* Those with this arg are not called any more. */
void machine_refreshing_forget(struct machine *machine, const void *arg);
/* log.c */
void machine_log_lines(struct machine *machine, const Machine__LogLines *lines);
void machine_log_fini(struct machine *machine);
/* follow.c: reads the debug console of a process of ours into the log. */
void machine_follow(struct machine *machine);
void machine_follow_fini(struct machine *machine);
/* process.c */
void machine_process_fini(struct machine *machine);
void machine_on_stop_limit(evutil_socket_t fd, short what, void *arg);
/* Whether the last thing that a machine of ours did was to switch itself off by order. */
bool machine_was_ordered_off(const struct machine *machine);
/* Finds the process of a machine that was started earlier. -ESRCH: it is gone. */
int __must_check machine_process_find(struct machine *machine);
