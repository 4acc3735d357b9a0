#pragma once
/*
 * The commands of luctl, and what they share.
 *
 * A command is a function of the options that returns an exit code (ctl/base.h). It prints its
 * answer to stdout, errors and progress to stderr, each error once and where it is found: a code
 * that is passed up was explained already. With --json stdout has the answer of lud as JSON and
 * nothing else. What is printed was escaped when it was received (ctl/clean.h).
 */
#include "ctl/client.h"
#include "ctl/cmdline.h"

/* The commands, by the rows of ctl/commands.def. */
#define VERB(name, function, min, max, arguments, takes, summary)                                  \
	int cmd_##function(const struct options *options);
#include "ctl/commands.def"

/*
 * control.c: the control key of a person, for orders that destroy.
 *
 * True when it can be used on this host. Asked before lud is, so that no job is made which would
 * wait for a signature that cannot come.
 */
bool control_is_at_hand(const struct options *options);
/*
 * Print what an order would do, sign it and send the signature to lud. False: it is not what was
 * asked for, or cannot be signed; the reason was printed, and lud was asked to end the job.
 */
bool control_sign(const struct options *options, const Control__Request *asked,
        const Control__Progress *news);

/*
 * job.c: jobs as exit codes and words, and progress while they run.
 *
 * The exit code for the outcome of a job. An open job is CTL_OK: it was asked for with --detach.
 */
int job_exit(const Control__Job *job);
/* Print what became of it: a line or a few on stdout, the cause of a failure on stderr. */
void job_print(const Control__Job *job);
/* Words for people; "?" for what this luctl does not know. */
const char *job_state_text(Control__JobState state);
const char *job_kind_text(Control__JobKind kind);

/*
 * What is known of the jobs of one request while it is waited for. Belongs to the command, which
 * hands it to command_call() with job_on_news():
 *
 *     job_progress_init -> job_on_news, any number of times -> job_progress_end -> job_outcome
 */
struct job_progress {
	bool shown;    /* stderr is a terminal and nobody asked for JSON */
	bool many;     /* several jobs: each is printed when it ends */
	bool declined; /* an order was not signed, and the reason was printed */
	size_t n_done; /* jobs that ended, of many */
	const struct options *options;
	const Control__Request *asked; /* what the news is about */
};
/* options and asked must outlive the progress. */
void job_progress_init(struct job_progress *progress, const struct options *options,
        const Control__Request *asked, bool many);
/* A client_news_fn; progress is a struct job_progress. Signs orders that lud proposes. */
void job_on_news(const Control__FromLud *from, void *progress);
/* Remove the line of progress from the terminal. */
void job_progress_end(struct job_progress *progress);
/*
 * Print what became of the job that was asked for, unless --json; its exit code. A job that failed
 * because luctl did not sign its order is CTL_KEYS, and the reason is not printed again.
 */
int job_outcome(const struct job_progress *progress, const Control__Job *job);

/*
 * pairing.c: what an update takes over and loses. Sets of kinds of findings, as bits: what makes an
 * update lose state, what changes a value that will not be seen, and everything.
 */
#define PAIRING_LOSS                                                                               \
	(1u << CONTROL__FINDING_KIND__FINDING_LOST | 1u << CONTROL__FINDING_KIND__FINDING_AT_RISK)
#define PAIRING_INITIAL (1u << CONTROL__FINDING_KIND__FINDING_INITIAL)
#define PAIRING_ALL (~0u)
/* The findings of these kinds, one a line, each behind the indent. */
void pairing_print(
        FILE *to, const char *indent, const Control__Pairing *pairing, unsigned int kinds);
/* What the machine itself says of state that was lost, dropped, moved or copied. */
void pairing_print_removed(const char *indent, const Machine__Result *result);
/* "to loss, pairing ..., control key ..." */
void consent_text(const Control__Job *job, char ret_text[128]);

/* The directory of the keyring: --keys, or the usual place. The caller frees. */
char *command_keys(const struct options *options);

/*
 * Open a connection to lud, send the request and wait for its answer; print the answer when JSON is
 * wanted. CTL_OK: *ret_reply is set and is of a kind that answers the request; it lives as long as
 * *ret_client is open. Else an exit code, after the reason was printed. news may be NULL.
 */
int command_call(const struct options *options, Control__Request *request, client_news_fn news,
        void *arg, struct client **ret_client, const Control__Reply **ret_reply);
