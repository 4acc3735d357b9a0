/*
 * Before the switch, the old heap can be seen already, though its owner still runs and changes it.
 * What is found there says what will be needed: places are taken and dealt out for it, so that in
 * the blackout only the differences are left to do.
 *
 * A forecast is never believed: the walk in the blackout checks the heap as if there were none,
 * and then asks for each page whether what is there now was foreseen (state_forecast_meet()).
 * Places that were dealt to objects that are gone are spare; they serve objects that came, or are
 * given back. So the worst that a wrong forecast can do is work in vain. Errors made here are no
 * errors.
 *
 * Every word is copied out before it is looked at, once: its owner may change it between two
 * reads, and a check of the first would say nothing about the second. The new heap must not be
 * filled to its end by a guess, so a forecast that would leave no room is dropped.
 *
 *	page -> forecast: live slots, a place and a count for each
 *	            |
 *	            +-> batch: what the class still lacks, what is spare
 */
#include <string.h>

#include "osd/lib/heap/heap.h"
#include "osd/lib/state/heap/priv.h"

/* Room that is left in the new heap for what was not foreseen. */
#define FORECAST_SLACK_PAGES 16

/* A copy of what its owner may be changing. */
static void forecast_read(void *to, uint64_t from, size_t n)
{
	memcpy(to, (const void *)(uintptr_t)from, n);
	__asm__ volatile("" ::: "memory");
}

/*
 * Only what would pass the walk is worth a guess: a page of slots of a known site that has a
 * partner. Large objects are few, and made in the blackout.
 */
static bool forecast_entry_is_sane(const struct heap_page *entry, const struct state_site *site)
{
	return entry->kind == HEAP_PAGE_SMALL && site != NULL && site->new_addr != 0 &&
	       entry->element_bytes == site->size[STATE_OLD] && entry->stride >= HEAP_STRIDE_MIN &&
	       entry->stride <= HEAP_PAGE_BYTES && entry->n_slots > 0 &&
	       entry->n_slots <= heap_slots_of_stride(entry->stride);
}

/* Note the live slots of a page; slots that do not exist are left out. */
static void forecast_note(struct state_forecast *forecast, const struct heap_page *entry)
{
	for (unsigned w = 0; w < HEAP_SLOTS_MAX / 64; w++) {
		forecast->live[w] = entry->live[w] & state_slots_mask(entry->n_slots, w);
		forecast->batch->n += (uint64_t)__builtin_popcountll(forecast->live[w]);
	}
	forecast->n_slots = entry->n_slots;
	forecast->stride = entry->stride;
}

/*
 * Foresee one page. False: no scratch memory, and the whole forecast is given up. A page that
 * makes no sense is passed over; perhaps its owner was writing it.
 */
static bool forecast_page(struct state_heap *h, uint32_t page)
{
	struct state_forecast *forecast;
	struct state_site *site;
	struct heap_page entry;
	struct state_batch *batch;

	forecast_read(&entry, h->base + heap_entry_offset(page), sizeof(entry));
	site = entry.kind == HEAP_PAGE_SMALL ? state_site_find(h->sites, entry.site) : NULL;
	if (!forecast_entry_is_sane(&entry, site)) {
		return true;
	}
	if (!state_batch_get(h->report, site, entry.stride, entry.is_array != 0, &batch)) {
		return false;
	}
	if (batch == NULL) {
		return true;
	}
	forecast = state_keep(h->report, sizeof(*forecast));
	if (forecast == NULL) {
		return false;
	}
	forecast->place = state_keep(h->report, entry.n_slots * sizeof(*forecast->place));
	forecast->count = state_keep(h->report, entry.n_slots * sizeof(*forecast->count));
	if (forecast->place == NULL || forecast->count == NULL) {
		return false;
	}
	forecast->page = page;
	forecast->batch = batch;
	forecast_note(forecast, &entry);
	forecast->next = h->forecasts;
	h->forecasts = forecast;
	h->forecast_of_page[page] = forecast;
	return true;
}

/* A bitmap word without a bit skips the other 63 pages. */
static bool forecast_chunk(struct state_heap *h, uint32_t chunk)
{
	struct heap_chunk head;

	forecast_read(&head, h->base + chunk * HEAP_CHUNK_BYTES, sizeof(head));
	for (uint32_t i = HEAP_DIRECTORY_PAGES; i < HEAP_CHUNK_PAGES; i++) {
		uint32_t page = chunk * HEAP_CHUNK_PAGES + i;

		if (head.used[i / 64] == 0) {
			i |= 63;
			continue;
		}
		if ((head.used[i / 64] >> (i % 64) & 1) != 0 && page < h->n_foreseen &&
		        !forecast_page(h, page)) {
			return false;
		}
	}
	return true;
}

/*
 * All pages of all chunks that are open now. False: the root makes no sense, or there is no
 * memory.
 */
static bool forecast_read_heap(struct state_heap *h)
{
	uint64_t n_pages = h->size / HEAP_PAGE_BYTES;
	struct heap_root root;

	forecast_read(&root, h->root, sizeof(root));
	if (root.magic != HEAP_MAGIC || root.version != HEAP_VERSION || root.base != h->base ||
	        root.n_chunks > h->size / HEAP_CHUNK_BYTES) {
		return false;
	}
	n_pages = n_pages < (uint64_t)root.n_chunks * HEAP_CHUNK_PAGES
	                  ? n_pages
	                  : (uint64_t)root.n_chunks * HEAP_CHUNK_PAGES;
	h->forecast_of_page = state_keep(h->report, n_pages * sizeof(*h->forecast_of_page));
	if (h->forecast_of_page == NULL) {
		return false;
	}
	h->n_foreseen = (uint32_t)n_pages;
	for (uint32_t chunk = 0; chunk < root.n_chunks; chunk++) {
		if (!forecast_chunk(h, chunk)) {
			return false;
		}
	}
	return true;
}

