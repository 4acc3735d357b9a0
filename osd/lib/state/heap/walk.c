/*
 * In the blackout the old heap is read where it lies, and every live object gets its new place.
 * This comes before any object is filled: from then on each pointer, whatever it leads to, can be
 * mapped at once, and cycles need no second pass.
 *
 * The old side may have been taken over, so its directory is input from an enemy. Nothing is read
 * but what lies between the base and the size that RS gave; each number of a directory entry is
 * checked against that, and against the site's type in the description, before anything is
 * computed from it. What was checked is kept in runs (old_heap.h); pointer.c and run.c look at
 * those, not at the directory again. The old instance
 * stands still: nothing changes between check and use.
 *
 *	root -> chunks -> used pages -> entry: site, stride, slots, bitmap
 *	           walk_tables  walk_page  walk_small walk_large      one run for each page or object
 *	run -> batch of its class -> places -> run->place[slot]       walk_place, at random
 *
 * Refused here with STATE_E_HEAP: another format, a page past the end, a site that the release
 * does not have, an element size that is not the type's, more slots than fit, two objects on one
 * page, an array longer than its slot. With STATE_E_SIZE: an object that the new release makes
 * larger than a heap's largest. An object whose site has no partner is counted as lost.
 *
 * Not checked here: what is inside objects. That is the plans' work, and pointer.c's.
 */
#include <string.h>

#include "osd/lib/heap/heap.h"
#include "osd/lib/state/heap/priv.h"

static const uint64_t walk_one_slot = 1;

static enum state_code walk_fail(struct state_report *r, const char *what, uint64_t value)
{
	return state_fail(r, STATE_E_HEAP, what, value);
}

/* For words: the page, never its address. */
static uint64_t walk_page_number(const struct state_heap *h, uint64_t addr)
{
	return (addr - h->base) / HEAP_PAGE_BYTES;
}

/*
 * The old heap's root, at the address that the old release's variable has. NULL: refused. The base
 * in it must be RS's; one chunk more than the size holds is allowed, since the last may be cut
 * off.
 */
static const struct heap_root *walk_root(struct state_heap *h)
{
	const struct heap_root *root = (const void *)(uintptr_t)h->root;

	if (root->magic != HEAP_MAGIC || root->version != HEAP_VERSION) {
		(void)walk_fail(h->report, "old heap has another format", root->version);
		return NULL;
	}
	if (root->base != h->base || root->base % HEAP_PAGE_BYTES != 0 ||
	        root->n_chunks > h->size / HEAP_CHUNK_BYTES + 1) {
		(void)walk_fail(h->report, "old heap is not where it belongs", 0);
		return NULL;
	}
	return root;
}

/*
 * A page's entry in its chunk's directory. walk_tables() has made sure that the directories of all
 * pages below n_pages are inside the heap.
 */
static const struct heap_page *walk_entry(const struct state_heap *h, uint64_t page)
{
	return (const void *)(uintptr_t)(h->base + heap_entry_offset(page));
}

/* The pages that a chunk says are used, directory aside; word w of its bitmap. */
static uint64_t walk_used(const struct state_heap *h, uint64_t chunk, unsigned w)
{
	const struct heap_chunk *head =
	        (const void *)(uintptr_t)(h->base + chunk * HEAP_CHUNK_BYTES);
	uint64_t word = head->used[w];

	return w == 0 ? word & ~((UINT64_C(1) << HEAP_DIRECTORY_PAGES) - 1) : word;
}

/* Have the objects of this run counted with those of their class, if that is known and they were
 * not foreseen. */
static enum state_code walk_batch(
        struct state_heap *h, struct state_run *run, uint64_t page, bool is_array)
{
	if (!state_batch_get(h->report, run->site, run->stride, is_array, &run->batch)) {
		return STATE_E_SCRATCH;
	}
	if (run->batch != NULL && !state_forecast_meet(h, page, run)) {
		run->batch->n += run->n_live;
	}
	if (run->batch != NULL && !is_array) {
		h->n_bytes_placed += (uint64_t)run->n_live * run->site->size[STATE_NEW];
	}
	return STATE_OK;
}

/*
 * A page of slots. The stride, the number of slots and the bitmap must fit each other and the
 * page, so that start + slot * stride stays inside for every bit that is set. Counts of arrays lie
 * in the page itself and are checked when they are read (walk_count(), walk_single()).
 */
