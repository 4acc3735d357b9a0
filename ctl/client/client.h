#pragma once
/*
 * luctl's end of the control protocol: one blocking conversation with lud over its
 * socket. Errors are told to the person here and come back as exit codes.
 */
#include "ctl/base/base.h"
#include "proto/control/control.pb-c.h"

/* A connection on which the greeting is done; client.c says what is in it. */
struct client;

/*
 * path: NULL: the lud that the command line means (target.h), else the usual place of this host's. CTL_OK or an exit code.
 */
int client_open(const char *path, struct client **ret_client);
/* Ends the session; for the cleanup attribute. Jobs that were asked for continue in lud. */
void client_closep(struct client **client);

/* Whether anybody listens there, NULL: at lud's usual place. A socket that may not be tried counts. */
bool client_can_connect(const char *path);
/* From now on client_call() ends as soon as the descriptor is readable, too: with CTL_OK and no answer, NULL. */
void client_stop_at(struct client *client, int fd);

/* Strings come as lud sends them, for JSON; without this they come fit for a terminal. */
void client_keep_raw(void);

/* What lud sends before its answer; messages live until the return. */
typedef void (*client_news_fn)(const Control__FromLud *from, void *arg);

/*
 * Sends a request and waits for its answer, which lives until the next call. CTL_OK, or the
 * exit code of an error that was told (lud's refusals included); CTL_WAITED where wait_limit() (wait.h) ends it, after it was
 * told how to come back. news may be NULL.
 *
 * With a lud on another host a request that changes something has an id, a new one if it has none; and where the connection
 * breaks, what may be asked again (again.h) is, under the same id on another connection, for a while. So it is carried
 * out once, and news of a job that goes on comes again from where it is.
 */
int client_call(struct client *client, Control__Request *request, client_news_fn news, void *arg,
        const Control__Reply **ret_reply);
