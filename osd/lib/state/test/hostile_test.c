/*
 * Old memory that is not what it should be: a heap directory, counts and pointers that a sane owner
 * never left. Each case changes one thing, and is refused for that.
 */
#include "osd/lib/state/test/try.h"

#include <sys/mman.h>

#include "osd/lib/heap/heap.h"

/* Sites of numbers, of a record, and somebody who points to them. */
#define SIDE                                                                                       \
	"struct rec { i64 a; i64 b; i64 c; i64 d; };"                                              \
	"site char byte; site i32 small; site i64 add; site struct rec rec; i64 *p; i32 *q;"

/* Bytes of scratch memory for any of these with looking ahead. */
#define WORLD_ENOUGH (UINT64_C(64) << 10)

static struct world *world(void)
{
	return begin(SIDE, SIDE);
}

static uint64_t page_of(const struct world *w, const void *object)
{
	return (uint64_t)((const uint8_t *)object - w->old_heap) / HEAP_PAGE_BYTES;
}

static struct heap_page *entry_of(const struct world *w, const void *object)
{
	return (struct heap_page *)(void *)(w->old_heap + heap_entry_offset(page_of(w, object)));
}

static struct heap_chunk *first_chunk(const struct world *w)
{
	return (struct heap_chunk *)(void *)w->old_heap;
}

static void test_root(void)
{
	struct world *w = world();

	world_object(w, "add", 0, 1);
	heap_root.magic ^= 1;
	refused(w, STATE_E_HEAP, "another format");
	w = world();
	world_object(w, "add", 0, 1);
	heap_root.version++;
	refused(w, STATE_E_HEAP, "another format");
	w = world();
	world_object(w, "add", 0, 1);
	heap_root.base += HEAP_CHUNK_BYTES;
	refused(w, STATE_E_HEAP, "not where it belongs");
	w = world();
	world_object(w, "add", 0, 1);
	heap_root.n_chunks = (uint32_t)(w->heap_size / HEAP_CHUNK_BYTES) + 2;
	refused(w, STATE_E_HEAP, "not where it belongs");
}

/* A heap that ends in the middle of a chunk, or of a directory. */
static void test_end(void)
{
	struct world *w = world_new(SIDE, SIDE, SEED);

	w->heap_size = w->new_usable = 100 * HEAP_PAGE_BYTES;
	world_start(w);
	world_object(w, "add", 0, 1);
	first_chunk(w)->used[2] |= UINT64_C(1) << 20; /* page 148 */
	refused(w, STATE_E_HEAP, "behind its end");
	w = world_new(SIDE, SIDE, SEED);
	w->heap_size = w->new_usable = HEAP_CHUNK_BYTES + 4 * HEAP_PAGE_BYTES;
	world_start(w);
	world_object(w, "add", 0, 1);
	heap_root.n_chunks = 2;
	refused(w, STATE_E_HEAP, "directory behind its end");
}

/* A page of arrays at the very end, as it was foreseen: behind its counts nothing can be read. */
static void test_last_page(void)
{
	struct world *w = world_new(SIDE, SIDE, SEED);

	w->heap_size = w->new_usable = HEAP_CHUNK_BYTES;
	world_start(w);
	while (page_of(w, world_object(w, "byte", 0, 1000)) != HEAP_CHUNK_PAGES - 1) {
	}
	done(w);
	world_free(w);
}

static void test_small_pages(void)
{
	struct world *w = world();
	struct heap_page *entry = entry_of(w, world_object(w, "byte", 0, 1));

	entry->stride = 8; /* holds a byte, but no slot is that small */
	refused(w, STATE_E_HEAP, "bad stride");
	w = world();
	entry = entry_of(w, world_object(w, "add", 0, 1));
	entry->n_slots = (uint16_t)(heap_slots_of_stride(entry->stride) + 1);
	refused(w, STATE_E_HEAP, "bad stride");
	w = world();
	entry = entry_of(w, world_object(w, "rec", 0, 1));
	entry->stride = 32; /* as long as the object, without the byte behind it */
	refused(w, STATE_E_HEAP, "bad stride");
	w = world();
	entry = entry_of(w, world_object(w, "add", 0, 1));
	entry->element_bytes = 4;
	refused(w, STATE_E_HEAP, "no known site");
	w = world();
	entry = entry_of(w, world_object(w, "add", 0, 1));
	entry->kind = _HEAP_PAGE_N;
	refused(w, STATE_E_HEAP, "no known kind");
}

