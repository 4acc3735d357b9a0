/* The other half of the test service: names that are used in main.c too. */
#include <stddef.h>
#include <stdint.h>

#include "shapes.h"

static int calls;
static const char *const words[] = {"one", "three"};

static int count(const struct shape_record *r)
{
	static long calls;

	calls += r->small.low;
	return (int)calls;
}

int shape_sum(const struct shape_record *r)
{
	calls++;
	return count(r) + calls + words[calls & 1][0];
}

void shape_grow(struct shape_record *r)
{
	r->small.low++;
}

void shape_shrink(struct shape_record *r)
{
	r->small.low--;
	r->next = shape_new(struct shape_record);
}
