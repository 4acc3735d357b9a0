#pragma once
/* Whole files: read with a limit, written so that a crash leaves old or new. */
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/base/cleanup.h"

/*
 * Reads at most `limit` bytes. The caller frees *ret_data, which has one more NUL
 * byte behind its *ret_size. Errors: open and read errors; -EFBIG above the limit.
 */
int __must_check file_read(const char *path, size_t limit, uint8_t **ret_data, size_t *ret_size);
/* Writes beside `path`, syncs, renames over it. Errors: any of these steps. */
int __must_check file_write(const char *path, const void *data, size_t size);
/* Makes a directory and what is missing above it (mode 0700). */
int __must_check dir_make(const char *path);
/* Removes a directory and all below it; one that is not there is no error. */
int __must_check dir_remove(const char *path);
/*
 * Copies a directory's files and directories to a path where nothing is yet, beside
 * first and then renamed, so that what is there is whole. Errors: reads and writes;
 * -EFBIG for a file above the limit; -EEXIST.
 */
int __must_check dir_copy(const char *from, const char *to, size_t file_limit);
/* printf into a fresh string, which the caller frees; ends the process without memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* calloc that ends the process without memory; never for sizes a peer chose. */
void *mem_zero(size_t size);
char *text_copy(const char *text);
