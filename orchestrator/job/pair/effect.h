#pragma once
/*
 * What luforge says of two layouts of a release (luforge(1), compare --json), as a row of the record:
 * what somebody who knows the one before knows of a generation's layout.
 */
#include "orchestrator/store/releases.h"

/* Of which the figures must be. */
struct effect_of {
	const struct release_row *release;
	const struct variant_row *before, *after;
};

/*
 * Fills in the figures. An answer about another release or other payloads, or one that makes no
 * sense, is -EBADMSG.
 */
int __must_check effect_read(const char *json, const struct effect_of *of, struct effect_row *row);
