/*
 * Identities that have connections: how many, and how many requests each may make now. What it may make grows
 * with time up to a few seconds' worth, and goes below zero when it asks for more: by so much longer it is not read.
 */
#include <string.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "orchestrator/remote/priv.h"

#define HOLDER_SEC 1000000.0
#define HOLDER_BURST 4 /* seconds of requests that may come at once */

struct holder *holder_of(struct remote *remote, const char *name)
{
	unsigned int bucket = remote_bucket(name, strlen(name));
	struct holder *holder;

	LIST_FOREACH(holder, &remote->holders[bucket], link)
	{
		if (!strcmp(holder->name, name)) {
			return holder;
		}
	}
	holder = mem_zero(sizeof(*holder));
	snprintf(holder->name, sizeof(holder->name), "%s", name);
	holder->requests = HOLDER_BURST * (double)remote->config->remote_requests;
	holder->counted_at = elapsed_usec();
	LIST_INSERT_HEAD(&remote->holders[bucket], holder, link);
	return holder;
}

void holder_done(struct holder *holder)
{
	if (!holder->n_peers && !holder->is_coming) {
		LIST_REMOVE(holder, link);
		free(holder);
	}
}

unsigned int holder_charge(const struct remote *remote, struct holder *holder)
{
	double rate = (double)remote->config->remote_requests;
	int64_t now = elapsed_usec();

	holder->requests += (double)(now - holder->counted_at) / HOLDER_SEC * rate;
	holder->counted_at = now;
	if (holder->requests > HOLDER_BURST * rate) {
		holder->requests = HOLDER_BURST * rate;
	}
	holder->requests -= 1;
	return holder->requests >= 0 ? 0 : 1 + (unsigned int)(-holder->requests * 1000 / rate);
}
