#include "proto/frame/arena.h"

static void *arena_allocator_alloc(void *data, size_t len)
{
	return wire_arena_alloc(data, len);
}

static void arena_allocator_free(void *data, void *pointer)
{
}

void wire_arena_init(struct wire_arena *a, void *buf, size_t cap)
{
	a->allocator.alloc = arena_allocator_alloc;
	a->allocator.free = arena_allocator_free;
	a->allocator.allocator_data = a;
	a->buf = buf;
	a->cap = cap;
	a->used = 0;
}

void wire_arena_reset(struct wire_arena *a)
{
	a->used = 0;
}

void *wire_arena_alloc(struct wire_arena *a, size_t len)
{
	uintptr_t at = ((uintptr_t)a->buf + a->used + 15) & ~(uintptr_t)15;
	size_t off = at - (uintptr_t)a->buf;

	if (off > a->cap || len > a->cap - off) {
		return NULL;
	}
	a->used = off + len;
	return a->buf + off;
}