static enum state_code walk_small(
        struct state_heap *h, struct state_run *run, const struct heap_page *entry, uint64_t page)
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
		return walk_fail(h->report, "old heap page has a bad stride",
		        walk_page_number(h, run->start));
	}
	for (unsigned w = 0; w < HEAP_SLOTS_MAX / 64; w++) {
		if ((run->live[w] & ~state_slots_mask(run->n_slots, w)) != 0) {
			return walk_fail(h->report, "old heap page has too many objects",
			        walk_page_number(h, run->start));
		}
		n += (uint64_t)__builtin_popcountll(run->live[w]);
	}
	run->n_live = (uint32_t)n;
	return walk_batch(h, run, page, is_array);
}

/*
 * One object over several pages, which all must lie in its chunk and below the heap's end; so many
 * elements must fit them, with the byte behind the last one (a pointer there still means this
 * object).
 */
static enum state_code walk_large(
        struct state_heap *h, struct state_run *run, const struct heap_page *entry, uint64_t page)
{
	uint64_t in_chunk = HEAP_CHUNK_PAGES - page % HEAP_CHUNK_PAGES;
	uint64_t bytes = (uint64_t)entry->span * HEAP_PAGE_BYTES;

	if (entry->span == 0 || entry->span > in_chunk ||
	        (page + entry->span) * HEAP_PAGE_BYTES > h->size ||
	        entry->count > (bytes - 1) / run->site->size[STATE_OLD]) {
		return walk_fail(h->report, "old heap object is larger than its pages",
		        walk_page_number(h, run->start));
	}
	run->stride = (uint32_t)bytes;
	run->n_slots = 1;
	run->live = &walk_one_slot;
	run->count = entry->count;
	run->n_live = 1;
	return STATE_OK;
}

/* Enter pages [page, page + n) as those of the newest run. */
static enum state_code walk_claim(struct state_heap *h, uint64_t page, uint64_t n)
{
	for (uint64_t i = page; i < page + n; i++) {
		if (h->run_of_page[i] != 0) {
			return walk_fail(h->report, "old heap objects overlap in page", i);
		}
		h->run_of_page[i] = h->n_runs - 1;
	}
	return STATE_OK;
}

/* Enter the page as a run, unless it is the tail of a large object, which its head claims. */
static enum state_code walk_page(struct state_heap *h, uint64_t page)
{
	const struct heap_page *entry = walk_entry(h, page);
	struct state_run *run = &h->runs[h->n_runs];
	enum state_code code;

	if (entry->kind == HEAP_PAGE_TAIL) {
		return STATE_OK;
	}
	run->start = h->base + page * HEAP_PAGE_BYTES;
	run->site = state_site_find(h->sites, entry->site);
	if (run->site == NULL || entry->element_bytes != run->site->size[STATE_OLD]) {
		return walk_fail(h->report, "old heap page is of no known site", page);
	}
	if (entry->kind != HEAP_PAGE_SMALL && entry->kind != HEAP_PAGE_LARGE) {
		return walk_fail(h->report, "old heap page is of no known kind", entry->kind);
	}
	code = entry->kind == HEAP_PAGE_SMALL ? walk_small(h, run, entry, page)
	                                      : walk_large(h, run, entry, page);
	if (code != STATE_OK) {
		return code;
	}
	if (run->place == NULL) {
		run->place = state_keep(h->report, run->n_slots * sizeof(*run->place));
	}
	if (run->place == NULL) {
		return STATE_E_SCRATCH;
	}
	h->n_runs++;
	return walk_claim(h, page,
	        run->n_slots == 1 && run->live == &walk_one_slot ? run->stride / HEAP_PAGE_BYTES
	                                                         : 1);
}

/* All used pages of a chunk, in their order; the pages of the directory are not among them. */
static enum state_code walk_chunk(struct state_heap *h, uint64_t chunk)
{
	for (unsigned w = 0; w < HEAP_CHUNK_PAGES / 64; w++) {
		uint64_t word = walk_used(h, chunk, w);

		for (; word != 0; word &= word - 1) {
			uint64_t page =
			        chunk * HEAP_CHUNK_PAGES + w * 64 + (uint64_t)__builtin_ctzll(word);
			enum state_code code;

			if (page >= h->n_pages) {
				return walk_fail(
				        h->report, "old heap uses a page behind its end", page);
			}
			code = walk_page(h, page);
			if (code != STATE_OK) {
				return code;
			}
		}
	}
	return STATE_OK;
}

/*
 * Room for one run per used page, and the table from page to run, which is what makes a pointer's
 * look-up one step. Refuses a heap whose last directory would lie behind its end: after this
 * walk_entry() and walk_used() are safe for all chunks.
 */
static enum state_code walk_tables(struct state_heap *h, uint64_t n_chunks)
{
	uint64_t n_runs = 0;
	uint64_t n_pages = h->size / HEAP_PAGE_BYTES;

