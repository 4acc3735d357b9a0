#pragma once
/* What a release may do and use, in words and as JSON: of one, and what another has besides. */
#include <jansson.h>
#include <stdbool.h>

#include "host/kit/show.h"

/* The two sides of a comparison. */
struct rights {
	struct kit_lines lines;   /* of the release */
	struct kit_lines added;   /* that the earlier one had not */
	struct kit_lines removed; /* that only the earlier one had */
};

/* earlier: NULL to compare with none. */
void rights_of(const struct kit_manifest *now, const struct kit_manifest *earlier,
        struct rights *ret_rights);
/* All of them, one line a kind: "    call      copy random". */
void rights_print(const struct rights *rights);
/* What is added and removed, each behind `+` or `-`. */
void rights_print_changes(const struct rights *rights);
/* An array of strings; the caller owns it. */
json_t *rights_json(const struct kit_lines *lines);
