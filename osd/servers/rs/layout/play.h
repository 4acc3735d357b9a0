#pragma once
/*
 * What layouts are made with in tests: the kernel's random words, which are known beforehand, RS's memory,
 * which counts and can run out, a kit, and the instance that gets what was linked.
 */
#include "osd/servers/rs/layout/layout.h"
#include "proto/envelope/seal_vectors.h"
#include "proto/image/flat_sample.h"

#define SERVICE "sample\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define BUDGET (UINT64_C(8) << 20)
#define WORD_STEP UINT64_C(0x9e3779b97f4a7c15)
#define SPACE 5

extern uint64_t word; /* the next random word */
extern size_t n_wiped;
extern uint32_t n_taken, n_until_none;
extern uint64_t n_left;               /* bytes of RS's last region */
extern uint8_t wiped[LINK_SEED_SIZE]; /* what was in the memory that was wiped last */
extern const uint8_t release[RS_HASH_LEN];
extern const struct span_set nothing;
extern const struct agree_audit audit;

/* The instance: its pages by address, and how it may use them. */
struct page {
	vaddr_t va;
	uint32_t prot;
	uint8_t bytes[PAGE_SIZE];
};
extern struct page pages[64];
extern uint32_t n_pages, n_until_refused;

/* Before anything else. */
void play_begin(void);

/* The seed that the next draw gives. */
void seed_next(uint8_t ret_seed[LINK_SEED_SIZE]);

struct layout_kit kit_of(const struct sample_kit *sample);
/* One that can be laid out, and was checked. */
struct layout_kit kit_good(void);
void kit_free(struct layout_kit *kit);
