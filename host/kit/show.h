#pragma once
/*
 * What a release may do, as lines for a person: one per right or limit, so that two
 * releases are compared by comparing lines.
 */
#include <stddef.h>

#include "proto/envelope/manifest.h"

#define KIT_LINES_MAX 384u
#define KIT_LINE_SIZE 64u

/* "call copy", "target ds", "ports 0x3f8-0x3ff", "heap 1048576": first word the kind. */
struct kit_lines {
	size_t n;
	char line[KIT_LINES_MAX][KIT_LINE_SIZE];
};

/* Everything that a manifest grants or limits; not what names the release. */
void kit_lines_of(const struct kit_manifest *manifest, struct kit_lines *ret_lines);

/* The lines of a that are not in b. */
void kit_lines_without(
        const struct kit_lines *a, const struct kit_lines *b, struct kit_lines *ret_lines);
