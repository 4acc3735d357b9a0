/*
 * Where a kernel lies. All numbers come from one hash of the seed, a 64-bit word each; a word times
 * the number of places, halved, is a place: so each is as likely as the next but for one part in 2^40.
 *
 *     load     from 2 MiB to the boot image, which the starter puts at the end of memory; below 1 GiB,
 *              which boot.S maps
 *     base     the GiB below -1 GiB, but for its last 4 MiB
 *     direct   the upper half of the address space below the kernel's 512 GiB, in steps of 1 GiB, so that
 *              16 GiB fit behind each
 *     stacks   half a GiB from -1 GiB on; device pages lie 256 MiB behind them
 */
#include <string.h>

#include "forge/base/report.h"
#include "forge/base/tool.h"
#include "forge/kernel/kernel.h"

#define PLACE_PAGE UINT64_C(4096)
#define PLACE_MIB (UINT64_C(1) << 20)
#define PLACE_GIB (UINT64_C(1) << 30)

#define PLACE_LOAD_FIRST (2 * PLACE_MIB)
/* Between kernel and boot image: the starter may keep some of the end of memory to itself. */
#define PLACE_LOAD_SPARE (2 * PLACE_MIB)
#define PLACE_BASE_FIRST (-2 * PLACE_GIB)
#define PLACE_BASE_ROOM (PLACE_GIB - 4 * PLACE_MIB)
#define PLACE_DIRECT_FIRST UINT64_C(0xffff800000000000)
#define PLACE_DIRECT_END UINT64_C(0xffffff8000000000)
#define PLACE_DIRECT_ROOM (PLACE_DIRECT_END - PLACE_DIRECT_FIRST - 16 * PLACE_GIB)
#define PLACE_STACKS_FIRST (-PLACE_GIB)
#define PLACE_STACKS_ROOM (PLACE_GIB / 2)

#define PLACE_LABEL "samsara kernel place 1"

enum place_number {
	PLACE_LOAD,
	PLACE_BASE,
	PLACE_DIRECT,
	PLACE_STACKS,
	_PLACE_N,
};

/* How many places each has. */
static void place_counts(const struct kernel_room *room, uint64_t ret_counts[_PLACE_N])
{
	const uint64_t end = room->memory_bytes < PLACE_GIB ? room->memory_bytes : PLACE_GIB;
	const uint64_t taken = PLACE_LOAD_FIRST + PLACE_LOAD_SPARE + room->boot_bytes + room->bytes;

	ret_counts[PLACE_LOAD] = end > taken ? (end - taken) / PLACE_PAGE : 0;
	ret_counts[PLACE_BASE] =
	        room->bytes < PLACE_BASE_ROOM ? (PLACE_BASE_ROOM - room->bytes) / PLACE_PAGE : 0;
	ret_counts[PLACE_DIRECT] = PLACE_DIRECT_ROOM / PLACE_GIB;
	ret_counts[PLACE_STACKS] = PLACE_STACKS_ROOM / PLACE_PAGE;
}

static int place_words(const uint8_t seed[KERNEL_SEED_SIZE], uint64_t ret_words[8])
{
	uint8_t input[sizeof(PLACE_LABEL) + KERNEL_SEED_SIZE] = PLACE_LABEL, hash[TOOL_HASH_SIZE];
	int r;

	memcpy(input + sizeof(PLACE_LABEL), seed, KERNEL_SEED_SIZE);
	r = tool_hash(input, sizeof(input), hash);
	memcpy(ret_words, hash, sizeof(hash));
	explicit_bzero(input, sizeof(input));
	explicit_bzero(hash, sizeof(hash));
	return r;
}

int kernel_place_draw(const struct kernel_room *room, const uint8_t seed[KERNEL_SEED_SIZE],
        struct kernel_place *ret_place)
{
	uint64_t counts[_PLACE_N], words[8];
	int r;

	place_counts(room, counts);
	for (size_t i = 0; i < _PLACE_N; i++) {
		if (counts[i] == 0) {
			return report_refuse(
			        "kernel", "the machine has too little memory to place the kernel");
		}
	}
	r = place_words(seed, words);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < _PLACE_N; i++) {
		words[i] = (uint64_t)((unsigned __int128)words[i] * counts[i] >> 64);
	}
	*ret_place = (struct kernel_place){
	        .load = PLACE_LOAD_FIRST + words[PLACE_LOAD] * PLACE_PAGE,
	        .base = PLACE_BASE_FIRST + words[PLACE_BASE] * PLACE_PAGE,
	        .direct = PLACE_DIRECT_FIRST + words[PLACE_DIRECT] * PLACE_GIB,
	        .stacks = PLACE_STACKS_FIRST + words[PLACE_STACKS] * PLACE_PAGE,
	};
	explicit_bzero(words, sizeof(words));
	return 0;
}
