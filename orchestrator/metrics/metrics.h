#pragma once
/*
 * What lud measures, for Prometheus and whatever reads its text format: served by HTTP at a UNIX socket or an address of this host
 * itself, from memory, in pieces between which everything else goes on.
 */
#include "orchestrator/job/core/core.h"
#include "orchestrator/remote/remote.h"
#include "orchestrator/request/request.h"
#include "orchestrator/server/server.h"

struct metrics;

/* All are borrowed, and outlive it. */
struct metrics_parts {
	struct event_base *base;
	const struct config *config;
	struct engine *engine;
	const struct control *control;
	const struct server *server;
	const struct remote *remote; /* NULL: it is not configured */
};

/*
 * Listens where `metrics.listen` says; *ret_metrics is NULL where that is nowhere. Counts from now on. -EADDRINUSE: somebody else
 * listens there.
 */
int __must_check metrics_new(const struct metrics_parts *parts, struct metrics **ret_metrics,
        struct failure *ret_failure);
/* The configuration changed. NULL is allowed. */
void metrics_reloaded(struct metrics *metrics);
struct metrics *metrics_free(struct metrics *metrics);
