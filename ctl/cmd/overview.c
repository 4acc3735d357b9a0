/*
 * The head of `luctl status`. Its first line is read by somebody who was woken up: whether anything is wrong, and if it is
 * one thing, what, where and since when. It says `well` of nothing that was not heard from: lud counts a machine so only
 * if it answers and all its services run, and everything that is wrong is a row of one list.
 */
#include "ctl/cmd/overview.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "ctl/base/base.h"
#include "ctl/base/text.h"
#include "ctl/base/tone.h"

#define OVERVIEW_USEC INT64_C(1000000)

static int64_t overview_now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * OVERVIEW_USEC + now.tv_nsec / 1000;
}

/* "since 14:02 (41 s)"; "" where it is not known. */
static const char *overview_since(const Control__Amiss *row, char ret_text[2 * TEXT_SIZE])
{
	int64_t now = overview_now_usec();
	char clock[TEXT_SIZE], age[TEXT_SIZE];

	*ret_text = '\0';
	if (row->since_us) {
		snprintf(ret_text, 2 * TEXT_SIZE, " since %s (%s)",
		        text_clock(row->since_us, now, clock),
		        text_age(now > row->since_us ? text_between(row->since_us, now) : 0, age));
	}
	return ret_text;
}

/* " in 6 days"; " 3 h ago". */
static const char *overview_ends(const Control__Amiss *row, char ret_text[2 * TEXT_SIZE])
{
	int64_t left = text_between(overview_now_usec(), row->ends_us);
	char age[TEXT_SIZE];

	*ret_text = '\0';
	if (row->ends_us && row->within_days) {
		snprintf(ret_text, 2 * TEXT_SIZE, " in %s", text_age(left > 0 ? left : 0, age));
	} else if (row->ends_us && left < 0) {
		snprintf(ret_text, 2 * TEXT_SIZE, " %s ago", text_age(-left, age));
	} else if (row->ends_us) {
		snprintf(ret_text, 2 * TEXT_SIZE, " until %s", text_time(row->ends_us, age));
	}
	return ret_text;
}

/* How the machines are, in words, where none is wrong. */
static void overview_machines(const Control__Overview *view, const char *name)
{
	uint32_t n = view->machines;

	if (!n) {
		fputs("There is no machine yet: `luctl machine start NAME` makes one", stdout);
	} else if (view->machines_well == n && n == 1) {
		printf("Machine %s runs what it should", *name ? name : "1");
	} else if (view->machines_well == n) {
		printf("All %u machines run what they should", n);
	} else {
		printf("%u of %u machines run%s what %s should", view->machines_well, n,
		        view->machines_well == 1 ? "s" : "",
		        view->machines_well == 1 ? "it" : "they");
		if (view->machines_stopped) {
			printf(", %u stopped by request", view->machines_stopped);
		}
		if (view->machines_coming) {
			printf(", %u not heard yet", view->machines_coming);
		}
	}
}

/* What of the work is not done. */
static void overview_jobs(const Control__Overview *view)
{
	uint32_t n_run =
	        view->jobs_open > view->jobs_waiting ? view->jobs_open - view->jobs_waiting : 0;

	if (!view->jobs_open) {
		fputs("; nothing waits", stdout);
		return;
	}
	if (n_run) {
		printf("; %u job%s under way", n_run, n_run == 1 ? " is" : "s are");
	}
	if (view->jobs_waiting) {
		printf("; %u job%s", view->jobs_waiting,
		        view->jobs_waiting == 1 ? " waits" : "s wait");
	}
}

/* The worst thing in the words of the first line: without what is in brackets, which the list has. */
static void overview_worst(const Control__Amiss *row, uint32_t n_wrong)
{
	char since[2 * TEXT_SIZE], ends[2 * TEXT_SIZE];
	size_t len = strcspn(row->text, "(");

	while (len && row->text[len - 1] == ' ') {
		len--;
	}
	printf("%s %.*s%s%s", row->subject, (int)len, row->text, overview_since(row, since),
	        overview_ends(row, ends));
	if (n_wrong > 1) {
		printf("; %u more thing%s wrong", n_wrong - 1, n_wrong == 2 ? " is" : "s are");
	} else {
		fputs("; nothing else is wrong", stdout);
	}
}

/*
 * The first line. What is wrong comes before what is well, and only one thing of it: who reads it looks there first, and
 * the list is below. A key that ends soon is added to it as long as nothing is wrong.
 */
static void overview_sentence(const Control__Overview *view, const char *name)
{
	const Control__Amiss *first = view->n_amiss ? view->amiss[0] : NULL;
	char ends[2 * TEXT_SIZE];

	if (first && first->level == CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG) {
		tone_begin(stdout, TONE_WRONG);
		overview_worst(first, view->wrong);
	} else {
		tone_begin(stdout, view->machines_well == view->machines ? TONE_WELL : TONE_NOTE);
		overview_machines(view, name);
		overview_jobs(view);
		if (first && first->level == CONTROL__AMISS_LEVEL__AMISS_LEVEL_SOON) {
			printf("; %s %s%s", first->subject, first->text,
			        overview_ends(first, ends));
		}
	}
	tone_end(stdout);
	puts(".");
}

/* Whose word it is, in words: what a machine said is not what lud sees. */
static const char *overview_source(Control__Source source)
{
	switch (source) {
	case CONTROL__SOURCE__SOURCE_MACHINE:
		return "the machine says so";
	case CONTROL__SOURCE__SOURCE_MEMORY:
		return "lud sees it";
	case CONTROL__SOURCE__SOURCE_RECORD:
		return "from lud's record";
	case CONTROL__SOURCE__SOURCE_NONE:
	case _CONTROL__SOURCE_IS_INT_SIZE:
		break;
	}
	return "nobody knows from where";
}

/* In whole seconds; an age that no clock can have is the longest there is. */
static int64_t overview_age_us(uint64_t age_ms)
{
	return age_ms / 1000 < (uint64_t)(INT64_MAX / OVERVIEW_USEC)
	               ? (int64_t)(age_ms / 1000) * OVERVIEW_USEC
	               : INT64_MAX;
}

/* One thing: what, since when, until when, from whom, how old; then what to do about it. */
static void overview_row(const Control__Amiss *row)
{
	bool is_wrong = row->level == CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG;
	char since[2 * TEXT_SIZE], ends[2 * TEXT_SIZE], age[TEXT_SIZE];

	tone_begin(stdout, is_wrong ? TONE_WRONG : TONE_NOTE);
	printf("  %s", is_wrong ? "wrong: " : "note:  ");
	tone_end(stdout);
	printf("%s %s%s%s; %s", row->subject, row->text, overview_since(row, since),
	        overview_ends(row, ends), overview_source(row->source));
	if (row->age_ms) {
		printf(", %s ago", text_age(overview_age_us(row->age_ms), age));
	}
	putchar('\n');
	if (*row->remedy) {
		printf("         %s\n", row->remedy);
	}
}

void overview_print(const Control__Overview *view, const char *name)
{
	if (!view) {
		return; /* of a lud of before */
	}
	overview_sentence(view, name);
	for (size_t i = 0; i < view->n_amiss; i++) {
		overview_row(view->amiss[i]);
	}
	if (view->left_out) {
		printf("  and %u more\n", view->left_out);
	}
}
