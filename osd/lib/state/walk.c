/*
 * The old heap: every directory entry is checked against the description before anything is
 * taken from it. Live objects are listed in a random order and given their new places
 * in that order, before any is filled: from then on every pointer can be mapped.
 */
#include "osd/lib/heap/heap.h"
#include "osd/lib/heap/heap_batch.h"
#include "osd/lib/state/priv.h"

static const uint64_t walk_one_slot = 1;

static enum state_code walk_fail(struct state_transfer *t, const char *what, uint64_t value)
{
	return state_fail(t, STATE_E_HEAP, what, value);
}

static const struct heap_root *walk_root(struct state_transfer *t)
{
	const struct heap_root *root = (const void *)(uintptr_t)t->heap_root;

	if (root->magic != HEAP_MAGIC || root->version != HEAP_VERSION) {
		(void)walk_fail(t, "old heap has another format", root->version);
		return NULL;
	}
	if (root->base != t->heap.base || root->base % HEAP_PAGE_BYTES != 0 ||
	        root->n_chunks > t->heap.size / HEAP_CHUNK_BYTES + 1) {
		(void)walk_fail(t, "old heap is not where it belongs", root->base);
		return NULL;
	}
	return root;
}

static const struct heap_page *walk_entry(const struct state_transfer *t, uint64_t page)
{
	return (const void *)(uintptr_t)(t->heap.base + heap_entry_offset(page));
}

/* The pages that a chunk says are used, directory aside; word w of its bitmap. */
static uint64_t walk_used(const struct state_transfer *t, uint64_t chunk, unsigned w)
{
	const struct heap_chunk *head =
	        (const void *)(uintptr_t)(t->heap.base + chunk * HEAP_CHUNK_BYTES);
	uint64_t word = head->used[w];

	return w == 0 ? word & ~((UINT64_C(1) << HEAP_DIRECTORY_PAGES) - 1) : word;
}

/* How many slots of a word of a live bitmap exist. */
static uint64_t walk_mask(uint32_t n_slots, unsigned w)
{
	if (n_slots <= w * 64) {
		return 0;
	}
	return n_slots >= w * 64 + 64 ? UINT64_MAX : (UINT64_C(1) << (n_slots - w * 64)) - 1;
}

/* The batch of new objects that objects of this run belong to; NULL: they are allocated one by one.
 */
static enum state_code walk_batch(struct state_transfer *t, struct state_run *run, bool is_array)
{
	struct state_site *site = run->site;
	size_t stride =
	        is_array ? run->stride : heap_stride_of(site->size[STATE_NEW], 1, site->align);
	struct state_batch *batch = site->batches;

	/* A new stride for arrays of all lengths of the page is known only if nothing changed. */
	if (site->new_addr == 0 || !heap_stride_is_small(stride) || stride % 8 != 0 ||
	        stride % site->align != 0 ||
	        (is_array && site->size[STATE_OLD] != site->size[STATE_NEW])) {
		return STATE_OK;
	}
	while (batch != NULL &&
	        (batch->heap.stride != stride || batch->heap.is_array != is_array)) {
		batch = batch->next;
	}
	if (batch == NULL) {
		batch = state_keep(t, sizeof(*batch));
		if (batch == NULL) {
			return STATE_E_SCRATCH;
		}
		heap_batch_open(&batch->heap, site->new_addr, site->size[STATE_NEW],
		        (uint32_t)stride, is_array);
		batch->next = site->batches;
		site->batches = batch;
	}
	run->batch = &batch->heap;
	return STATE_OK;
}

static enum state_code walk_small(
        struct state_transfer *t, struct state_run *run, const struct heap_page *entry)
{
	bool is_array = entry->is_array != 0;

	run->stride = entry->stride;
	run->n_slots = entry->n_slots;
	run->live = entry->live;
	run->count = is_array ? STATE_COUNT_IN_PAGE : 1;
	if (run->stride < HEAP_STRIDE_MIN || run->stride > HEAP_PAGE_BYTES || run->n_slots == 0 ||
	        run->n_slots > heap_slots_of_stride(run->stride) ||
	        (!is_array && run->site->size[STATE_OLD] >= run->stride)) {
		return walk_fail(t, "old heap page has a bad stride", run->start);
	}
	for (unsigned w = 0; w < HEAP_SLOTS_MAX / 64; w++) {
		if ((run->live[w] & ~walk_mask(run->n_slots, w)) != 0) {
			return walk_fail(t, "old heap page has too many objects", run->start);
		}
		t->heap.n_objects += (uint64_t)__builtin_popcountll(run->live[w]);
	}
	return walk_batch(t, run, is_array);
}

