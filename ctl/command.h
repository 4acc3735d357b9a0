#pragma once
/* The commands of luctl, and what they share. */
#include "ctl/client.h"
#include "ctl/cmdline.h"

/* The commands, by the rows of ctl/commands.def. Each prints its answer and its errors, and returns an exit code. */
#define VERB(name, function, min, max, arguments, takes, summary)                                  \
	int cmd_##function(const struct options *options);
#include "ctl/commands.def"

/* control.c: the person's control key */
/* Whether it can be used on this host. */
bool control_is_at_hand(const struct options *options);
/*
 * Print what an order would do, sign it and send the signature to lud. False: it is not what was
 * asked for, or cannot be signed; the reason was printed, and lud was asked to end the job.
 */
bool control_sign(const struct options *options, const Control__Request *asked,
        const Control__Progress *news);

/* job.c: jobs as exit codes and words; progress while they run */
int job_exit(const Control__Job *job);
/* Prints what became of it: a line or a few on stdout, errors on stderr. */
void job_print(const Control__Job *job);
const char *job_state_text(Control__JobState state);
const char *job_kind_text(Control__JobKind kind);
struct job_progress {
	bool shown; /* stderr is a terminal and nobody asked for JSON */
	bool many;
	bool declined; /* an order was not signed, and the reason was printed */
	size_t n_done;
	uint64_t job; /* of the newest news; 0: none yet */
	const struct options *options;
	const Control__Request *asked; /* what the news is about */
};
void job_progress_init(struct job_progress *progress, const struct options *options,
        const Control__Request *asked, bool many);
void job_on_news(const Control__FromLud *from, void *progress);
void job_progress_end(struct job_progress *progress);
/*
 * Print what became of the job that was asked for, unless --json; its exit code. A job that failed
 * because luctl did not sign its order is CTL_KEYS, and the reason is not printed again.
 */
int job_outcome(const struct job_progress *progress, const Control__Job *job);

/* pairing.c: what an update takes over and loses */
#define PAIRING_LOSS                                                                               \
	(1u << CONTROL__FINDING_KIND__FINDING_LOST | 1u << CONTROL__FINDING_KIND__FINDING_AT_RISK)
#define PAIRING_INITIAL (1u << CONTROL__FINDING_KIND__FINDING_INITIAL)
#define PAIRING_ALL (~0u)
/* The findings of these kinds (bits), one a line. */
void pairing_print(
        FILE *to, const char *indent, const Control__Pairing *pairing, unsigned int kinds);
/* What the machine itself says of state that was lost, dropped, moved or copied. */
void pairing_print_removed(const char *indent, const Machine__Result *result);
/* "to loss, pairing ..., control key ..." */
void consent_text(const Control__Job *job, char ret_text[128]);

/* The directory of the keyring: --keys, or the usual place. The caller frees. */
char *command_keys(const struct options *options);

/*
 * Opens lud, asks, prints JSON when that is wanted. CTL_OK: *ret_reply is set, and
 * *ret_client must stay open while it is used; print it unless options->json.
 */
int command_call(const struct options *options, Control__Request *request, client_news_fn news,
        void *arg, struct client **ret_client, const Control__Reply **ret_reply);
