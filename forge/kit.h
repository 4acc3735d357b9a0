#pragma once
/*
 * A release kit on disk: NAME.kit/
 *
 *   manifest     kit manifest, fixed layout (proto/envelope/manifest.h)
 *   state        state description (proto/state/state.h)
 *   symbols      symbol of each entry of the state description, one a line
 *   order        what variants may reorder (order.h)
 *   recipe       text: format, recipe number, tools, objects in link order
 *   objects/     machine code without debug data
 *   bitcode/     the modules without debug data
 *   service      the service description as it was read
 *
 * The manifest is written last: a directory without one is no kit.
 */
#include <stddef.h>
#include <stdint.h>

#include "forge/mem.h"
#include "forge/order.h"
#include "forge/tool.h"
#include "proto/envelope/manifest.h"

struct elf_file;
struct layout;

struct kit {
	char *path;
	struct buf manifest_bytes;
	const struct kit_manifest *manifest; /* in manifest_bytes */
	struct buf state;
	char **objects; /* paths; owned */
	size_t n_objects, objects_capacity;
	struct buf symbols_text;
	const char **vector; /* names in symbols_text; array owned */
	size_t n_vector, vector_capacity;
	struct order order;
};

void kit_fini(struct kit *kit);

/* Load a kit and compare its files with the hashes in its manifest. */
int kit_read(struct kit *ret_kit, const char *path);

/*
 * What manifest.objects_hash covers: BLAKE2b-512 of recipe, order, symbols and the
 * objects, each as its length (u64) and its bytes.
 */
int kit_objects_hash(const char *path, const char *const objects[], size_t n_objects,
        uint8_t ret_hash[TOOL_HASH_SIZE]);

/* kit_link.c: link a kit that was read whole. */
int kit_link(const struct kit *kit, const struct layout *layout, struct elf_file *ret_linked);

/* Load only manifest and state description: all that a boot image needs. */
int kit_read_head(struct kit *ret_kit, const char *path);