	n_pages = n_pages < n_chunks * HEAP_CHUNK_PAGES ? n_pages : n_chunks * HEAP_CHUNK_PAGES;
	if (n_chunks > 0 && n_pages < (n_chunks - 1) * HEAP_CHUNK_PAGES + HEAP_DIRECTORY_PAGES) {
		return walk_fail(h->report, "old heap has a directory behind its end", n_chunks);
	}
	for (uint64_t chunk = 0; chunk < n_chunks; chunk++) {
		for (unsigned w = 0; w < HEAP_CHUNK_PAGES / 64; w++) {
			n_runs += (uint64_t)__builtin_popcountll(walk_used(h, chunk, w));
		}
	}
	h->n_pages = (uint32_t)n_pages;
	h->n_bytes = n_pages * HEAP_PAGE_BYTES;
	h->n_runs = 1;
	h->run_of_page = state_keep(h->report, n_pages * sizeof(*h->run_of_page));
	h->runs = state_keep(h->report, (n_runs + 1) * sizeof(*h->runs));
	if (h->run_of_page == NULL || h->runs == NULL) {
		return STATE_E_SCRATCH;
	}
	h->runs[0].stride = 1;
	return STATE_OK;
}

/* A clean failure: RS tries once more with a larger arena. */
static enum state_code walk_full(struct state_report *r)
{
	return state_fail(r, STATE_E_ARENA, "new heap is full", 0);
}

/* An array keeps its length. `known`: what the heap was told of it already. */
static inline enum state_code walk_count(
        struct state_heap *h, const struct state_run *run, uint32_t slot, uint64_t known)
{
	uint64_t count = state_slot_count(run, slot);
	uint64_t bytes = count * run->site->size[STATE_OLD];

	if (bytes >= run->stride) {
		return walk_fail(h->report, "old heap object is larger than its slot in page",
		        walk_page_number(h, run->start));
	}
	if (count != known) {
		heap_fill_count(&run->batch->class, run->place[slot], (uint32_t)count);
	}
	h->n_bytes_placed += bytes;
	return STATE_OK;
}

/*
 * Do all slots of the page have the counts that were foreseen? Four counts at a time: most pages
 * of strings are as they were, and this is all that they cost then.
 */
static bool walk_counts_are(const struct state_run *run, const uint16_t *foreseen)
{
	const uint16_t *count =
	        (const void *)(uintptr_t)(run->start + heap_count_offset(run->n_slots - 1));
	uint32_t i = 0;
	uint64_t differ = 0;

	for (; i + 4 <= run->n_slots; i += 4) {
		uint64_t is;
		uint64_t was;

		memcpy(&is, count + i, sizeof(is));
		memcpy(&was, foreseen + i, sizeof(was));
		differ |= is ^ was;
	}
	for (; i < run->n_slots; i++) {
		differ |= count[i] ^ foreseen[i];
	}
	return differ == 0;
}

/* Objects that were foreseen have their places; arrays may have changed their lengths. Lengths that
 * are as foreseen were checked then. */
static enum state_code walk_foreseen(struct state_heap *h, const struct state_run *run)
{
	const struct state_forecast *forecast = run->forecast;

	if (!forecast->is_less && walk_counts_are(run, forecast->count)) {
		h->n_bytes_placed += forecast->n_elements * run->site->size[STATE_OLD];
		return STATE_OK;
	}
	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = forecast->live[w]; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);
			uint16_t known = forecast->count[run->n_slots - 1 - slot];
			enum state_code code = walk_count(h, run, slot, known);

			if (code != STATE_OK) {
				return code;
			}
		}
	}
	return STATE_OK;
}

/*
 * A run whose class is known: each object gets a random place of the class, unless it was foreseen
 * and has one. walk_fill() has taken as many places as are missing.
 */
static enum state_code walk_deal(struct state_heap *h, struct state_run *run)
{
	bool is_array = run->batch->class.is_array;

	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		uint64_t word = run->live[w];

		word &= run->forecast != NULL ? ~run->forecast->live[w] : UINT64_MAX;
		for (; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);
			enum state_code code = STATE_OK;

			run->place[slot] = state_batch_deal(h, run->batch);
			if (is_array) {
				code = walk_count(h, run, slot, 1);
			}
			if (code != STATE_OK) {
				return code;
			}
		}
	}
	return is_array && run->forecast != NULL ? walk_foreseen(h, run) : STATE_OK;
}

/*
 * An object that is larger now than any may be is refused as such: a larger arena would not help,
 * so it must not be asked for.
 */
