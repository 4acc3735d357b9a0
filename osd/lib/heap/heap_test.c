/*
 * The heap on the host: layout invariants under random use, exhaustion, the
 * uncommitted prefix, misuse.
 */
#undef NDEBUG
#include "osd/lib/heap/heap_fill.h"
#include "osd/lib/heap/priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT (UINT64_C(64) << 20)
#define N_SHADOW 4000

static const uint8_t seed[32] = {1, 2, 3};
static uint8_t *region;

static void heap_test_start(uint64_t usable)
{
	if (region) {
		munmap(region, LIMIT);
	}
	region = mmap(NULL, LIMIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(region != MAP_FAILED);
	assert(usable == LIMIT || mprotect(region + usable, LIMIT - usable, PROT_NONE) == 0);
	heap_init((uintptr_t)region, LIMIT, usable, seed);
}

struct shadow {
	uint8_t *object;
	size_t element, count;
	uint8_t fill;
	const void *site;
};
static struct shadow shadows[N_SHADOW];
static char sites[64];

static void shadow_check(const struct shadow *s)
{
	struct heap_object found;
	size_t bytes = s->element * s->count;

	for (size_t i = 0; i < bytes; i++) {
		assert(s->object[i] == s->fill);
	}
	assert(heap_find(s->object + bytes, &found)); /* one past the end is still inside */
	assert(found.start == (uintptr_t)s->object && found.site == (uintptr_t)s->site);
	assert(found.count == s->count && found.element_bytes == s->element);
}

static void shadow_toggle(struct shadow *s)
{
	static const size_t aligns[] = {1, 8, 16, 64, 4096};
	size_t align = aligns[(size_t)(random() % 64 ? random() % 3 : random() % 5)];

	if (s->object) {
		shadow_check(s);
		heap_free(s->object);
		s->object = NULL;
		return;
	}
	s->element = (size_t)(1 + random() % (random() % 50 ? 200 : 20000));
	s->count = (size_t)(s->element > 200 || random() % 3 ? 1 : random() % 40);
	s->fill = (uint8_t)(1 + random() % 255);
	s->site = &sites[random() % 64];
	s->element = (s->element + align - 1) / align * align;
	s->object = heap_alloc_at_site(s->site, s->element, s->count, align);
	assert(s->object && (uintptr_t)s->object % align == 0);
	for (size_t i = 0; i < s->element * s->count; i++) {
		assert(s->object[i] == 0);
	}
	memset(s->object, s->fill, s->element * s->count);
}

/* Count live objects through the layout alone, as the transfer engine does. */
static uint64_t layout_count_objects(void)
{
	uint64_t n = 0;

	for (uint32_t page = 0; page < heap_root.n_chunks * HEAP_CHUNK_PAGES; page++) {
		const struct heap_page *entry;

		if (heap_page_is_directory(page)) {
			continue;
		}
		entry = (const void *)(region + heap_entry_offset(page));
		if (entry->kind == HEAP_PAGE_SMALL) {
			uint32_t live = 0;

			for (int i = 0; i < 4; i++) {
				live += (uint32_t)__builtin_popcountl(entry->live[i]);
			}
			assert(live == entry->n_live && live > 0);
		}
		n += entry->n_live;
	}
	return n;
}

static void test_random_use(void)
{
	struct heap_stats stats;
	uint64_t n = 0;

	heap_test_start(LIMIT);
	srandom(7);
	for (int i = 0; i < 60000; i++) {
		shadow_toggle(&shadows[random() % N_SHADOW]);
	}
	for (int i = 0; i < N_SHADOW; i++) {
		n += shadows[i].object != NULL;
	}
	heap_stats_get(&stats);
	assert(stats.n_objects == n && layout_count_objects() == n);
	for (int i = 0; i < N_SHADOW; i++) {
		if (shadows[i].object) {
			shadow_toggle(&shadows[i]);
		}
	}
	heap_stats_get(&stats);
	assert(stats.n_objects == 0 && stats.object_bytes == 0);
	assert(stats.n_pages == stats.n_chunks * HEAP_DIRECTORY_PAGES);
	for (uint64_t i = 0; i < LIMIT; i++) {
		bool is_directory = heap_page_is_directory(i / HEAP_PAGE_BYTES);

		assert(is_directory || region[i] == 0);
	}
}

static void test_populated_prefix(void)
{
	uint64_t n = 0;
	void *last;

	/* Touching beyond the prefix would be a SIGSEGV. */
	heap_test_start(heap_bytes_for_pages(20, 1));
	while (heap_alloc_at_site(sites, 100, 1, 8)) {
		n++;
	}
	assert(n == 20 * heap_slots_of_stride(104));
	assert(mprotect(region, LIMIT, PROT_READ | PROT_WRITE) == 0);
	heap_set_usable(LIMIT);
	last = heap_alloc_at_site(sites, 100, 1, 8);
	assert(last);
	heap_free(last);
	heap_test_start(HEAP_DIRECTORY_PAGES * HEAP_PAGE_BYTES);
	assert(!heap_new(int));
	heap_test_start(heap_bytes_for_pages(600, 1));
	for (n = 0; n < 600; n++) {
		assert(heap_alloc_at_site(sites, 3000, 1, 8));
	}
}

static void test_sizes(void)
{
	heap_test_start(LIMIT);
	assert(!heap_new_n(char, HEAP_OBJECT_MAX + 1));
	assert(!heap_new_n(uint64_t, SIZE_MAX / 4));
	assert(heap_new_n(char, HEAP_OBJECT_MAX));
	assert(heap_new_n(uint64_t, 0));
	heap_free(NULL);
	for (size_t n = 1; n < 9000; n++) {
		void *object = heap_new_n(char, n);

		assert(object);
		heap_free(object);
	}
}

static void test_sites_and_types(void)
{
	struct heap_object a, b;
	int(*array)[5];
	void (**function)(int);

	heap_test_start(LIMIT);
	array = heap_new(int[5]);
	function = heap_new(void (*)(int));
	assert(array && function);
	assert(heap_find(array, &a) && heap_find(&(*array)[5], &b) && a.start == b.start);
	assert(a.element_bytes == 20 && a.count == 1);
	assert(heap_find(function, &b) && b.site != a.site);
	assert(!heap_find(sites, &a) && !heap_find(region, &a));
}

static void test_layouts_differ(void)
{
	static const uint8_t other[32] = {9};
	uintptr_t first[64];
	int n_equal = 0;

	heap_test_start(LIMIT);
	for (int i = 0; i < 64; i++) {
		first[i] = (uintptr_t)heap_alloc_at_site(sites, 24, 1, 8);
	}
	memset(region, 0, LIMIT);
	heap_init((uintptr_t)region, LIMIT, LIMIT, other);
	for (int i = 0; i < 64; i++) {
		n_equal += first[i] == (uintptr_t)heap_alloc_at_site(sites, 24, 1, 8);
	}
	assert(n_equal < 8);
}

/* Run f in a child; it must end by assertion. */
static void expect_panic(void (*f)(char *), char *argument)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)!freopen("/dev/null", "w", stderr);
		f(argument);
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	        WTERMSIG(status) == SIGABRT);
}

