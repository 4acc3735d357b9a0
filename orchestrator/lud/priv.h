#pragma once
/*
 * Inside lud's main program: the command line, the parts that stand while it serves, and the
 * stages of its start.
 */
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/metrics/metrics.h"
#include "orchestrator/remote/remote.h"
#include "orchestrator/server/server.h"

/* What an administrator can do about a state directory that takes no files. */
#define LUD_DISK_REMEDY                                                                            \
	"make the state directory writable and make room there (bytes or inodes: df -h, df -i), "  \
	"then start lud again; "                                                                   \
	"machines run on meanwhile"

/* Documented in lud(8), which docs_test.py compares. */
enum lud_exit {
	LUD_EXIT_OK = 0,
	LUD_EXIT_USAGE = 2,
	LUD_EXIT_CONFIG = 3,
	LUD_EXIT_RECORD = 4,
	LUD_EXIT_BUSY = 5, /* another lud uses this state directory */
	LUD_EXIT_INTERNAL = 6,
	_LUD_EXIT_N,
};

/* As given; NULL: not given. The text is argv's. */
struct lud_options {
	const char *config;
	const char *state_dir;
	const char *log_level;
	bool check;
	bool print;
	bool recover;
	const char *record;  /* to check; "": that of the state directory */
	const char *backup;  /* to make */
	const char *restore; /* to put in the record's place */
};

#define LUD_SIGNALS_N 3 /* that end lud, or have it read its configuration again */

/*
 * Everything that lives as long as the process. Parts are made in the order in which they stand
 * here and freed in reverse by lud_close(), which takes any number of them.
 */
struct lud {
	const struct lud_options *options; /* borrowed; read again at SIGHUP */
	struct config config;
	int lock; /* of the state directory, held until the end; -1: none */
	struct child_user signer_user;
	struct child_user forge_user;
	struct event_base *base;
	struct db *db;
	struct forge *forge;
	struct signer_client *signer;
	struct signer_client *second; /* NULL: none is configured */
	struct engine *engine;
	struct control *control;
	struct link_buffers *buffers; /* of the server's connections */
	struct server *server;
	struct metrics *metrics; /* NULL: they are served nowhere */
	struct remote *remote;   /* NULL: it is not configured */
	struct event *signals[LUD_SIGNALS_N];
	struct event *watchdog; /* NULL: no service manager asks for it */
};

/* options.c: -1 to go on, else the exit code; what is wrong was printed */
int lud_options_parse(int argc, char **argv, struct lud_options *ret);

/* configure.c: defaults, then the file, then the command line. Errors fill ret_failure. */
int __must_check lud_configure(
        struct config *config, const struct lud_options *options, struct failure *ret_failure);
/* Paths as they are from /, wherever lud and its children stand. What does not exist stays. */
void lud_absolute_all(struct config *config);
int __must_check lud_set_log_level(const struct config *config, struct failure *ret_failure);

/* start.c: logs a failure that ends lud, or a stage of it, with its trace at level debug */
void lud_say(const struct failure *failure);
/* Makes and locks the state directory. -EWOULDBLOCK: another lud has it. */
int __must_check lud_claim(struct lud *lud, struct failure *ret_failure);
/* Finds the users of the children; with `auto`, there may be none to separate them. */
int __must_check lud_find_users(struct lud *lud, struct failure *ret_failure);
/* Record, workers, machines, control socket; needs lud_claim(). -EADDRINUSE: the socket. */
int __must_check lud_open(struct lud *lud, struct failure *ret_failure);
void lud_close(struct lud *lud);

/* The exit code; all that failed was logged. */
int lud_recover(struct lud *lud);      /* recover.c */
int lud_check_record(struct lud *lud); /* keep.c */
int lud_backup(struct lud *lud);
int lud_restore(struct lud *lud);
int lud_run(struct lud *lud); /* run.c */
