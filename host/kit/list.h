#pragma once
/*
 * The list of a kit's files: path, length and BLAKE2b-512 of each. The signed manifest
 * holds the hash of the list, so that the signature covers every byte of the kit. A
 * list has one form only (docs/protocol/kit.md); anything else is refused.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/kit/fault.h"

/* Limits of a kit. The largest of ours has half a MiB. */
#define KIT_FILES_MAX 16u
#define KIT_FILE_BYTES_MAX (UINT64_C(32) << 20)
#define KIT_BYTES_MAX (UINT64_C(128) << 20)
#define KIT_PATH_MAX 127u
#define KIT_LIST_BYTES_MAX (KIT_FILES_MAX * (128u + 20u + KIT_PATH_MAX + 3u))

/* The files that a list does not name: itself, and what holds its hash. */
#define KIT_LIST "files"
#define KIT_MANIFEST "manifest"
#define KIT_SIGNED "manifest.signed"

struct kit_list_entry {
	char path[KIT_PATH_MAX + 1];
	uint64_t len;
	uint8_t hash[64];
};

struct kit_list {
	struct kit_list_entry *entries; /* by path, ascending; owned */
	size_t n;
};

void kit_list_fini(struct kit_list *list);

/*
 * A name of letters, digits and `.`, `_`, `+`, `-` that does not start with a dot and is none
 * of the three files above.
 */
bool kit_path_is_valid(const char *path);

/* Puts an entry in its place. Errors: a path that is not valid or there already, limits. */
int kit_list_add(struct kit_list *list, const struct kit_list_entry *entry, const char *place,
        struct kit_fault *ret_fault);

/* The list as text; *ret_text is the caller's. */
int kit_list_write(const struct kit_list *list, char **ret_text, size_t *ret_len);

int kit_list_parse(struct kit_list *ret_list, const void *bytes, size_t len, const char *place,
        struct kit_fault *ret_fault);

/* The entry of this path, or NULL. */
const struct kit_list_entry *kit_list_find(const struct kit_list *list, const char *path);
