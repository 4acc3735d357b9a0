#pragma once
/*
 * Jobs as exit codes and words, and progress while they run.
 */
#include <stdbool.h>
#include <stddef.h>

#include "ctl/cmdline/cmdline.h"
#include "proto/control/control.pb-c.h"

/* Print what became of it: a line or a few on stdout, the cause of a failure on stderr. */
void job_print(const Control__Job *job);
/* The same without the jobs that it asked for, for whoever shows these otherwise. */
void job_print_alone(const Control__Job *job);
/* The exit code of what became of it, which is noted as a failure for --json; prints nothing. */
int job_judge(const Control__Job *job);
/* Words for people; "?" for what this luctl does not know. */
const char *job_state_text(Control__JobState state);
const char *job_kind_text(Control__JobKind kind);
#define JOB_WAIT_SIZE 320
/* What an open job waits for, and until when it does; "": it does not. Returns ret_text. */
char *job_wait_text(const Control__Job *job, char ret_text[JOB_WAIT_SIZE]);

/*
 * What is known of the jobs of one request while it is waited for. Belongs to the command, which
 * hands it to command_call() with job_on_news():
 *
 *     job_progress_init -> job_on_news, any number of times -> job_progress_end -> job_outcome
 */
struct job_progress {
	bool shown;      /* stderr is a terminal and nobody asked for JSON */
	bool is_watched; /* somebody else's: nothing is signed */
	bool many;       /* several jobs: each is printed when it ends */
	bool declined;   /* an order was not signed, and the reason was printed */
	size_t n_done;   /* jobs that ended, of many */
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
 * because luctl did not sign its order is CTL_TRUST, and the reason is not printed again.
 */
int job_outcome(const struct job_progress *progress, const Control__Job *job);
