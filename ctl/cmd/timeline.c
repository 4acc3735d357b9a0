/*
 * Two panels, each with a scale of its own: a step of lud takes some milliseconds or some minutes, and what the machine does in the
 * midst of it microseconds. Steps are where they were in time; the machine's phases follow one upon the other, as it measured them.
 * What took no time to be seen is a pixel wide. A step that is not over ends with the picture.
 *
 * All of it is lud's and the machine's word: times may be in any order and of any size, names are no markup (svg_words()).
 */
#include "ctl/cmd/timeline.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "ctl/base/svg.h"
#include "ctl/base/text.h"

#define TIMELINE_LEFT 130.0
#define TIMELINE_WIDTH 600.0
#define TIMELINE_ROW 22.0
#define TIMELINE_TOP 50.0
#define TIMELINE_ROWS_MAX 64u /* of a panel; a job that went back and forth may have more steps */

/* One bar: nanoseconds from the begin of its panel. */
struct timeline_row {
	const char *name, *detail;
	uint64_t from_ns, until_ns;
	bool is_bad;
};

struct timeline_panel {
	const char *title;
	struct timeline_row rows[TIMELINE_ROWS_MAX];
	size_t n;
	uint64_t end_ns;
};

/* Since the job was asked for; what was before is at its begin. */
static uint64_t timeline_since(const Control__Job *job, int64_t when_us)
{
	int64_t passed = text_between(job->created_us, when_us);

	return passed <= 0 ? 0 : passed > INT64_MAX / 1000 ? INT64_MAX : (uint64_t)passed * 1000;
}

#define TIMELINE_OPEN UINT64_MAX /* ->until_ns of what is not over */

/* What there is no room for is left out. */
static void timeline_add(struct timeline_panel *panel, const struct timeline_row *row)
{
	if (panel->n < TIMELINE_ROWS_MAX) {
		panel->rows[panel->n++] = *row;
	}
}

/* The panel ends with the last that is known, and what is open ends with the panel. */
static void timeline_end(struct timeline_panel *panel)
{
	for (size_t i = 0; i < panel->n; i++) {
		struct timeline_row *row = &panel->rows[i];
		uint64_t known = row->until_ns == TIMELINE_OPEN ? row->from_ns : row->until_ns;

		panel->end_ns = known > panel->end_ns ? known : panel->end_ns;
	}
	for (size_t i = 0; i < panel->n; i++) {
		struct timeline_row *row = &panel->rows[i];

		row->until_ns = row->until_ns == TIMELINE_OPEN ? panel->end_ns : row->until_ns;
	}
}

/* In the order in which they began, each as often as it was tried. */
static void timeline_steps(struct timeline_panel *panel, const Control__Job *job)
{
	panel->end_ns = timeline_since(job, job->ended_us);
	for (size_t i = 0; i < job->n_steps; i++) {
		const Control__JobStep *step = job->steps[i];
		struct timeline_row row = {.name = step->name,
		        .detail = step->detail,
		        .from_ns = timeline_since(job, step->started_us),
		        .until_ns = step->ended_us ? timeline_since(job, step->ended_us)
		                                   : TIMELINE_OPEN,
		        .is_bad = !strcmp(step->state, "failed")};

		/* The clock was set back meanwhile. */
		row.until_ns = row.until_ns < row.from_ns ? row.from_ns : row.until_ns;
		timeline_add(panel, &row);
	}
	timeline_end(panel);
}

/* Times that do not fit into 64 bits together are none that a machine measured: they end at the end. */
static void timeline_phases(struct timeline_panel *panel, const Machine__Result *result)
{
	uint64_t at = 0;

	for (size_t i = 0; i < result->n_phases; i++) {
		struct timeline_row row = {
		        .name = result->phases[i]->name, .detail = "", .from_ns = at};

		if (__builtin_add_overflow(at, result->phases[i]->ns, &at) || at > INT64_MAX) {
			at = INT64_MAX;
		}
		row.until_ns = at;
		timeline_add(panel, &row);
	}
	timeline_end(panel);
}

/* From the begin of its panel at the left to its end at the right. */
static double timeline_x(const struct timeline_panel *panel, uint64_t ns)
{
	return TIMELINE_LEFT +
	       TIMELINE_WIDTH * (double)ns / (double)(panel->end_ns ? panel->end_ns : 1);
}

/* Its name to the left, its bar in its place, how long it took to the right; what more is known is told to who points at it. */
static void timeline_row(
        FILE *to, const struct timeline_panel *panel, const struct timeline_row *row, double y)
{
	double x = timeline_x(panel, row->from_ns), width = timeline_x(panel, row->until_ns) - x;
	char took[TEXT_SIZE];

	svg_text(to, (const double[]){TIMELINE_LEFT - 8, y + 12}, "end", "", row->name);
	fprintf(to, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\"><title>",
	        row->is_bad ? "failed" : "bar", x, y + 1, width < 1 ? 1 : width);
	svg_words(to, row->name);
	fputs(*row->detail ? ": " : "", to);
	svg_words(to, row->detail);
	fputs("</title></rect>\n", to);
	svg_text(to, (const double[]){TIMELINE_LEFT + TIMELINE_WIDTH + 8, y + 12}, "start", "dim",
	        text_nsec(row->until_ns - row->from_ns, took));
}

/* Returns where the next panel may begin. */
static double timeline_panel(FILE *to, const struct timeline_panel *panel, double y)
{
	double bottom = y + 16 + TIMELINE_ROW * (double)panel->n;
	char end[TEXT_SIZE];

	svg_text(to, (const double[]){TIMELINE_LEFT, y + 4}, "start", "", panel->title);
	for (int i = 0; i < 5; i++) {
		fprintf(to, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n",
		        TIMELINE_LEFT + TIMELINE_WIDTH / 4 * i, y + 12, bottom);
	}
	for (size_t i = 0; i < panel->n; i++) {
		timeline_row(to, panel, &panel->rows[i], y + 14 + TIMELINE_ROW * (double)i);
	}
	fprintf(to, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", TIMELINE_LEFT, bottom,
	        TIMELINE_LEFT + TIMELINE_WIDTH);
	svg_text(to, (const double[]){TIMELINE_LEFT, bottom + 16}, "start", "dim", "0");
	svg_text(to, (const double[]){TIMELINE_LEFT + TIMELINE_WIDTH, bottom + 16}, "end", "dim",
	        text_nsec(panel->end_ns, end));
	return bottom + 44;
}

void timeline_write(FILE *to, const char *title, const Control__Job *job)
{
	char machine[200], blackout[TEXT_SIZE];
	struct timeline_panel lud = {.title = "what lud did"}, rs = {.title = machine};

	timeline_steps(&lud, job);
	if (job->result) {
		timeline_phases(&rs, job->result);
		snprintf(machine, sizeof(machine),
		        "what the machine did in the step run; the service was gone for %s",
		        text_nsec(job->result->blackout_ns, blackout));
	}
	svg_begin(to, 860,
	        (int)(TIMELINE_TOP + 60 + TIMELINE_ROW * (double)lud.n +
	                (rs.n ? 60 + TIMELINE_ROW * (double)rs.n : 0)),
	        ".bar{fill:#1f77b4}.failed{fill:#d62728}");
	svg_text(to, (const double[]){TIMELINE_LEFT, 26}, "start", "", title);
	if (rs.n) {
		timeline_panel(to, &rs, timeline_panel(to, &lud, TIMELINE_TOP));
	} else {
		timeline_panel(to, &lud, TIMELINE_TOP);
	}
	svg_end(to);
}
