/* A bitmap (set: free) searched from where the last search ended. */
#include "osd/servers/vm/frame.h"

#include <assert.h>
#include <string.h>

static uint64_t *bitmap;
static struct frame_run *runs;
static paddr_t first_pa;
static uint64_t n_frames, n_free, next_search;

uint64_t frame_storage_bytes(uint64_t n)
{
	return (n + 63) / 64 * 8 + n * sizeof(struct frame_run);
}

void frame_init(void *storage, paddr_t base, uint64_t n)
{
	bitmap = storage;
	memset(bitmap, 0, (n + 63) / 64 * 8);
	runs = (void *)(bitmap + (n + 63) / 64);
	first_pa = base;
	n_frames = n;
	n_free = 0;
	next_search = 0;
}

static bool frame_bit_is_free(uint64_t frame)
{
	return bitmap[frame / 64] >> (frame % 64) & 1;
}

static uint64_t frame_of(paddr_t pa)
{
	assert(pa >= first_pa && (pa - first_pa) / PAGE_SIZE < n_frames);
	return (pa - first_pa) / PAGE_SIZE;
}

/* The bits of [frame, end) that are in the word of `frame`: runs are long, and all memory is given at the start. */
static uint64_t frame_word_mask(uint64_t frame, uint64_t end)
{
	uint64_t word_end = (frame / 64 + 1) * 64;
	uint64_t n_beyond = end < word_end ? word_end - end : 0;

	return UINT64_MAX << frame % 64 & UINT64_MAX >> n_beyond;
}

void frame_give(paddr_t pa, uint64_t n)
{
	uint64_t frame = frame_of(pa);

	assert(n <= n_frames - frame);
	for (uint64_t i = frame; i < frame + n; i = (i / 64 + 1) * 64) {
		uint64_t mask = frame_word_mask(i, frame + n);

		assert((bitmap[i / 64] & mask) == 0 && "frame given back twice");
		bitmap[i / 64] |= mask;
	}
	n_free += n;
}

static paddr_t frame_bits_take(uint64_t frame, uint64_t n)
{
	for (uint64_t i = frame; i < frame + n; i = (i / 64 + 1) * 64) {
		bitmap[i / 64] &= ~frame_word_mask(i, frame + n);
	}
	n_free -= n;
	next_search = frame + n;
	return first_pa + frame * PAGE_SIZE;
}

/* First free frame in [from, end), or end. */
static uint64_t frame_run_find(uint64_t from, uint64_t end)
{
	for (uint64_t i = from; i < end; i = (i / 64 + 1) * 64) {
		uint64_t word = bitmap[i / 64] >> (i % 64);

		if (word) {
			i += (uint64_t)__builtin_ctzl(word);
			return i < end ? i : end;
		}
	}
	return end;
}

/* Free frames from this one on, at most n. */
static uint64_t frame_run_length(uint64_t frame, uint64_t n)
{
	uint64_t length = 0;

	while (length < n && frame + length < n_frames && frame_bit_is_free(frame + length)) {
		length++;
	}
	return length;
}

paddr_t frame_take(uint32_t n, uint32_t *ret_n)
{
	uint64_t frame = frame_run_find(next_search, n_frames);

	if (n_free == 0) {
		return FRAME_PA_NONE;
	}
	if (frame == n_frames) {
		frame = frame_run_find(0, n_frames);
	}
	*ret_n = (uint32_t)frame_run_length(frame, n);
	return frame_bits_take(frame, *ret_n);
}

paddr_t frame_take_run(uint32_t n)
{
	uint64_t frame = frame_run_find(0, n_frames);

	while (frame < n_frames) {
		uint64_t length = frame_run_length(frame, n);

		if (length == n) {
			return frame_bits_take(frame, n);
		}
		frame = frame_run_find(frame + length, n_frames);
	}
	return FRAME_PA_NONE;
}

uint64_t frame_n_free(void)
{
	return n_free;
}

bool frame_is_free(paddr_t pa)
{
	return frame_bit_is_free(frame_of(pa));
}

void frame_run_link(uint32_t *head, paddr_t pa, uint32_t page, uint32_t n)
{
	uint32_t frame = (uint32_t)frame_of(pa);

	runs[frame] = (struct frame_run){.next = *head, .page = page, .n = n};
	*head = frame;
}

const struct frame_run *frame_run_of(uint32_t frame)
{
	assert(frame < n_frames);
	return &runs[frame];
}

paddr_t frame_run_pa(uint32_t frame)
{
	return first_pa + frame * PAGE_SIZE;
}

/* A run that lies on both sides becomes two. */
void frame_run_split(uint32_t *head, uint32_t page, uint32_t *ret_tail)
{
	uint32_t frame = *head;

	*head = *ret_tail = FRAME_NONE;
	while (frame != FRAME_NONE) {
		struct frame_run run = runs[frame];
		uint32_t n_before = run.page >= page          ? 0
		                    : page - run.page < run.n ? page - run.page
		                                              : run.n;

		if (n_before > 0) {
			frame_run_link(head, frame_run_pa(frame), run.page, n_before);
		}
		if (n_before < run.n) {
			frame_run_link(ret_tail, frame_run_pa(frame + n_before),
			        run.page + n_before - page, run.n - n_before);
		}
		frame = run.next;
	}
}

void frame_run_give_all(uint32_t *head)
{
	while (*head != FRAME_NONE) {
		uint32_t frame = *head;

		*head = runs[frame].next;
		frame_give(frame_run_pa(frame), runs[frame].n);
	}
}
