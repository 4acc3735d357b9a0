/*
 * What a variant costs once everything is loaded: the kit is read and judged, then each seed is
 * drawn, placed, relocated and written into memory. CPU time of one core, best of the rounds, as
 * one JSON object: {"NAME": milliseconds, ...} by the kits' directories.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "forge/kit/kit.h"
#include "proto/image/link.h"

#define TIME_ROUNDS 50

static double time_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* One variant; its milliseconds, or a negative number. */
static double time_round(const struct kit *kit, uint8_t round)
{
	const uint8_t seed[LINK_SEED_SIZE] = {round};
	const struct link_request q = {.seed = seed, .release_id = kit->release_id};
	const size_t size = link_scratch_size(&kit->flat);
	const double start = time_now_ms();
	MEM_FREE void *scratch = malloc(size);
	MEM_FREE uint8_t *payload = NULL;
	struct link_layout layout;

	if (!scratch || link_place(&kit->flat, &q, scratch, size, &layout) != LINK_OK) {
		return -1;
	}
	payload = malloc(layout.payload_size);
	if (!payload || link_payload_write(&kit->flat, &layout, payload) != LINK_OK) {
		return -1;
	}
	return time_now_ms() - start;
}

static int time_kit(const char *path, bool first)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	double best = -1, ms;
	int i;

	if (kit_read(&kit, path, NULL) < 0) {
		return -1;
	}
	for (i = 0; i < TIME_ROUNDS; i++) {
		ms = time_round(&kit, (uint8_t)i);
		if (ms < 0) {
			fprintf(stderr, "%s: cannot be linked\n", path);
			return -1;
		}
		best = best < 0 || ms < best ? ms : best;
	}
	printf("%s\"%.*s\": %.3f", first ? "" : ", ", (int)strcspn(name, "."), name, best);
	return 0;
}

int main(int argc, char **argv)
{
	int i;

	printf("{");
	for (i = 1; i < argc; i++) {
		if (time_kit(argv[i], i == 1) < 0) {
			return 1;
		}
	}
	printf("}\n");
	return 0;
}
