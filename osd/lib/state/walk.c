/*
 * The old heap: every directory entry is checked against the description before anything is
 * taken from it. Then every live object is dealt a random one of the new places that were
 * made for its class, before any is filled: from then on every pointer can be mapped.
 */
#include "osd/lib/heap/heap.h"
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

static struct state_batch *batch_find(const struct state_site *site, size_t stride, bool is_array)
{
	struct state_batch *batch = site->batches;

	while (batch != NULL &&
	        (batch->class.stride != stride || batch->class.is_array != is_array)) {
		batch = batch->next;
	}
	return batch;
}

/* Have the objects of this run counted with those of their class, if that is known. */
static enum state_code walk_batch(
        struct state_transfer *t, struct state_run *run, bool is_array, uint64_t n)
{
	struct state_site *site = run->site;
	size_t stride =
	        is_array ? run->stride : heap_stride_of(site->size[STATE_NEW], 1, site->align);

	/* A new stride for arrays of all lengths of the page is known only if nothing changed. */
	if (site->new_addr == 0 || !heap_stride_is_small(stride) || stride % 8 != 0 ||
	        stride % site->align != 0 ||
	        (is_array && site->size[STATE_OLD] != site->size[STATE_NEW])) {
		return STATE_OK;
	}
	run->batch = batch_find(site, stride, is_array);
	if (run->batch == NULL) {
		run->batch = state_keep(t, sizeof(*run->batch));
		if (run->batch == NULL) {
			return STATE_E_SCRATCH;
		}
		run->batch->class = (struct heap_class){
		        .site = site->new_addr,
		        .element_bytes = site->size[STATE_NEW],
		        .stride = (uint32_t)stride,
		        .is_array = is_array,
		};
		run->batch->next = site->batches;
		site->batches = run->batch;
	}
	run->batch->n += n;
	return STATE_OK;
}

static enum state_code walk_small(
        struct state_transfer *t, struct state_run *run, const struct heap_page *entry)
{
	bool is_array = entry->is_array != 0;
	uint64_t n = 0;

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
		n += (uint64_t)__builtin_popcountll(run->live[w]);
	}
	run->n_live = (uint32_t)n;
	return walk_batch(t, run, is_array, n);
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
	run->n_live = 1;
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

/* Deals places out. The heap has drawn where they are; this unties them from the old order. */
static inline uint64_t walk_random(struct state_transfer *t, uint64_t below)
{
	t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (t->random >> 32) * below >> 32;
}

static enum state_code walk_full(struct state_transfer *t)
{
	return state_fail(t, STATE_E_ARENA, "new heap is full", 0);
}

/* A run whose objects get a random one each of their class's places. */
static enum state_code walk_deal(struct state_transfer *t, struct state_run *run)
{
	struct state_batch *batch = run->batch;
	uint64_t size = run->site->size[STATE_OLD];

	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = run->live[w]; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);
			uint64_t k = walk_random(t, batch->n);
			uint64_t place = batch->places[k];

			batch->places[k] = batch->places[--batch->n];
			run->place[slot] = place;
			if (batch->class.is_array) {
				uint64_t count = state_slot_count(run, slot);

				if (count * size >= run->stride) {
					return walk_fail(t,
					        "old heap object is larger than its slot", place);
				}
				heap_fill_count(&batch->class, place, (uint32_t)count);
				t->heap.n_bytes_placed += count * size;
			}
		}
	}
	return STATE_OK;
}

/* A run whose objects differ in their new size: one by one. */
static enum state_code walk_single(struct state_transfer *t, struct state_run *run)
{
	const struct state_site *site = run->site;

	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = run->live[w]; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);
			uint64_t count = state_slot_count(run, slot);
			void *object;

			if (count * site->size[STATE_OLD] >= run->stride) {
				return walk_fail(
				        t, "old heap object is larger than its slot", slot);
			}
			object = heap_alloc_at_site((const void *)(uintptr_t)site->new_addr,
			        site->size[STATE_NEW], count, site->align);
			if (object == NULL) {
				return walk_full(t);
			}
			run->place[slot] = (uint64_t)(uintptr_t)object;
		}
	}
	return STATE_OK;
}

/* Places for all objects whose class is known, on the stack of scratch memory. */
static enum state_code walk_fill(struct state_transfer *t)
{
	for (uint32_t i = 0; i < t->n_sites; i++) {
		for (struct state_batch *b = t->sites[i].batches; b != NULL; b = b->next) {
			b->places = state_stack(t, b->n * sizeof(*b->places));
			if (b->places == NULL) {
				return STATE_E_SCRATCH;
			}
			if (!heap_fill(&b->class, b->n, b->places)) {
				return walk_full(t);
			}
			if (!b->class.is_array) {
				t->heap.n_bytes_placed += b->n * b->class.element_bytes;
			}
		}
	}
	return STATE_OK;
}

static enum state_code walk_place(struct state_transfer *t)
{
	uint64_t high = t->high;
	enum state_code code = walk_fill(t);

	for (uint32_t r = 1; code == STATE_OK && r < t->heap.n_runs; r++) {
		struct state_run *run = &t->heap.runs[r];

		if (run->site->new_addr == 0) {
			run->site->n_dropped += run->n_live;
			continue;
		}
		t->heap.n_objects += run->n_live;
		code = run->batch != NULL ? walk_deal(t, run) : walk_single(t, run);
	}
	t->high = high;
	heap_fill_done(t->heap.n_bytes_placed);
	return code;
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
		code = walk_place(t);
	}
	return code == STATE_OK ? walk_dropped(t) : code;
}