static void test_large_pages(void)
{
	struct world *w = world();
	uint8_t *object = world_object(w, "add", 0, 2000), *other;
	struct heap_page *entry = entry_of(w, object);

	entry->span = (uint16_t)(HEAP_CHUNK_PAGES - page_of(w, object) % HEAP_CHUNK_PAGES + 1);
	refused(w, STATE_E_HEAP, "larger than its pages");
	w = world();
	object = world_object(w, "add", 0, 2000);
	entry_of(w, object)->count = 4 * HEAP_PAGE_BYTES / 8; /* no byte is left behind it */
	refused(w, STATE_E_HEAP, "larger than its pages");
	w = world();
	object = world_object(w, "add", 0, 2000);
	other = world_object(w, "add", 0, 2000);
	if (other < object) {
		uint8_t *swap = object;

		object = other;
		other = swap;
	}
	entry_of(w, object)->span = (uint16_t)(page_of(w, other) - page_of(w, object) + 1);
	refused(w, STATE_E_HEAP, "overlap");
}

/* The count of an array in its page: one element too many, be it placed with others or by itself. */
static void test_array_count(void)
{
	static const char *const words[] = {
	        "larger than its slot 0x", "larger than its slot in page"};

	for (uint64_t n = 2; n < 4; n++) {
		struct world *w = world();
		uint8_t *object = world_object(w, "add", 0, n);
		uint32_t stride = entry_of(w, object)->stride;
		uint8_t *page = w->old_heap + page_of(w, object) * HEAP_PAGE_BYTES;
		uint32_t slot = (uint32_t)(object - page) / stride;
		uint16_t count = (uint16_t)((stride + 7) / 8);

		memcpy(page + heap_count_offset(slot), &count, sizeof(count));
		refused(w, STATE_E_HEAP, words[n - 2]);
	}
}

static void test_heap_pointers(void)
{
	struct world *w = world();
	uint8_t *object = world_object(w, "small", 0, 1);
	struct heap_page *entry;

	point(w, "q", object + 8); /* in its slot, but two behind it */
	refused(w, STATE_E_POINTER, "no value of its type");
	/* Behind the last slot of a full page, where the next page's places would be read. */
	w = begin("struct tri { i64 a; i64 b; i64 c; }; site struct tri f; struct tri *p;",
	        "struct tri { i64 a; i64 b; i64 c; }; site struct tri f; struct tri *p;");
	object = w->old_heap + w->heap_size;
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t *next = world_object(w, "f", 0, 1);

		object = next < object ? next : object;
	}
	entry = entry_of(w, object);
	object = w->old_heap + page_of(w, object) * HEAP_PAGE_BYTES;
	point(w, "p", object + (uint64_t)entry->n_slots * entry->stride);
	refused(w, STATE_E_POINTER, "no live object");
	/* Behind the last chunk that was opened, at the offset of an object in the first. */
	w = world();
	object = world_object(w, "add", 0, 1);
	point(w, "p", object + HEAP_CHUNK_BYTES);
	refused(w, STATE_E_POINTER, "free memory");
	/* In the middle of an object of its own type, where no other one begins. */
	w = begin("struct two { i64 a; i64 b; }; site struct two f; struct two *p;",
	        "struct two { i64 a; i64 b; }; site struct two f; struct two *p;");
	object = world_object(w, "f", 0, 2);
	point(w, "p", object + 8);
	refused(w, STATE_E_POINTER, "no value of its type");
	/* The first byte behind the heap is not the heap's. */
	w = world();
	point(w, "p", w->old_heap + w->heap_size);
	refused(w, STATE_E_POINTER, "leads nowhere");
}

#define COUNTED "struct s { i64 *p @length=n; i32 n; } v[2]; i64 x[4]; site i64 f;"

