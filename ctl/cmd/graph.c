/*
 * Numbers of generations rise by services, so each service has a line of its own, of steps: flat until the
 * next one runs, and to the right edge behind the last. Its height is the number as a part of the highest in the picture.
 * Times of blackouts span decades, so their columns do, too: four to each decade, of the decades that there are.
 *
 * Names and causes are other people's words: nothing of them is markup (svg_words()).
 */
#include "ctl/cmd/graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/base/base.h"
#include "ctl/base/svg.h"
#include "ctl/base/text.h"

#define GRAPH_LEFT 60.0
#define GRAPH_WIDTH 580.0
#define GRAPH_TOP 50.0
#define GRAPH_HEIGHT 260.0
#define GRAPH_BARS_TOP 390.0
#define GRAPH_BARS_HEIGHT 140.0
#define GRAPH_SERVICES_MAX 24u
#define GRAPH_PER_DECADE 4
#define GRAPH_DECADES 10 /* from 1 us on */
#define GRAPH_COLUMNS (GRAPH_DECADES * GRAPH_PER_DECADE)

struct graph {
	FILE *to;
	const struct graph_point *points;
	size_t n;
	char services[GRAPH_SERVICES_MAX][32];
	size_t n_services;
	uint64_t highest;
	int64_t from_us, until_us;
};

static const char *const graph_colours[] = {
        "#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#17becf", "#bcbd22", "#7f7f7f"};

static const char *graph_colour(size_t service)
{
	return graph_colours[service % (sizeof(graph_colours) / sizeof(graph_colours[0]))];
}

static int graph_by_time(const void *a, const void *b)
{
	const struct graph_point *x = a, *y = b;

	return x->when_us < y->when_us ? -1 : x->when_us > y->when_us;
}

/* Services beyond those that there is room for are of the last line. */
static size_t graph_service(const struct graph *graph, const char *name)
{
	size_t i = 0;

	while (i + 1 < graph->n_services && strcmp(graph->services[i], name) != 0) {
		i++;
	}
	return i;
}

/*
 * What the scales need: which services, the highest number, the first and the last time. Points that are all
 * of one moment get a scale of a microsecond, so that nothing is divided by nothing.
 */
static void graph_learn(struct graph *graph)
{
	graph->highest = 1;
	graph->from_us = graph->n ? graph->points[0].when_us : 0;
	graph->until_us = graph->n ? graph->points[graph->n - 1].when_us : 1;
	if (graph->until_us == graph->from_us) {
		graph->until_us++;
	}
	for (size_t i = 0; i < graph->n; i++) {
		const struct graph_point *point = &graph->points[i];
		bool is_new = !graph->n_services ||
		              strcmp(graph->services[graph_service(graph, point->service)],
		                      point->service) != 0;

		if (is_new && graph->n_services < GRAPH_SERVICES_MAX) {
			snprintf(graph->services[graph->n_services++], sizeof(graph->services[0]),
			        "%s", point->service);
		}
		if (point->number > graph->highest) {
			graph->highest = point->number;
		}
	}
}

/* From the first decision at the left to the last at the right. */
static double graph_x(const struct graph *graph, int64_t when_us)
{
	return GRAPH_LEFT + GRAPH_WIDTH * (double)text_between(graph->from_us, when_us) /
	                            (double)text_between(graph->from_us, graph->until_us);
}

/* 0 at the bottom, the highest number at the top. */
static double graph_y(const struct graph *graph, uint64_t number)
{
	return GRAPH_TOP + GRAPH_HEIGHT * (1 - (double)number / (double)graph->highest);
}

static void graph_label(
        const struct graph *graph, double x, double y, const char *anchor, const char *text)
{
	svg_text(graph->to, (const double[]){x, y}, anchor, "", text);
}

/* A pair of axes, with what is highest at the upright one. */
static void graph_axes(const struct graph *graph, double top, double height, uint64_t highest)
{
	char text[TEXT_SIZE];

	fprintf(graph->to, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", GRAPH_LEFT, top,
	        top + height, GRAPH_LEFT + GRAPH_WIDTH);
	snprintf(text, sizeof(text), "%" PRIu64, highest);
	graph_label(graph, GRAPH_LEFT - 6, top + 9, "end", text);
	graph_label(graph, GRAPH_LEFT - 6, top + height, "end", "0");
}