static enum state_code walk_large(struct state_transfer *t, struct state_run *run,
        const struct heap_page *entry, uint64_t page)
{
	uint64_t in_chunk = HEAP_CHUNK_PAGES - page % HEAP_CHUNK_PAGES;
	uint64_t bytes = (uint64_t)entry->span * HEAP_PAGE_BYTES;

	if (entry->span == 0 || entry->span > in_chunk ||
	        (page + entry->span) * HEAP_PAGE_BYTES > t->heap.size ||
	        entry->count > (bytes - 1) / run->site->size[STATE_OLD]) {
		return walk_fail(t, "old heap object is larger than its pages", run->start);
	}
	run->stride = (uint32_t)bytes;
	run->n_slots = 1;
	run->live = &walk_one_slot;
	run->count = entry->count;
	t->heap.n_objects++;
	return STATE_OK;
}

/* Enter pages [page, page + n) as those of the newest run. */
static enum state_code walk_claim(struct state_transfer *t, uint64_t page, uint64_t n)
{
	for (uint64_t i = page; i < page + n; i++) {
		if (t->heap.run_of_page[i] != 0) {
			return walk_fail(t, "old heap objects overlap in page", i);
		}
		t->heap.run_of_page[i] = t->heap.n_runs - 1;
	}
	return STATE_OK;
}

static enum state_code walk_page(struct state_transfer *t, uint64_t page)
{
	const struct heap_page *entry = walk_entry(t, page);
	struct state_run *run = &t->heap.runs[t->heap.n_runs];
	enum state_code code;

	if (entry->kind == HEAP_PAGE_TAIL) {
		return STATE_OK;
	}
	run->start = t->heap.base + page * HEAP_PAGE_BYTES;
	run->site = state_site_find(t, entry->site);
	if (run->site == NULL || entry->element_bytes != run->site->size[STATE_OLD]) {
		return walk_fail(t, "old heap page is of no known site", entry->site);
	}
	if (entry->kind != HEAP_PAGE_SMALL && entry->kind != HEAP_PAGE_LARGE) {
		return walk_fail(t, "old heap page is of no known kind", entry->kind);
	}
	code = entry->kind == HEAP_PAGE_SMALL ? walk_small(t, run, entry)
	                                      : walk_large(t, run, entry, page);
	if (code != STATE_OK) {
		return code;
	}
	run->place = state_keep(t, run->n_slots * sizeof(*run->place));
	if (run->place == NULL) {
		return STATE_E_SCRATCH;
	}
	t->heap.n_runs++;
	return walk_claim(t, page,
	        run->n_slots == 1 && run->live == &walk_one_slot ? run->stride / HEAP_PAGE_BYTES
	                                                         : 1);
}

static enum state_code walk_chunk(struct state_transfer *t, uint64_t chunk)
{
	for (unsigned w = 0; w < HEAP_CHUNK_PAGES / 64; w++) {
		uint64_t word = walk_used(t, chunk, w);

		for (; word != 0; word &= word - 1) {
			uint64_t page =
			        chunk * HEAP_CHUNK_PAGES + w * 64 + (uint64_t)__builtin_ctzll(word);
			enum state_code code;

			if (page >= t->heap.n_pages) {
				return walk_fail(t, "old heap uses a page behind its end", page);
			}
			code = walk_page(t, page);
			if (code != STATE_OK) {
				return code;
			}
		}
	}
	return STATE_OK;
}

/* Tables for all pages of the chunks in use. */
static enum state_code walk_tables(struct state_transfer *t, uint64_t n_chunks)
{
	uint64_t n_runs = 0;
	uint64_t n_pages = t->heap.size / HEAP_PAGE_BYTES;

	n_pages = n_pages < n_chunks * HEAP_CHUNK_PAGES ? n_pages : n_chunks * HEAP_CHUNK_PAGES;
	if (n_chunks > 0 && n_pages < (n_chunks - 1) * HEAP_CHUNK_PAGES + HEAP_DIRECTORY_PAGES) {
		return walk_fail(t, "old heap has a directory behind its end", n_chunks);
	}
	for (uint64_t chunk = 0; chunk < n_chunks; chunk++) {
		for (unsigned w = 0; w < HEAP_CHUNK_PAGES / 64; w++) {
			n_runs += (uint64_t)__builtin_popcountll(walk_used(t, chunk, w));
		}
	}
	t->heap.n_pages = (uint32_t)n_pages;
	t->heap.n_bytes = n_pages * HEAP_PAGE_BYTES;
	t->heap.n_runs = 1;
	t->heap.run_of_page = state_keep(t, n_pages * sizeof(*t->heap.run_of_page));
	t->heap.runs = state_keep(t, (n_runs + 1) * sizeof(*t->heap.runs));
	return t->heap.run_of_page != NULL && t->heap.runs != NULL ? STATE_OK : STATE_E_SCRATCH;
}

