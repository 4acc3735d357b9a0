#pragma once
/* Inside host/kit: files by directory descriptor. */
#include "host/kit/dir.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

void kit_fd_closep(int *fd);
void kit_bytes_freep(uint8_t **bytes);

/* -EFBIG, -ELOOP or -EINVAL (not a regular file), or what the system said; in words. */
int kit_fault_file(struct kit_fault *ret_fault, int error, const char *dir, const char *name);

/*
 * A regular file below dir_fd, whole, in one read. expect: its length, or KIT_LENGTH_ANY
 * up to limit. Returns a negative errno and says nothing.
 */
#define KIT_LENGTH_ANY UINT64_MAX
int kit_file_load(int dir_fd, const char *path, uint64_t limit, uint64_t expect,
        uint8_t **ret_bytes, size_t *ret_len);

/* Opens a directory; the last name may not be a link. */
int kit_subdir_open(int dir_fd, const char *name, int *ret_fd);

/*
 * A walk over a kit: ->file is called for each name in it. The first error ends it and is in
 * *fault.
 */
struct kit_walk {
	const char *place; /* what a fault calls the kit */
	int (*file)(struct kit_walk *walk, int dir_fd, const char *name);
	struct kit_list *list; /* what ->file adds to or compares with */
	struct kit_fault *fault;
};
int kit_walk_run(struct kit_walk *walk, int dir_fd);
