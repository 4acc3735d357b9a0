#pragma once
/*
 * A kit directory, read once into memory and judged there. Whoever uses a kit reads it
 * through here, uses the bytes in memory, and never goes back to the files: what was
 * checked is what is used.
 *
 *   manifest          kit manifest (proto/envelope/manifest.h)
 *   manifest.signed   the same, signed by a release key
 *   files             the list (list.h); the manifest holds its hash
 *   ...               exactly the files of the list
 *
 * Nothing but regular files is accepted, no link is
 * followed, nothing is opened in a way that can block, and nothing is larger than the
 * list says.
 */
#include "host/kit/list.h"
#include "proto/envelope/manifest.h"
#include "proto/image/flat.h"

#define KIT_RECIPE_HEAD "luforge kit 3\n"

/* What a kit must show, besides being whole. */
struct kit_demand {
	const void *root; /* signed root (a stored part, 8-byte aligned): signed under it */
	size_t root_len;
	uint64_t time;             /* unix s: when the release key must be valid */
	const uint8_t *release_id; /* [64]: be this release; NULL: any */
};

struct kit_dir {
	struct kit_list list;
	uint8_t **bytes;     /* [list.n]: of each file, one NUL more than it is long; owned */
	uint8_t *list_bytes; /* owned */
	size_t list_len;
	struct kit_manifest manifest;
	struct flat_view flat; /* in bytes[] */
	uint8_t *signed_part;  /* owned; NULL when nothing was demanded */
	size_t signed_len;
	uint8_t key_id[16]; /* of the first signature */
};

void kit_dir_fini(struct kit_dir *dir);

/*
 * Read and judge a kit: signature (with a demand), list, files, and the form of what
 * they say. Without a demand it is only whole by its own unsigned manifest, which is
 * enough to work on a kit before it is signed, and for nothing else. Errors fill
 * *ret_fault: -EBADMSG damaged or changed, -EKEYREJECTED the signature, -EFBIG a limit,
 * or what the system said.
 */
int kit_dir_read(struct kit_dir *ret_dir, const char *path, const struct kit_demand *demand,
        struct kit_fault *ret_fault);

/*
 * Read only the signed manifest of a kit and verify it: who signed what. The files are
 * not looked at.
 */
int kit_dir_read_signed(struct kit_dir *ret_dir, const char *path, const struct kit_demand *demand,
        struct kit_fault *ret_fault);

/*
 * The signed manifest in a part that came by another way than a kit's directory. Without a demand its
 * signatures are not looked at: enough to show it, and for nothing else.
 */
int kit_signed_open(const void *part, size_t len, const char *place,
        const struct kit_demand *demand, struct kit_manifest *ret_manifest,
        struct kit_fault *ret_fault);

/* A file of the kit, or NULL. */
const uint8_t *kit_dir_file(const struct kit_dir *dir, const char *path, size_t *ret_len);

/*
 * Write the kit as it is in memory to a new directory (0700, files 0600) and to disk.
 * What was written before an error stays: the caller removes it.
 */
int kit_dir_write(const struct kit_dir *dir, const char *path, struct kit_fault *ret_fault);

/* The list of all files of a directory that becomes a kit. */
int kit_dir_list(const char *path, struct kit_list *ret_list, struct kit_fault *ret_fault);

/* Put `manifest.signed` into a kit, over an older one, if that is a regular file. */
int kit_dir_put_signed(const char *path, const void *part, size_t len, struct kit_fault *ret_fault);

/*
 * Read a whole regular file, without following a link or waiting: at most limit bytes.
 * *ret_bytes is the caller's, 8-byte aligned, with one NUL more.
 */
int kit_file_read(const char *path, size_t limit, uint8_t **ret_bytes, size_t *ret_len,
        struct kit_fault *ret_fault);
