/*
 * Jobs as a person meets them: progress on stderr while it is a terminal, the outcome on
 * stdout, causes and remedies on stderr, and the exit code that its end has in
 * proto/words/exits.def.
 */
#include "ctl/job/job.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "ctl/base/base.h"
#include "ctl/base/exits.h"
#include "ctl/base/text.h"
#include "ctl/sign/control.h"
#include "ctl/sign/pairing.h"

/* The words of proto/words/jobs.def; `?` for a state that only a newer lud knows. */
const char *job_state_text(Control__JobState state)
{
	switch (state) {
#define JOB_STATE(name, number, word, class)                                                       \
	case CONTROL__JOB_STATE__JOB_STATE_##name:                                                 \
		return word;
#include "proto/words/jobs.def"
#undef JOB_STATE
	case CONTROL__JOB_STATE__JOB_STATE_NONE:
	case _CONTROL__JOB_STATE_IS_INT_SIZE:
		break;
	}
	return "?";
}

const char *job_kind_text(Control__JobKind kind)
{
	switch (kind) {
#define JOB_KIND(name, number, word, priority)                                                     \
	case CONTROL__JOB_KIND__JOB_KIND_##name:                                                   \
		return word;
#include "proto/words/jobs.def"
#undef JOB_KIND
	case CONTROL__JOB_KIND__JOB_KIND_NONE:
	case _CONTROL__JOB_KIND_IS_INT_SIZE:
		break;
	}
	return "?";
}

char *job_wait_text(const Control__Job *job, char ret_text[JOB_WAIT_SIZE])
{
	bool is_put_off = job->state == CONTROL__JOB_STATE__JOB_STATE_HELD ||
	                  job->state == CONTROL__JOB_STATE__JOB_STATE_SCHEDULED;
	char until[TEXT_SIZE], look[TEXT_SIZE];
	int len;

	*ret_text = '\0';
	if (!*job->waits_for) {
		return ret_text;
	}
	len = snprintf(ret_text, JOB_WAIT_SIZE, "%s%s, until %s", is_put_off ? "" : "waits for ",
	        job->waits_for, text_time(job->deadline_us, until));
	if (job->next_look_us < job->deadline_us && len < JOB_WAIT_SIZE) {
		snprintf(ret_text + len, JOB_WAIT_SIZE - (size_t)len, "; looked at again at %s",
		        text_time(job->next_look_us, look));
	}
	return ret_text;
}

/*
 * The reason of a failure on stderr: who, in which step, what, and the remedy. A job without a
 * cause may still have a remark, such as a confirm that was not possible.
 */
static void job_print_cause(const Control__Job *job)
{
	const char *subject = *job->service ? job->service : job->machine;
	const Wire__Cause *cause = job->cause;

	if (!cause) {
		if (*job->hint) {
			fprintf(stderr, "luctl: %s: %s\n", subject, job->hint);
		}
		return;
	}
	fprintf(stderr, "luctl: %s: ", subject);
	if (job->id) {
		fprintf(stderr, "%s%sin step %s: ",
		        strcmp(cause->component, subject) != 0 ? cause->component : "",
		        strcmp(cause->component, subject) != 0 ? " " : "", cause->step);
	}
	fprintf(stderr, "%s (%s)\n", cause->message, cause->name);
	if (*cause->element) {
		fprintf(stderr, "       state element %s, value 0x%" PRIx64 "\n", cause->element,
		        cause->value);
	}
	if (*job->hint) {
		fprintf(stderr, "       %s\n", job->hint);
	}
}

static bool job_has_lost(const Control__Job *job, const char *field)
{
	for (size_t i = 0; i < job->n_lost; i++) {
		if (!strcmp(job->lost[i], field)) {
			return true;
		}
	}
	return false;
}

/* A restart moves no state and has no layout of its own: nothing to tell. */
static void job_print_result(const Control__Job *job)
{
	const Machine__Result *result = job->result;
	bool by_machine = result->commitment.len || job_has_lost(job, "commitment");
	char where[64], blackout[TEXT_SIZE], bytes[TEXT_SIZE];

	if (!result->base_address && !by_machine) {
		return;
	}
	/* Where the machine made the layout nobody outside is told where it lies. */
	snprintf(where, sizeof(where), "base 0x%" PRIx64, result->base_address);
	printf("  %s, blackout %s, %s of state in %" PRIu64 " objects, %" PRIu64 " pages\n",
	        by_machine ? "layout by the machine" : where,
	        text_nsec(result->blackout_ns, blackout), text_bytes(result->bytes, bytes),
	        result->objects, result->pages);
	pairing_print_removed("  ", result);
}

/* What was ordered runs. */
static bool job_is_done(const Control__Job *job)
{
	return job->state == CONTROL__JOB_STATE__JOB_STATE_CONFIRMED ||
	       job->state == CONTROL__JOB_STATE__JOB_STATE_COMMITTED;
}

/* What was found out before: of what is over, only what the machine did not say itself. */
static void job_print_pairing(const Control__Job *job)
{
	char consent[128];

	if (job->consent.len) {
		consent_text(job, consent);
		printf("  consent %s\n", consent);
	}
	if (!job->pairing) {
		return;
	}
	if (job_is_done(job)) {
		pairing_print(stdout, "  ", job->pairing, PAIRING_INITIAL);
	} else if (job->state == CONTROL__JOB_STATE__JOB_STATE_PREPARED) {
		pairing_print(stdout, "  ", job->pairing, PAIRING_ALL);
	} else if (job->state == CONTROL__JOB_STATE__JOB_STATE_REFUSED) {
		pairing_print(stderr, "       ", job->pairing, PAIRING_LOSS);
	}
}

