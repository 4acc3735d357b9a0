#pragma once
/* Inside feed: the look at what is amiss. */
#include "orchestrator/control/feed/feed.h"

/* What was amiss at the last look. */
struct look;

struct look *look_new(void);
struct look *look_free(struct look *look);
/* Adds an event for each thing that has come to be amiss, or is so no more, since the last look. */
void look_at(struct look *look, struct feed *feed, struct engine *engine);