static enum state_code walk_allocate(
        struct state_report *r, const struct state_site *site, uint64_t count, uint64_t *ret)
{
	uint64_t bytes = count * site->size[STATE_NEW];
	void *object;

	if (bytes > HEAP_OBJECT_MAX) {
		return state_fail_size(r, site->entry[STATE_OLD], bytes, HEAP_OBJECT_MAX);
	}
	object = heap_alloc_at_site(
	        (const void *)(uintptr_t)site->new_addr, site->size[STATE_NEW], count, site->align);
	if (object == NULL) {
		return walk_full(r);
	}
	*ret = (uint64_t)(uintptr_t)object;
	return STATE_OK;
}

/* A run whose objects differ in their new size, or are large: the new heap allocates one by one. */
static enum state_code walk_single(struct state_report *r, struct state_run *run)
{
	const struct state_site *site = run->site;

	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = run->live[w]; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);
			uint64_t count = state_slot_count(run, slot);
			enum state_code code;

			if (count * site->size[STATE_OLD] >= run->stride) {
				return walk_fail(
				        r, "old heap object is larger than its slot", slot);
			}
			code = walk_allocate(r, site, count, &run->place[slot]);
			if (code != STATE_OK) {
				return code;
			}
		}
	}
	return STATE_OK;
}

/* Places for all objects whose class is known and that have none, on the stack of scratch memory;
 * spare ones go first. */
static enum state_code walk_fill(struct state_heap *h)
{
	for (uint32_t i = 0; i < h->sites->n; i++) {
		for (struct state_batch *b = h->sites->site[i].batches; b != NULL; b = b->next) {
			enum state_code code;

			b->n = b->n > b->n_spare ? b->n - b->n_spare : 0;
			if (b->n == 0) {
				continue;
			}
			code = state_batch_fill(
			        h->report, b, state_stack(h->report, b->n * sizeof(*b->places)));
			if (code != STATE_OK) {
				return code;
			}
		}
	}
	return STATE_OK;
}

/* Places that were taken for objects that are gone. */
static void walk_give_back(struct state_heap *h)
{
	for (uint32_t i = 0; i < h->sites->n; i++) {
		for (struct state_batch *b = h->sites->site[i].batches; b != NULL; b = b->next) {
			while (b->n_spare > 0) {
				uint64_t place = b->spare[--b->n_spare];

				h->n_bytes_placed += b->class.element_bytes;
				heap_free((void *)(uintptr_t)place);
			}
		}
	}
}

/*
 * Give every object of every run its place: count what the classes lack, take it, deal it, and
 * give back what was foreseen in vain. The arrays of places live on the scratch stack only
 * meanwhile.
 */
static enum state_code walk_place(struct state_heap *h)
{
	uint64_t high = h->report->scratch.high;
	enum state_code code;

	state_forecast_end(h);
	code = walk_fill(h);
	for (uint32_t r = 1; code == STATE_OK && r < h->n_runs; r++) {
		struct state_run *run = &h->runs[r];

		if (run->site->new_addr == 0) {
			run->site->n_dropped += run->n_live;
			continue;
		}
		h->n_objects += run->n_live;
		code = run->batch != NULL ? walk_deal(h, run) : walk_single(h->report, run);
	}
	h->report->scratch.high = high;
	walk_give_back(h);
	heap_fill_done(h->n_bytes_placed);
	return code;
}

/* Objects without a place in the new release. */
static enum state_code walk_dropped(struct state_heap *h)
{
	for (uint32_t i = 0; i < h->sites->n; i++) {
		const struct state_site *site = &h->sites->site[i];

		if (site->n_dropped > 0) {
			state_lose_objects(h->report, site->entry[STATE_OLD], site->n_dropped);
		}
	}
	return state_loss_check(h->report);
}

/*
 * Runs for all pages first, places after: what the heap must hold is known before the first object
 * is made. A release without a heap, or a heap of no size, is an empty one.
 */
enum state_code state_walk(struct state_heap *h)
{
	const struct heap_root *root;
	enum state_code code;

	if (h->root == 0 || h->size == 0) {
		return STATE_OK;
	}
	root = walk_root(h);
	if (root == NULL) {
		return STATE_E_HEAP;
	}
	code = walk_tables(h, root->n_chunks);
	for (uint64_t chunk = 0; code == STATE_OK && chunk < root->n_chunks; chunk++) {
		code = walk_chunk(h, chunk);
	}
	if (code == STATE_OK) {
		code = walk_place(h);
	}
	return code == STATE_OK ? walk_dropped(h) : code;
}
