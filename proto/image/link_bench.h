#pragma once
/* Kits on the bench: checked, with the memory to place them, for tests of the linker. */
#undef NDEBUG
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "proto/image/flat_sample.h"
#include "proto/image/link.h"

/* A checked kit with a scratch of exactly its size. */
struct bench {
	void *file;
	size_t len;
	struct flat_view kit;
	void *scratch;
	uint8_t seed[LINK_SEED_SIZE];
	uint8_t release_id[LINK_RELEASE_SIZE];
	uint64_t fixed_base;
	struct link_layout layout;
};

/* A failure names what it was found with: the number of a kit, which a test sets, and the seed. */
extern uint64_t check_state, check_seed;
#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("kit %" PRIu64 ", seed %" PRIu64 ": ", check_state, check_seed);    \
			fflush(stdout);                                                            \
			assert(condition);                                                         \
		}                                                                                  \
	} while (0)

void bench_init(struct bench *b, const struct sample_kit *kit);
void bench_fini(struct bench *b);

/* A kit of so many pieces in each class, of 24 bytes, aligned to 8, without relocations. */
void bench_init_even(struct bench *b, uint32_t text, uint32_t consts, uint32_t data);

/* Place the kit with a seed that starts with this number; the rest of it is the bench's. */
enum link_error bench_place(struct bench *b, uint64_t seed);

/* The payload, in memory that the caller frees. */
uint8_t *bench_payload(struct bench *b);