/* Times below the upper picture: of the ends and of the middle, or of the one moment that there is. */
static void graph_times(const struct graph *graph)
{
	static const char *const anchors[] = {"start", "middle", "end"};
	int64_t span = text_between(graph->from_us, graph->until_us);

	for (int i = 0; graph->n && i < (span > 1 ? 3 : 1); i++) {
		double x = GRAPH_LEFT + GRAPH_WIDTH / 2 * i;
		char text[TEXT_SIZE];

		graph_label(graph, x, GRAPH_TOP + GRAPH_HEIGHT + 18, anchors[i],
		        text_time(graph->from_us + span / 2 * i, text));
		fprintf(graph->to, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, GRAPH_TOP,
		        GRAPH_TOP + GRAPH_HEIGHT);
	}
}

/* Behind the services: what the crosses are. */
static void graph_legend(const struct graph *graph)
{
	double y = GRAPH_TOP + 18.0 * (double)graph->n_services;

	for (size_t i = 0; i < graph->n; i++) {
		if (graph->points[i].is_incident) {
			fprintf(graph->to,
			        "<path class=\"cross\" d=\"M661 %.1fl8 8m0 -8l-8 8\"/>\n", y + 1);
			graph_label(graph, 676, y + 9, "start", "did not come to run");
			return;
		}
	}
}

/* One service: its steps, to the right edge, and its name beside them. */
static void graph_line(const struct graph *graph, size_t service)
{
	const char *colour = graph_colour(service);
	bool is_first = true;

	fprintf(graph->to, "<path class=\"line\" stroke=\"%s\" d=\"", colour);
	for (size_t i = 0; i < graph->n; i++) {
		const struct graph_point *point = &graph->points[i];

		if (point->is_incident || graph_service(graph, point->service) != service) {
			continue;
		}
		fprintf(graph->to, is_first ? "M%.1f %.1f" : "H%.1fV%.1f",
		        graph_x(graph, point->when_us), graph_y(graph, point->number));
		is_first = false;
	}
	fprintf(graph->to, is_first ? "\"/>\n" : "H%.1f\"/>\n", GRAPH_LEFT + GRAPH_WIDTH);
	fprintf(graph->to, "<rect x=\"660\" y=\"%.1f\" width=\"10\" height=\"10\" fill=\"%s\"/>\n",
	        GRAPH_TOP + 18.0 * (double)service, colour);
	graph_label(graph, 676, GRAPH_TOP + 9 + 18.0 * (double)service, "start",
	        graph->services[service]);
}

/* What ran is a dot, what did not a cross; each says what it was. */
static void graph_point(const struct graph *graph, const struct graph_point *point)
{
	double x = graph_x(graph, point->when_us), y = graph_y(graph, point->number);

	if (point->is_incident) {
		fprintf(graph->to,
		        "<path class=\"incident\" d=\"M%.1f %.1fl8 8m0 -8l-8 8\"><title>", x - 4,
		        y - 4);
	} else {
		fprintf(graph->to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"><title>",
		        x, y, graph_colour(graph_service(graph, point->service)));
	}
	svg_words(graph->to, point->text);
	fputs(point->is_incident ? "</title></path>\n" : "</title></circle>\n", graph->to);
}

static int graph_by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* From where on a blackout is in this column. */
static double graph_column_ns(size_t column)
{
	static const double steps[GRAPH_PER_DECADE] = {1, 1.778, 3.162, 5.623};
	double ns = 1000 * steps[column % GRAPH_PER_DECADE];

	for (size_t i = 0; i < column / GRAPH_PER_DECADE; i++) {
		ns *= 10;
	}
	return ns;
}

/* The column of a blackout; the first and the last have what is outside, too. */
static size_t graph_column(uint64_t ns)
{
	size_t column = 0;

	while (column + 1 < GRAPH_COLUMNS && (double)ns >= graph_column_ns(column + 1)) {
		column++;
	}
	return column;
}

/* The decades in which there are any, at least one: the first of them, and the one behind the last. */
static void graph_decades(const size_t *columns, size_t *ret_first, size_t *ret_end)
{
	*ret_first = GRAPH_DECADES;
	*ret_end = 0;
	for (size_t i = 0; i < GRAPH_COLUMNS; i++) {
		if (columns[i]) {
			*ret_end = i / GRAPH_PER_DECADE + 1;
			*ret_first = *ret_first < *ret_end ? *ret_first : *ret_end - 1;
		}
	}
	if (!*ret_end) {
		*ret_first = 3;
		*ret_end = 4;
	}
}

