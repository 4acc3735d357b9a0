/*
 * A list of chunks, one an allocation, freed together. There is no limit here: what a peer
 * sends has passed through an arena (proto/frame/arena.h) before.
 */
#include "host/base/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"

struct pool_chunk {
	struct pool_chunk *next;
	_Alignas(16) unsigned char bytes[];
};

static void *pool_protobuf_alloc(void *pool, size_t size)
{
	return pool_zero(pool, size);
}

/* Freeing is the pool's, all at once. */
static void pool_protobuf_free(void *pool, void *pointer)
{
}

void pool_init(struct pool *pool)
{
	pool->chunks = NULL;
	pool->allocator.alloc = pool_protobuf_alloc;
	pool->allocator.free = pool_protobuf_free;
	pool->allocator.allocator_data = pool;
}

void pool_fini(struct pool *pool)
{
	while (pool->chunks) {
		struct pool_chunk *next = pool->chunks->next;

		free(pool->chunks);
		pool->chunks = next;
	}
}

/* Zeroed, 16-byte aligned, never NULL (memory that runs out ends the process). */
void *pool_zero(struct pool *pool, size_t size)
{
	struct pool_chunk *chunk = mem_zero(sizeof(*chunk) + size);

	chunk->next = pool->chunks;
	pool->chunks = chunk;
	return chunk->bytes;
}

char *pool_text(struct pool *pool, const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(pool_zero(pool, size), text, size);
}

/* Cut after 511 bytes: for messages, not for data. */
char *pool_format(struct pool *pool, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return pool_text(pool, text);
}

ProtobufCBinaryData pool_bytes(struct pool *pool, const void *bytes, size_t size)
{
	ProtobufCBinaryData data = {.len = size, .data = pool_zero(pool, size)};

	if (size) {
		memcpy(data.data, bytes, size);
	}
	return data;
}