/* Would the places fit, with something left for what comes? */
static bool forecast_fits(const struct state_heap *h)
{
	uint64_t n_pages = FORECAST_SLACK_PAGES + HEAP_DIRECTORY_PAGES;
	struct heap_stats stats;

	for (uint32_t i = 0; i < h->sites->n; i++) {
		for (const struct state_batch *b = h->sites->site[i].batches; b != NULL;
		        b = b->next) {
			n_pages += b->n / heap_slots_of_stride(b->class.stride) + 1;
		}
	}
	n_pages += n_pages / 8;
	heap_stats_get(&stats);
	return (stats.n_pages + n_pages) * HEAP_PAGE_BYTES <= stats.usable;
}

/* The places stay where they are: the array is the batch's store of spare ones later. */
static bool forecast_fill(struct state_heap *h)
{
	for (uint32_t i = 0; i < h->sites->n; i++) {
		for (struct state_batch *b = h->sites->site[i].batches; b != NULL; b = b->next) {
			uint64_t *places = state_keep(h->report, b->n * sizeof(*places));

			if (state_batch_fill(h->report, b, places) != STATE_OK) {
				return false;
			}
		}
	}
	return true;
}

/*
 * A place for each live slot. Counts of arrays are read once and brought into the stride's limits:
 * the new heap must be consistent whatever the old owner is doing.
 */
static void forecast_deal(struct state_heap *h, struct state_forecast *forecast)
{
	struct state_batch *batch = forecast->batch;
	uint64_t start = h->base + (uint64_t)forecast->page * HEAP_PAGE_BYTES;
	uint32_t last = forecast->n_slots - 1;
	uint64_t most = (batch->class.stride - 1) / batch->class.element_bytes;

	if (batch->class.is_array) {
		forecast_read(forecast->count, start + heap_count_offset(last),
		        forecast->n_slots * sizeof(*forecast->count));
	}
	for (uint32_t slot = 0; slot <= last; slot++) {
		uint16_t *count = &forecast->count[last - slot];
		uint64_t place;

		if ((forecast->live[slot / 64] >> (slot % 64) & 1) == 0) {
			continue;
		}
		place = state_batch_deal(h, batch);
		if (batch->class.is_array) {
			*count = *count <= most ? *count : 1;
			heap_fill_count(&batch->class, place, *count);
			forecast->n_elements += *count;
		}
		forecast->place[slot] = place;
	}
}

/* Give up; what was taken is spare. */
static void forecast_forget(struct state_heap *h)
{
	for (uint32_t i = 0; i < h->sites->n; i++) {
		for (struct state_batch *b = h->sites->site[i].batches; b != NULL; b = b->next) {
			b->n_spare = b->places != NULL ? b->n : 0;
			b->n = 0;
		}
	}
	h->forecasts = NULL;
	h->n_foreseen = 0;
}

/*
 * In three passes, as the walk does it: count by class, take the places at once, deal them out.
 * The spare places of a batch are kept in the array that the places came from: no more can become
 * spare than were taken.
 */
void state_heap_foresee(struct state_heap *h)
{
	if (h->root == 0 || h->size == 0) {
		return;
	}
	h->report->quiet = true;
	if (!forecast_read_heap(h) || !forecast_fits(h) || !forecast_fill(h)) {
		forecast_forget(h);
	}
	h->report->quiet = false;
	for (struct state_forecast *f = h->forecasts; f != NULL; f = f->next) {
		forecast_deal(h, f);
	}
	for (uint32_t i = 0; i < h->sites->n; i++) {
		for (struct state_batch *b = h->sites->site[i].batches; b != NULL; b = b->next) {
			b->spare = b->places;
		}
	}
}

/*
 * The objects of these slots (of word w of the bitmap) are gone: their places are spare. An
 * array's count goes back to 1, which is what the new heap takes a place to hold.
 */
static void forecast_drop(struct state_forecast *forecast, unsigned w, uint64_t gone)
{
	struct state_batch *batch = forecast->batch;

	for (; gone != 0; gone &= gone - 1) {
		uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(gone);

		if (batch->class.is_array) {
			heap_fill_count(&batch->class, forecast->place[slot], 1);
		}
		batch->spare[batch->n_spare++] = forecast->place[slot];
		forecast->place[slot] = 0;
	}
}

bool state_forecast_meet(const struct state_heap *h, uint64_t page, struct state_run *run)
{
	struct state_forecast *f = page < h->n_foreseen ? h->forecast_of_page[page] : NULL;

	if (f == NULL || f->batch != run->batch || f->n_slots != run->n_slots ||
	        f->stride != run->stride) {
		return false;
	}
	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		uint64_t gone = f->live[w] & ~run->live[w];

		if (gone != 0) {
			forecast_drop(f, w, gone);
			f->live[w] &= run->live[w];
			f->is_less = true;
		}
		run->batch->n += (uint64_t)__builtin_popcountll(run->live[w] & ~f->live[w]);
	}
	f->is_met = true;
	run->forecast = f;
	run->place = f->place;
	return true;
}

void state_forecast_end(struct state_heap *h)
{
	for (struct state_forecast *f = h->forecasts; f != NULL; f = f->next) {
		for (unsigned w = 0; !f->is_met && w * 64 < f->n_slots; w++) {
			forecast_drop(f, w, f->live[w]);
		}
	}
}
