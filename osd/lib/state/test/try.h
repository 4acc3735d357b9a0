/* Short words for tests that put values into one side and look for them in the other. */
#pragma once

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "osd/lib/state/test/world.h"

#define SEED 11

static inline void put(const struct world *w, const char *path, int64_t value)
{
	model_put(model_var(w->old, path), value);
}

static inline int64_t got(const struct world *w, const char *path)
{
	return model_get(model_var(w->new, path));
}

static inline void point(const struct world *w, const char *path, const void *to)
{
	model_put_pointer(model_var(w->old, path), to);
}

static inline void *where(const struct world *w, const char *path)
{
	return model_get_pointer(model_var(w->new, path));
}

static inline void *old_at(const struct world *w, const char *path)
{
	return model_var(w->old, path).addr;
}

static inline void *new_at(const struct world *w, const char *path)
{
	return model_var(w->new, path).addr;
}

static inline struct world *begin(const char *old, const char *new)
{
	struct world *w = world_new(old, new, SEED);

	world_start(w);
	return w;
}

static inline void done(struct world *w)
{
	enum state_code code = world_transfer(w);

	if (code != STATE_OK) {
		fprintf(stderr, "%s: %s\n", state_code_text(code), w->result.error);
	}
	assert(code == STATE_OK && w->result.code == STATE_OK);
}

static inline void refused(struct world *w, enum state_code code, const char *words)
{
	enum state_code got_code = world_transfer(w);

	if (got_code != code || strstr(w->result.error, words) == NULL) {
		fprintf(stderr, "%s: %s, not %s\n", state_code_text(got_code), w->result.error,
		        words);
		assert(false);
	}
	world_free(w);
}
