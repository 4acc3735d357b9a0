#pragma once
/* Memory that is taken piece by piece and given back at once, with its owner's scope. */
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct pool_chunk;

struct pool {
	struct pool_chunk *chunks;
	ProtobufCAllocator allocator; /* unpacks into the pool: nothing needs freeing */
};

void pool_init(struct pool *pool);
void pool_fini(struct pool *pool);
/* Zeroed; ends the process without memory. */
void *pool_zero(struct pool *pool, size_t size);
char *pool_text(struct pool *pool, const char *text);
char *pool_format(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A copy as protobuf bytes. */
ProtobufCBinaryData pool_bytes(struct pool *pool, const void *bytes, size_t size);
