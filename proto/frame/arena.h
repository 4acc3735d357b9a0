#pragma once
/*
 * A bump allocator in a buffer of the caller's, as protobuf-c's allocator: what a
 * peer sends can cost no more memory than the buffer holds. Everything unpacked
 * with it lives until wire_arena_reset(); free_unpacked is not needed.
 */
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

struct wire_arena {
	ProtobufCAllocator allocator; /* pass &arena->allocator */
	uint8_t *buf;                 /* the caller's */
	size_t cap;
	size_t used;
};

/* buf stays the caller's and must outlive the arena. The arena must not move. */
void wire_arena_init(struct wire_arena *a, void *buf, size_t cap);
void wire_arena_reset(struct wire_arena *a);

/* len bytes aligned to 16, or NULL when the buffer is used up. */
void *wire_arena_alloc(struct wire_arena *a, size_t len);