static void job_print_generations(uint64_t from, uint64_t to)
{
	if (to) {
		printf(", generation %" PRIu64 " -> %" PRIu64, from, to);
	}
	puts(")");
}

/*
 * The outcome in one line, in a form that is the same for every kind of job. The generations are
 * those before and after it; a job that was over before a layout was drawn has none. What was refused
 * at once became no job.
 */
static void job_print_line(const Control__Job *job)
{
	printf("%s: %s %s", *job->service ? job->service : job->machine, job_kind_text(job->kind),
	        job_state_text(job->state));
	if (!job->id) {
		putchar('\n');
		return;
	}
	printf(" (job %" PRIu64, job->id);
	job_print_generations(job->from_generation, job->generation);
}

/* Each job that it asked for, as those of a set, there and back, behind what became of the whole. */
static void job_print_children(const Control__Job *job)
{
	for (size_t i = 0; i < job->n_children; i++) {
		const Control__JobChild *child = job->children[i];

		printf("  %s: %s %s (job %" PRIu64, child->service, job_kind_text(child->kind),
		        job_state_text(child->state), child->job);
		job_print_generations(child->from_generation, child->generation);
	}
}

/* What stands behind its line and its children. */
static void job_print_rest(const Control__Job *job)
{
	if (job->result && job_is_done(job)) {
		job_print_result(job);
	}
	for (size_t i = 0; i < job->n_lost; i++) {
		printf("  %s of the result: unknown (lost in recovery)\n", job->lost[i]);
	}
	if (job->state != CONTROL__JOB_STATE__JOB_STATE_REFUSED) {
		job_print_pairing(job);
	}
	fflush(stdout);
	job_print_cause(job);
	if (job->state == CONTROL__JOB_STATE__JOB_STATE_REFUSED) {
		job_print_pairing(job);
	}
}

/* In its place, where nothing was ordered. */
static bool job_print_skipped(const Control__Job *job)
{
	if (job->state != CONTROL__JOB_STATE__JOB_STATE_SKIPPED) {
		return false;
	}
	printf("%s: skipped: %s\n", job->service, job->cause ? job->cause->message : "?");
	return true;
}

void job_print(const Control__Job *job)
{
	if (!job_print_skipped(job)) {
		job_print_line(job);
		job_print_children(job);
		job_print_rest(job);
	}
}

void job_print_alone(const Control__Job *job)
{
	if (!job_print_skipped(job)) {
		job_print_line(job);
		job_print_rest(job);
	}
}

void job_progress_init(struct job_progress *progress, const struct options *options,
        const Control__Request *asked, bool many)
{
	progress->shown = isatty(STDERR_FILENO) && !options->json;
	progress->many = many;
	progress->is_watched = false;
	progress->options = options;
	progress->asked = asked;
	progress->declined = false;
	progress->n_done = 0;
}

/* One of several jobs ended: its outcome replaces the line of progress. */
static void job_progress_finished(struct job_progress *progress, const Control__Job *job)
{
	progress->n_done++;
	if (progress->many) {
		fputs("\r\033[K", stderr);
		job_print(job);
	}
}

/*
 * A message of lud while a job runs. Notices and proposals are handled whether progress is
 * shown or not: a notice says why nothing happens, and a proposal waits for a signature.
 */
void job_on_news(const Control__FromLud *from, void *arg)
{
	struct job_progress *progress = arg;
	const Control__Progress *news = from->progress;

	if (from->body_case != CONTROL__FROM_LUD__BODY_PROGRESS) {
		return;
	}
	if (*news->notice) {
		fprintf(stderr, "%sluctl: job %" PRIu64 ": %s\n", progress->shown ? "\r\033[K" : "",
		        news->job, news->notice);
		return;
	}
	if (news->proposal && !progress->is_watched &&
	        !control_sign(progress->options, progress->asked, news)) {
		progress->declined = true;
	}
	if (!progress->shown) {
		return;
	}
	if (news->finished) {
		job_progress_finished(progress, news->finished);
		return;
	}
	fprintf(stderr, "\r\033[K%s: %s", *news->service ? news->service : "machine", news->step);
	if (news->total) {
		fprintf(stderr, " %" PRIu64 "%%", news->done * 100 / news->total);
	}
	if (*news->text) {
		fprintf(stderr, " (%s)", news->text);
	}
}

void job_progress_end(struct job_progress *progress)
{
	if (progress->shown) {
		fputs("\r\033[K", stderr);
	}
}

int job_judge(const Control__Job *job)
{
	enum ctl_exit code = exits_of_job(job);
	const Wire__Cause *cause = job->cause;

	if (code == CTL_OK) {
		return code;
	}
	return ctl_fail_as(&(struct ctl_fault){code, *job->service ? job->service : job->machine,
	                           cause ? cause->message : job_state_text(job->state), job->hint,
	                           cause ? cause->name : "", job->id},
	        true);
}

int job_outcome(const struct job_progress *progress, const Control__Job *job)
{
	bool declined = progress->declined && job->state == CONTROL__JOB_STATE__JOB_STATE_FAILED;

	if (!progress->options->json && declined) {
		job_print_line(job);
	} else if (!progress->options->json) {
		job_print(job);
	}
	return declined ? CTL_TRUST : job_judge(job);
}
