/* Pictures of hostile names, of nothing, and of one point: markup stays ours, numbers stay numbers. */
#undef NDEBUG
#include "ctl/cmd/graph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The picture; the caller frees. */
static char *picture(struct graph_point *points, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert(to);
	graph_write(to, "a \"title\" & <more>", points, n);
	assert(fclose(to) == 0);
	return text;
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++) {
		n++;
	}
	return n;
}

static void test_hostile(void)
{
	struct graph_point points[] = {
	        {"<script>&\"'\x1b\x80", 2, 2000000, 5000, false, "]]></title><x/>"},
	        {"ds", 1, 1000000, UINT64_MAX, true, "\x01 & <b>"},
	        {"ds", 3, 3000000, 1, false, ""},
	};
	char *text = picture(points, 3);

	assert(!strstr(text, "<script") && !strstr(text, "<x/>") && !strstr(text, "<b>"));
	assert(strstr(text, "&lt;script&gt;&amp;&quot;'??") && strstr(text, "&lt;/title&gt;"));
	assert(count(text, "<circle") == 2 && count(text, "class=\"incident\"") == 1);
	assert(!strstr(text, "nan") && !strstr(text, "inf") && strstr(text, "did not come to run"));
	for (const char *at = text; *at; at++) {
		assert((*at >= ' ' && *at < 0x7f) || *at == '\n');
	}
	free(text);
}

/* Of four, half are up to the second, and 99 % up to the last; decades beyond them are not drawn. */
static void test_blackouts(void)
{
	struct graph_point points[] = {{"ds", 1, 1, 4000000, false, ""},
	        {"ds", 2, 2, 1000000, false, ""}, {"ds", 3, 3, 2000000, false, ""},
	        {"ds", 4, 4, 30000000, false, ""}};
	char *text = picture(points, 4);

	assert(strstr(text, "blackouts of 4 generations: half up to 2.00 ms, 99% up to 30.00 ms"));
	assert(strstr(text, ">1 ms<") && strstr(text, ">100 ms<") && !strstr(text, ">1 s<"));
	assert(!strstr(text, "did not come to run"));
	free(text);
}

/* In the order of time, whatever order they came in; the line goes from one to the next. */
static void test_order(void)
{
	struct graph_point points[] = {{"ds", 2, 200, 0, false, ""}, {"ds", 1, 100, 0, false, ""}};
	char *text = picture(points, 2);

	assert(points[0].number == 1 && strstr(text, "d=\"M60.0 180.0H640.0V50.0H640.0\""));
	assert(strstr(text, "no blackout is known"));
	free(text);
}

static void test_few(void)
{
	struct graph_point point = {"ds", 1, 100, 1000000, false, ""};
	char *text = picture(&point, 1);

	assert(count(text, "<circle") == 1 && count(text, "class=\"bar\"") == 1);
	assert(strstr(text, "blackouts of 1 generation: half up to 1.00 ms"));
	free(text);
	text = picture(NULL, 0);
	assert(strstr(text, "</svg>") && !strstr(text, "nan"));
	free(text);
}

static void test_many_services(void)
{
	struct graph_point *points = calloc(100, sizeof(*points));
	char *text;

	assert(points);
	for (int i = 0; i < 100; i++) {
		snprintf(points[i].service, sizeof(points[i].service), "s%d", i);
		points[i].number = 1;
		points[i].when_us = i;
	}
	text = picture(points, 100);
	assert(count(text, "class=\"line\"") == 24 && count(text, "<circle") == 100);
	free(text);
	free(points);
}

int main(void)
{
	test_hostile();
	test_blackouts();
	test_order();
	test_few();
	test_many_services();
	return 0;
}
