#pragma once
/*
 * Ownership that ends with its scope. A local marked _cleanup_(f) is handed to f
 * by address when it goes out of scope; steal() hands the value to the caller
 * instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#ifndef __must_check
#define __must_check __attribute__((warn_unused_result))
#endif

/* Hands out what *pp owns and leaves NULL behind. */
#define steal(pp)                                                                                  \
	({                                                                                         \
		__typeof__(*(pp)) steal_value_ = *(pp);                                            \
		*(pp) = NULL;                                                                      \
		steal_value_;                                                                      \
	})

/* Hands out the descriptor at *fd and leaves -1 behind. */
static inline int fd_steal(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

static inline void freep(void *pp)
{
	free(*(void **)pp);
}

static inline void fd_closep(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
}

static inline void file_closep(FILE **file)
{
	if (*file) {
		fclose(*file);
	}
}
