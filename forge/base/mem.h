#pragma once
/*
 * Memory, byte buffers and files. luforge is a short-lived tool: running out of
 * memory ends it with FORGE_EXIT_FAILED, so nothing here returns NULL.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MEM_CLEANUP(fn) __attribute__((cleanup(fn)))
#define MEM_FREE MEM_CLEANUP(mem_freep)

void *mem_zalloc(size_t n_items, size_t size);
char *mem_strdup(const char *s);
[[gnu::format(printf, 1, 2)]] char *mem_printf(const char *fmt, ...);
void *mem_grow(void *items, size_t n_items, size_t *capacity, size_t size);

/* Make room for one more item in `items` (n used of `cap`). */
#define MEM_PUSH(items, n, cap) ((items) = mem_grow((items), (n), &(cap), sizeof(*(items))))

static inline void mem_freep(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

/* A growing run of bytes, always followed by a NUL that is not counted. */
struct buf {
	uint8_t *bytes; /* owned; never NULL after the first append */
	size_t len;
	size_t capacity;
};

#define BUF_CLEANUP MEM_CLEANUP(buf_fini)

void buf_fini(struct buf *b);
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_zero(struct buf *b, size_t len);
void buf_align(struct buf *b, size_t align);
[[gnu::format(printf, 2, 3)]] void buf_printf(struct buf *b, const char *fmt, ...);

/* No input of luforge is larger. */
#define BUF_FILE_MAX (UINT64_C(1) << 30)

/*
 * Read a whole regular file (a link to one is followed) without ever waiting; report
 * and return negative on failure.
 */
int buf_read_file(struct buf *ret_b, const char *path);

/*
 * Write a file by a temporary neighbour and rename; nothing half-written stays. What is
 * there and no regular file (a device, a FIFO, a directory, a link) is not replaced.
 */
int mem_write_file(const char *path, const void *bytes, size_t len);
int buf_write_file(const struct buf *b, const char *path);

/* Make a directory unless it is there. */
int mem_make_dir(const char *path);

/* Make a directory; anything that is there is an error, a link to one too. */
int mem_new_dir(const char *path);

/* Make a private temporary directory; *ret_path is owned by the caller. */
int mem_temp_dir(char **ret_path);

/* Remove a directory and the files in it (two levels of subdirectories); a link stays. */
void mem_remove_dir(const char *path);
