/*
 * Numbers of generations rise by services, so each service has a line of its own, of steps: flat until the
 * next one runs. Its height is the number as a part of the highest in the picture. Times of blackouts span decades, so
 * their columns do, too: four to each decade.
 *
 * Names and causes are other people's words: nothing of them is markup (graph_text()).
 */
#include "ctl/cmd/graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/base/base.h"
#include "ctl/base/text.h"

#define GRAPH_LEFT 60.0
#define GRAPH_WIDTH 580.0
#define GRAPH_TOP 50.0
#define GRAPH_HEIGHT 260.0
#define GRAPH_BARS_TOP 390.0
#define GRAPH_BARS_HEIGHT 140.0
#define GRAPH_SERVICES_MAX 24u
#define GRAPH_PER_DECADE 4
#define GRAPH_COLUMNS 40 /* from 1 us on */

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

/* ASCII that XML may have, markup written out; of everything else that it was there. */
static void graph_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc(*text >= ' ' && *text < 0x7f ? *text : '?', to);
		}
	}
}

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
	return GRAPH_LEFT + GRAPH_WIDTH * (double)(when_us - graph->from_us) /
	                            (double)(graph->until_us - graph->from_us);
}

/* 0 at the bottom, the highest number at the top. */
static double graph_y(const struct graph *graph, uint64_t number)
{
	return GRAPH_TOP + GRAPH_HEIGHT * (1 - (double)number / (double)graph->highest);
}

/* Words of other people among them: see graph_text(). */
static void graph_label(
        const struct graph *graph, double x, double y, const char *anchor, const char *text)
{
	fprintf(graph->to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	graph_text(graph->to, text);
	fputs("</text>\n", graph->to);
}

/* Both pairs, with the ends of time and of numbers beside the upper one. */
static void graph_axes(const struct graph *graph)
{
	char from[TEXT_SIZE], until[TEXT_SIZE], highest[TEXT_SIZE];

	fprintf(graph->to,
	        "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n<path class=\"axis\" "
	        "d=\"M%.1f %.1fV%.1fH%.1f\"/>\n",
	        GRAPH_LEFT, GRAPH_TOP, GRAPH_TOP + GRAPH_HEIGHT, GRAPH_LEFT + GRAPH_WIDTH,
	        GRAPH_LEFT, GRAPH_BARS_TOP, GRAPH_BARS_TOP + GRAPH_BARS_HEIGHT,
	        GRAPH_LEFT + GRAPH_WIDTH);
	snprintf(highest, sizeof(highest), "%" PRIu64, graph->highest);
	graph_label(graph, GRAPH_LEFT - 6, GRAPH_TOP + 4, "end", highest);
	graph_label(graph, GRAPH_LEFT - 6, GRAPH_TOP + GRAPH_HEIGHT, "end", "0");
	if (graph->n) {
		graph_label(graph, GRAPH_LEFT, GRAPH_TOP + GRAPH_HEIGHT + 18, "start",
		        text_time(graph->from_us, from));
		graph_label(graph, GRAPH_LEFT + GRAPH_WIDTH, GRAPH_TOP + GRAPH_HEIGHT + 18, "end",
		        text_time(graph->until_us, until));
	}
}

/* One service: its steps, its points, and its name beside them. */
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
	fputs("\"/>\n", graph->to);
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
	graph_text(graph->to, point->text);
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

/*
 * The highest column is as high as there is room; the others are in proportion. Each says how many it is, and
 * every second decade is written below.
 */
static void graph_bars(const struct graph *graph, const uint64_t *blackouts, size_t n)
{
	size_t columns[GRAPH_COLUMNS] = {0}, most = 1;
	double width = GRAPH_WIDTH / GRAPH_COLUMNS;

	for (size_t i = 0; i < n; i++) {
		size_t count = ++columns[graph_column(blackouts[i])];

		most = count > most ? count : most;
	}
	for (size_t i = 0; i < GRAPH_COLUMNS; i++) {
		double height = GRAPH_BARS_HEIGHT * (double)columns[i] / (double)most;
		double x = GRAPH_LEFT + width * (double)i;
		char text[TEXT_SIZE];

		if (columns[i]) {
			fprintf(graph->to,
			        "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			        "height=\"%.1f\"><title>%zu</title></rect>\n",
			        x, GRAPH_BARS_TOP + GRAPH_BARS_HEIGHT - height, width - 1, height,
			        columns[i]);
		}
		if (i % (2 * GRAPH_PER_DECADE) == 0) {
			graph_label(graph, x, GRAPH_BARS_TOP + GRAPH_BARS_HEIGHT + 18, "start",
			        text_nsec((uint64_t)graph_column_ns(i), text));
		}
	}
}

/* Half and 99 % in words, since a column only says about where; then the columns. */
static void graph_blackouts(const struct graph *graph)
{
	uint64_t *blackouts = ctl_zero((graph->n + 1) * sizeof(*blackouts));
	char head[160], half[TEXT_SIZE], most[TEXT_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < graph->n; i++) {
		if (graph->points[i].blackout_ns) {
			blackouts[n++] = graph->points[i].blackout_ns;
		}
	}
	qsort(blackouts, n, sizeof(*blackouts), graph_by_size);
	snprintf(head, sizeof(head),
	        n ? "blackouts of %zu generations: half up to %s, 99%% up to %s"
	          : "no blackout is known",
	        n, text_nsec(n ? blackouts[n / 2] : 0, half),
	        text_nsec(n ? blackouts[(n - 1) * 99 / 100] : 0, most));
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
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "
	      "xmlns=\"http://www.w3.org/2000/svg\" "
	      "viewBox=\"0 0 800 580\" width=\"800\" height=\"580\">\n<style>text{font:12px "
	      "sans-serif;fill:#222}.axis{fill:none;stroke:#888}.line{fill:none;stroke-width:1.5}"
	      ".incident{fill:none;stroke:#d62728;stroke-width:2}.bar{fill:#1f77b4}</style>\n"
	      "<rect width=\"800\" height=\"580\" fill=\"#fff\"/>\n",
	        to);
	graph_label(&graph, GRAPH_LEFT, 28, "start", title);
	graph_axes(&graph);
	for (size_t i = 0; i < graph.n_services; i++) {
		graph_line(&graph, i);
	}
	for (size_t i = 0; i < n; i++) {
		graph_point(&graph, &points[i]);
	}
	graph_blackouts(&graph);
	fputs("</svg>\n", to);
}