static void test_counts(void)
{
	struct world *w = begin(COUNTED, COUNTED);

	point(w, "v[0].p", world_object(w, "f", 0, 2));
	put(w, "v[0].n", -1);
	refused(w, STATE_E_POINTER, "fewer elements");
	w = begin(COUNTED, COUNTED);
	point(w, "v[0].p", old_at(w, "x"));
	put(w, "v[0].n", -1);
	refused(w, STATE_E_POINTER, "fewer elements");
	/* The second pointer to such objects goes by the fast road. */
	w = begin(COUNTED, COUNTED);
	point(w, "v[0].p", world_object(w, "f", 0, 2));
	put(w, "v[0].n", 2);
	point(w, "v[1].p", world_object(w, "f", 0, 2));
	put(w, "v[1].n", 3);
	refused(w, STATE_E_POINTER, "fewer elements");
}

static void test_values(void)
{
	struct world *w = begin("u64 a;", "u32 a;");

	put(w, "a", INT64_C(1) << 40);
	refused(w, STATE_E_RANGE, "does not fit");
	w = begin("u8 a;", "bool a;");
	put(w, "a", 2);
	refused(w, STATE_E_RANGE, "does not fit");
	w = begin("u8 a[4];", "u8 a[2];");
	put(w, "a[3]", 1);
	refused(w, STATE_E_LOSS, "a.c:a[3]");
	w = begin("union u { i64 j; } a;", "union t { i64 j; } a;");
	refused(w, STATE_E_TYPE, "another one");
	w = begin("string \"hello\"; struct s { i64 x; } v; struct s *p;",
	        "string \"hello\"; struct s { i64 x; } v; struct s *p;");
	point(w, "p", model_symbol_find(w->old, "hello")->addr);
	refused(w, STATE_E_POINTER, "no value of its type");
	w = begin("string \"hello\"; fn *p;", "string \"hello\"; fn *p;");
	point(w, "p", model_symbol_find(w->old, "hello")->addr);
	refused(w, STATE_E_POINTER, "no value of its type");
}

/* What was foreseen and is gone by the switch leaves no object behind. */
static void test_gone(void)
{
	struct world *w = world();
	struct heap_stats stats;
	uint8_t *object = world_object(w, "rec", 0, 1);
	struct heap_page *entry = entry_of(w, object);
	uint32_t slot = (uint32_t)(object - w->old_heap) % HEAP_PAGE_BYTES / entry->stride;

	world_object(w, "rec", 0, 1);
	world_switch(w);
	assert(world_pair(w) == STATE_OK);
	state_foresee(w->transfer);
	assert(mprotect(w->old_heap, w->heap_size, PROT_READ | PROT_WRITE) == 0);
	entry->live[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	entry->n_live--;
	assert(state_transfer(w->transfer) == STATE_OK && w->result.n_objects == 1);
	heap_stats_get(&stats);
	assert(stats.n_objects == 1);
	world_free(w);
}

/*
 * Looking ahead takes scratch memory of its own. Where there is only enough without it, the
 * transfer is the same, and no error is left behind that nobody minds.
 */
static void test_no_room_to_foresee(void)
{
	uint32_t n_done = 0;

	for (size_t size = 2048; n_done < 8; size += 512) {
		struct world *w = world_new(SIDE, SIDE, SEED);
		enum state_code code;

		assert(size < WORLD_ENOUGH);
		w->scratch_size = size;
		world_start(w);
		world_object(w, "add", 0, 1);
		heap_root.n_chunks = (uint32_t)(w->heap_size / HEAP_CHUNK_BYTES); /* many pages */
		world_switch(w);
		code = world_pair(w);
		if (code == STATE_OK) {
			state_foresee(w->transfer);
			code = state_transfer(w->transfer);
		}
		assert(w->result.code == code);
		assert(code == STATE_OK ? w->result.n_objects == 1 : code == STATE_E_SCRATCH);
		n_done += code == STATE_OK;
		world_free(w);
	}
}

int main(void)
{
	test_root();
	test_end();
	test_last_page();
	test_small_pages();
	test_large_pages();
	test_array_count();
	test_heap_pointers();
	test_counts();
	test_values();
	test_gone();
	test_no_room_to_foresee();
	return 0;
}
