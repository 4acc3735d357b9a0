#pragma once
/*
 * What every command begins with: its keyring, and a request to lud with its answer, both by the
 * options that were given.
 */
#include <jansson.h>

#include "ctl/client/client.h"
#include "ctl/cmdline/cmdline.h"

/* The directory of the keyring: --keys, or the usual place. The caller frees. */
char *command_keys(const struct options *options);

/*
 * Open a connection to lud, send the request and wait for its answer; print the answer when JSON is
 * wanted. CTL_OK: *ret_reply is set and is of a kind that answers the request; it lives as long as
 * *ret_client is open. Else an exit code, after the reason was printed. news may be NULL.
 */
int command_call(const struct options *options, Control__Request *request, client_news_fn news,
        void *arg, struct client **ret_client, const Control__Reply **ret_reply);
/* The same, and nothing is printed; what command_call() prints of an answer, which the caller frees. */
int command_ask(const struct options *options, Control__Request *request, client_news_fn news,
        void *arg, struct client **ret_client, const Control__Reply **ret_reply);
/* The options for the n-th of several requests that a command makes, from 1, with an id of its own if the command has one. */
#define COMMAND_ID_SIZE 96u
struct options command_one_of(
        const struct options *options, int n, int of, char ret_id[COMMAND_ID_SIZE]);
/*
 * What most commands do: ask, and print the answer unless it is wanted as JSON, which has been kept then. The exit code.
 */
typedef void (*command_print_fn)(const Control__Reply *reply);
int command_show(const struct options *options, Control__Request *request, command_print_fn print);
json_t *command_json(const Control__Reply *reply);
