/* A service that does nothing useful, but has state of every shape. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shapes.h"

struct shape_record *head;
static struct shape_record first = {.kind = SHAPE_TEXT, .u.text = "first"};
const char *const words[] = {"one", "two", "world", "hello world"};
static int grid[3][5] STATE_NOTE("raw");
static int calls;
static int late_calls = 7;
struct shape_record *window[2] = {&first, &first + 1};
shape_function *table[] = {shape_grow, shape_shrink};
static const struct shape_limits limits = {1, 99};
const struct shape_limits *limit = &limits;
char big[5000] __attribute__((aligned(64)));

/* Their sections' names come close to those of constants. */
int r = 1, re = 2, rel = 3, relief = 4, rest = 5;

static int count(void)
{
	static int calls;

	return ++calls;
}

static int count_more(void)
{
	static int calls = 3;

	return calls += 2;
}

static void grow(void)
{
	struct shape_record *r = shape_new(struct shape_record);

	r->next = head;
	head = r;
	big[0] = *(char *)shape_new(char[16]);
	(void)shape_new(shape_function *);
}

void _start(void *info)
{
	for (;;) {
		calls += count() + count_more() + (int)strlen(words[calls & 3]);
		grid[calls % 3][late_calls % 5] = limit->high;
		table[calls & 1](&first);
		grow();
		rest += r++ + re++ + rel++ + relief++;
		window[0] = head;
		late_calls += shape_sum(window[1]);
	}
}
