#pragma once
/*
 * What a release is made of: a commit, and what is not committed.
 */
#include <stddef.h>

#include "ctl/base/base.h"

struct source {
	char *text;       /* the file `source` of a kit; owned */
	size_t n_changed; /* files that are not as they were committed */
	char *is;         /* the same in a few words; owned */
	char *first;      /* names of the first files that changed, owned; "" */
};

void source_finip(struct source *source);

/*
 * Ask git about the tree; named: what somebody says instead, where there is no git. The same tree gives
 * the same text. CTL_OK, or the reason was printed.
 */
int source_read(const char *tree, const char *named, struct source *ret_source);
