#pragma once
/*
 * A release kit in memory. The files of NAME.kit/ are read once and judged by
 * host/kit/dir.h; everything here is made from what was judged.
 *
 *   manifest     kit manifest, fixed layout (proto/envelope/manifest.h)
 *   files        path, length and hash of each of the following; its hash is in the manifest
 *   state        state description (proto/state/state.h)
 *   flat         the pieces of the program (proto/image/flat.h): what variants are made from
 *   names        a name for each piece, for people
 *   recipe       text: format, recipe number, tools
 *   service      the service description as it was read
 */
#include <stddef.h>
#include <stdint.h>

#include "forge/base/mem.h"
#include "forge/base/tool.h"
#include "host/kit/dir.h"
#include "proto/image/flat.h"

struct kit {
	char *path;
	struct kit_dir dir;
	const struct kit_manifest *manifest; /* in dir */
	uint8_t release_id[TOOL_HASH_SIZE];  /* hash of the manifest */
	struct flat_view flat;               /* checked; in dir */
	struct buf state;
};

void kit_fini(struct kit *kit);

/* Whom a kit must be signed by, and which release it must be. */
struct kit_signed_by {
	const struct buf *root; /* signed root */
	const char *release;    /* 128 hexadecimal digits, or NULL: any release */
};

/*
 * Load a kit: its signature, all its files, and what they say. Without `by` it must
 * be whole by its own manifest only, whoever made it.
 */
int kit_read(struct kit *ret_kit, const char *path, const struct kit_signed_by *by);

/* Read a signed root from its file. */
int kit_read_root(struct buf *ret_root, const char *path);

/* Report what host/kit found wrong. */
int kit_report(int r, const struct kit_fault *fault);

/* Parse 128 hexadecimal digits; `where` is for the message when they are none. */
int kit_parse_id(const char *where, const char *hex, uint8_t ret_id[TOOL_HASH_SIZE]);

/*
 * The name of a piece, escaped, owned by the caller: its line of the kit's `names`, or its number.
 * piece < ->flat.n_pieces.
 */
char *kit_piece_name(const struct kit *kit, uint32_t piece);