static void free_twice(char *object)
{
	heap_free(object);
	heap_free(object);
}

static void free_inside(char *object)
{
	heap_free(object + 1);
}

static void free_foreign(char *object)
{
	heap_free(&object);
}

static void test_misuse(void)
{
	heap_test_start(LIMIT);
	expect_panic(free_twice, heap_new_n(char, 10));
	expect_panic(free_inside, heap_new_n(char, 10));
	expect_panic(free_foreign, NULL);
}

/* Places of two classes: all are found afterwards, the room left is used, all are freed. */
static void test_fill(void)
{
	enum { N = 1500 };
	static uint64_t objects[2 * N];
	struct heap_class single = {(uintptr_t)&sites[1], 40, 48, false};
	struct heap_class array = {(uintptr_t)&sites[2], 2, 64, true};
	struct heap_object found;
	struct heap_stats stats;
	uint64_t bytes = 0;

	heap_test_start(LIMIT);
	assert(heap_fill(&single, N, objects) && heap_fill(&array, N, objects + N));
	for (uint32_t i = 0; i < N; i++) {
		heap_fill_count(&array, objects[N + i], i % 32);
		bytes += 40 + i % 32 * 2;
	}
	heap_fill_done(bytes);
	for (uint32_t i = 0; i < 2 * N; i++) {
		assert(heap_find((void *)objects[i], &found) && found.start == objects[i]);
		assert(found.count == (i < N ? 1 : (i - N) % 32) && *(uint8_t *)objects[i] == 0);
		assert(found.site == (uintptr_t)&sites[i < N ? 1 : 2]);
	}
	heap_stats_get(&stats);
	assert(stats.n_objects == 2 * N && stats.object_bytes == bytes);
	for (uint32_t i = 0; i < 64; i++) {
		heap_free(heap_alloc_at_site(&sites[1], 40, 1, 8));
	}
	for (uint32_t i = 0; i < 2 * N; i++) {
		heap_free((void *)objects[i]);
	}
	heap_stats_get(&stats);
	assert(stats.n_objects == 0 && stats.object_bytes == 0);
	heap_test_start(heap_bytes_for_pages(3, 1));
	assert(!heap_fill(&single, 3 * heap_slots_of_stride(48) + 1, objects));
}

int main(void)
{
	test_random_use();
	test_populated_prefix();
	test_sizes();
	test_sites_and_types();
	test_layouts_differ();
	test_fill();
	test_misuse();
	return 0;
}
