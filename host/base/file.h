#pragma once
/* Whole files: read with a limit, written so that a crash leaves old or new. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/base/cleanup.h"

/*
 * Reads a regular file of at most `limit` bytes, without following a link or waiting.
 * The caller frees *ret_data, which has one more NUL byte behind its *ret_size. Errors:
 * open and read errors; -EINVAL, no regular file; -EFBIG above the limit.
 */
int __must_check file_read(const char *path, size_t limit, uint8_t **ret_data, size_t *ret_size);
/* The same of a secret. -EPERM: it is not the caller's, or others have a right to it. */
int __must_check file_read_secret(
        const char *path, size_t limit, uint8_t **ret_data, size_t *ret_size);
/* Writes beside `path`, syncs, renames over it. Errors: any of these steps. */
int __must_check file_write(const char *path, const void *data, size_t size);
/* The same with these rights, whatever the umask is, and never through a link that lies beside. */
int __must_check file_write_mode(const char *path, const void *data, size_t size, mode_t mode);
/* As file_write_mode(), where there is nothing yet: -EEXIST, and what is there stays. */
int __must_check file_write_first(const char *path, const void *data, size_t size, mode_t mode);
/* As file_write() without waiting for the disk: after a loss of power it may be the old one, empty or torn. */
int __must_check file_write_unsynced(const char *path, const void *data, size_t size);
/* Brings a file and its name to disk. -ENOENT: there is none. */
int __must_check file_sync(const char *path);
/* Makes a directory and what is missing above it (mode 0700). */
int __must_check dir_make(const char *path);
/* Removes a directory and all below it; one that is not there is no error. */
int __must_check dir_remove(const char *path);
/* printf into a fresh string, which the caller frees; ends the process without memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* calloc that ends the process without memory; never for sizes a peer chose. */
void *mem_zero(size_t size);
char *text_copy(const char *text);