/* SplitMix64. The heap draws the places; this only unties them from the old order. */
static uint64_t walk_random(struct state_transfer *t, uint64_t below)
{
	uint64_t z = t->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (uint64_t)((__extension__(unsigned __int128) z * below) >> 64);
}

/* Counts that are in the page are checked here, before anything uses them. */
static enum state_code walk_counts(struct state_transfer *t, const struct state_run *run)
{
	uint32_t size = run->site->size[STATE_OLD];

	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = run->live[w]; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);

			if (state_slot_count(run, slot) * size >= run->stride) {
				return walk_fail(t, "old heap object is larger than its slot",
				        run->start + (uint64_t)slot * run->stride);
			}
		}
	}
	return STATE_OK;
}

static uint64_t walk_list_run(struct state_transfer *t, uint32_t r, uint64_t n)
{
	const struct state_run *run = &t->heap.runs[r];
	struct state_ref *order = t->heap.order;

	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = run->live[w]; word != 0; word &= word - 1) {
			uint64_t k = walk_random(t, n + 1);

			order[n++] = order[k];
			order[k].run = r;
			order[k].slot = w * 64 + (uint32_t)__builtin_ctzll(word);
		}
	}
	return n;
}

static void walk_drop(struct state_run *run)
{
	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		run->site->n_dropped += (uint32_t)__builtin_popcountll(run->live[w]);
	}
}

static enum state_code walk_list(struct state_transfer *t)
{
	uint64_t n = 0;

	t->heap.order = state_keep(t, t->heap.n_objects * sizeof(*t->heap.order));
	if (t->heap.order == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint32_t r = 1; r < t->heap.n_runs; r++) {
		struct state_run *run = &t->heap.runs[r];

		if (run->count == STATE_COUNT_IN_PAGE && walk_counts(t, run) != STATE_OK) {
			return STATE_E_HEAP;
		}
		if (run->site->new_addr == 0) {
			walk_drop(run);
		} else {
			n = walk_list_run(t, r, n);
		}
	}
	t->heap.n_objects = n;
	return STATE_OK;
}

/* Objects without a place in the new release. */
static enum state_code walk_dropped(struct state_transfer *t)
{
	for (uint32_t i = 0; i < t->n_sites; i++) {
		const struct state_site *site = &t->sites[i];
		enum state_code code;

		if (site->n_dropped == 0) {
			continue;
		}
		code = state_removed(
		        t, "removed heap ", site->type[STATE_OLD], "", site->n_dropped);
		if (code != STATE_OK) {
			return code;
		}
	}
	return STATE_OK;
}

static void *walk_object(const struct state_run *run, uint32_t slot)
{
	const struct state_site *site = run->site;
	uint64_t count = state_slot_count(run, slot);

	return run->batch != NULL ? heap_batch_take(run->batch, (uint32_t)count)
	                          : heap_alloc_at_site((const void *)(uintptr_t)site->new_addr,
	                                    site->size[STATE_NEW], count, site->align);
}

static enum state_code walk_allocate(struct state_transfer *t)
{
	const struct state_ref *ref = t->heap.order;
	const struct state_ref *end = ref + t->heap.n_objects;

	for (; ref < end; ref++) {
		const struct state_run *run = &t->heap.runs[ref->run];
		void *object = walk_object(run, ref->slot);

		if (object == NULL) {
			return state_fail(t, STATE_E_ARENA, "new heap is full, objects left",
			        (uint64_t)(end - ref));
		}
		run->place[ref->slot] = (uint64_t)(uintptr_t)object;
	}
	for (uint32_t i = 0; i < t->n_sites; i++) {
		for (struct state_batch *b = t->sites[i].batches; b != NULL; b = b->next) {
			heap_batch_close(&b->heap);
		}
	}
	return STATE_OK;
}

enum state_code state_walk(struct state_transfer *t)
{
	const struct heap_root *root;
	enum state_code code;

	if (t->heap_root == 0 || t->heap.size == 0) {
		return STATE_OK;
	}
	root = walk_root(t);
	if (root == NULL) {
		return STATE_E_HEAP;
	}
	code = walk_tables(t, root->n_chunks);
	for (uint64_t chunk = 0; code == STATE_OK && chunk < root->n_chunks; chunk++) {
		code = walk_chunk(t, chunk);
	}
	if (code == STATE_OK) {
		code = walk_list(t);
	}
	if (code == STATE_OK) {
		code = walk_dropped(t);
	}
	return code == STATE_OK ? walk_allocate(t) : code;
}
