#pragma once
/*
 * What is not as it should be, from every source that the table amiss.def names. A source adds a row for each thing
 * that it finds, says whose word it is and how old, and decides nothing else: overview.c counts and sorts.
 */
#include "orchestrator/control/view/view.h"

/* What is shown of all sources together; the rest is counted. */
#define AMISS_MAX 48u

/* What a source is given, and adds to. */
struct amiss_list {
	struct pool *pool;
	struct engine *engine;
	int64_t now_us;
	const char *kind; /* of the source that is asked */
	Control__Overview *overview;
	size_t room; /* of ->overview for rows */
};

/*
 * A new row of this level to fill in further, with subject and text copied; source is SOURCE_MEMORY, of now, until it is said
 * otherwise. Never NULL: beyond ->room the least bad are counted and not shown.
 */
Control__Amiss *amiss_add(struct amiss_list *list, Control__AmissLevel level, const char *subject,
        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* It comes to its end then: sets ->ends_us and the announcement. False: that is more than 30 days away. */
bool amiss_ends(const struct amiss_list *list, Control__Amiss *row, int64_t ends_us);

#define AMISS(name, sentence) void amiss_##name(struct amiss_list *list);
#include "orchestrator/control/view/amiss.def"
