#pragma once
/*
 * A configured build directory: where its sources are, and how a kit is built in it.
 */
#include "ctl/base/base.h"

struct tree {
	char *build; /* absolute; owned, as all of them */
	char *source;
	char *luforge;
};

void tree_finip(struct tree *tree);

/* Of the build directory; NULL: the one that luctl lies in. CTL_OK, or the reason was printed. */
int tree_open(const char *build, struct tree *ret_tree);
/* The kit that the build makes of a service; the caller frees. */
char *tree_kit(const struct tree *tree, const char *name);
/*
 * Bring the kits of these services up to date, by ninja. CTL_OK; or what the compiler said was printed,
 * and what to do.
 */
int tree_build(const struct tree *tree, char *const *names, int n_names);