/*
 * The highest column is as high as there is room; the others are in proportion. Each says how many it is; below are the
 * decades.
 */
static void graph_bars(const struct graph *graph, const uint64_t *blackouts, size_t n)
{
	static const char *const names[] = {"1 us", "10 us", "100 us", "1 ms", "10 ms", "100 ms",
	        "1 s", "10 s", "100 s", "1000 s", "10000 s"};
	size_t columns[GRAPH_COLUMNS] = {0}, most = 1, first, end;
	double width;

	for (size_t i = 0; i < n; i++) {
		size_t count = ++columns[graph_column(blackouts[i])];

		most = count > most ? count : most;
	}
	graph_decades(columns, &first, &end);
	width = GRAPH_WIDTH / (double)((end - first) * GRAPH_PER_DECADE);
	for (size_t i = first * GRAPH_PER_DECADE; i < end * GRAPH_PER_DECADE; i++) {
		double height = GRAPH_BARS_HEIGHT * (double)columns[i] / (double)most;
		double x = GRAPH_LEFT + width * (double)(i - first * GRAPH_PER_DECADE);

		if (columns[i]) {
			fprintf(graph->to,
			        "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			        "height=\"%.1f\"><title>%zu</title></rect>\n",
			        x + 1, GRAPH_BARS_TOP + GRAPH_BARS_HEIGHT - height, width - 1,
			        height, columns[i]);
		}
	}
	for (size_t i = first; i <= end; i++) {
		graph_label(graph, GRAPH_LEFT + width * (double)((i - first) * GRAPH_PER_DECADE),
		        GRAPH_BARS_TOP + GRAPH_BARS_HEIGHT + 18, "middle", names[i]);
	}
	graph_axes(graph, GRAPH_BARS_TOP, GRAPH_BARS_HEIGHT, most);
}

/* The smallest that so many percent of them do not exceed; sorted, and at least one. */
static uint64_t graph_percent(const uint64_t *sorted, size_t n, size_t percent)
{
	return sorted[(n * percent + 99) / 100 - 1];
}

/* Half and 99 % in words, since a column only says about where; then the columns. */
static void graph_blackouts(const struct graph *graph)
{
	uint64_t *blackouts = ctl_zero((graph->n + 1) * sizeof(*blackouts));
	char head[160] = "no blackout is known", half[TEXT_SIZE], most[TEXT_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < graph->n; i++) {
		if (graph->points[i].blackout_ns) {
			blackouts[n++] = graph->points[i].blackout_ns;
		}
	}
	qsort(blackouts, n, sizeof(*blackouts), graph_by_size);
	if (n) {
		snprintf(head, sizeof(head),
		        "blackouts of %zu generation%s: half up to %s, 99%% up to %s", n,
		        n == 1 ? "" : "s", text_nsec(graph_percent(blackouts, n, 50), half),
		        text_nsec(graph_percent(blackouts, n, 99), most));
	}
	graph_label(graph, GRAPH_LEFT, GRAPH_BARS_TOP - 14, "start", head);
	graph_bars(graph, blackouts, n);
	free(blackouts);
}

void graph_write(FILE *to, const char *title, struct graph_point *points, size_t n)
{
	struct graph graph = {.to = to, .points = points, .n = n};

	if (n) {
		qsort(points, n, sizeof(*points), graph_by_time);
	}
	graph_learn(&graph);
	svg_begin(to, 860, 580,
	        ".line{fill:none;stroke-width:1.5}.incident,.cross{fill:none;stroke:#d62728;"
	        "stroke-width:2}.bar{fill:#1f77b4}");
	graph_label(&graph, GRAPH_LEFT, 28, "start", title);
	graph_times(&graph);
	graph_axes(&graph, GRAPH_TOP, GRAPH_HEIGHT, graph.highest);
	for (size_t i = 0; i < graph.n_services; i++) {
		graph_line(&graph, i);
	}
	for (size_t i = 0; i < n; i++) {
		graph_point(&graph, &points[i]);
	}
	graph_legend(&graph);
	graph_blackouts(&graph);
	svg_end(to);
}
