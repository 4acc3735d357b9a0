/*
 * What a transfer costs on the host: a table of records with keys, values of several kinds and
 * lists, as a data store holds them, into a release that orders its members otherwise.
 *
 *	state_bench [ROUNDS [same]]    under callgrind: --toggle-collect=state_transfer
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "osd/lib/state/test/world.h"

#define N_RECORDS 334

static const char old_text[] =
        "enum kind { NUMBER=1, TEXT, BYTES };"
        "struct entry { struct entry *next; char *key @length=key_bytes; u32 key_bytes; u32 bytes;"
        " enum kind kind; i32 owner; u64 sequence; union { u64 number @when=NUMBER; char *text "
        "@when=TEXT;"
        " u8 *bytes @when=BYTES; } value @tag=kind; };"
        "struct entry *table[512]; site struct entry add; site char keep; u64 n;";

static const char new_text[] =
        "enum kind { NUMBER=1, TEXT, BYTES };"
        "struct entry { u64 sequence; u32 bytes; u32 key_bytes; enum kind kind; struct entry *next;"
        " i64 owner; union { u64 number @when=NUMBER; char *text @when=TEXT; u8 *bytes "
        "@when=BYTES; }"
        " value @tag=kind; char *key @length=key_bytes; u32 changes; };"
        "struct entry *table[512]; site struct entry add; site char keep; u64 n;";

static void put(const struct world *w, uint8_t *record, const char *path, uint64_t value)
{
	model_put(model_walk(model_type_find(w->old, "entry"), record, path), (int64_t)value);
}

static uint64_t keep(struct world *w, uint64_t n)
{
	char *bytes = world_object(w, "keep", 0, n);

	memset(bytes, 'x', n - 1);
	return (uint64_t)(uintptr_t)bytes;
}

static void fill(struct world *w)
{
	for (unsigned i = 0; i < N_RECORDS; i++) {
		uint8_t *record = world_object(w, "add", 0, 1);
		uint64_t kind = 2 + i % 2;
		char path[16];

		snprintf(path, sizeof(path), "table[%u]", i * 7 % 512);
		put(w, record, ".key", keep(w, 24));
		put(w, record, ".key_bytes", 24);
		put(w, record, ".bytes", 100);
		put(w, record, ".owner", 300 + i);
		put(w, record, ".sequence", i);
		put(w, record, ".kind", kind);
		put(w, record, kind == 2 ? ".value.text" : ".value.bytes", keep(w, 110));
		put(w, record, ".next",
		        (uint64_t)(uintptr_t)model_get_pointer(model_var(w->old, path)));
		model_put_pointer(model_var(w->old, path), record);
	}
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 200;
	bool is_same = argc > 2; /* only the layout of the image differs */
	double pair = 0;
	double transfer = 0;
	struct state_result result = {0};

	for (unsigned i = 0; i < rounds; i++) {
		struct world *w = world_new(old_text, is_same ? old_text : new_text, i);
		double start;
		double middle;

		world_start(w);
		fill(w);
		world_switch(w);
		start = seconds();
		if (world_pair(w) != STATE_OK) {
			fprintf(stderr, "%s\n", w->result.error);
			return 1;
		}
		middle = seconds();
		if (state_transfer(w->transfer) != STATE_OK) {
			fprintf(stderr, "%s\n", w->result.error);
			return 1;
		}
		pair += middle - start;
		transfer += seconds() - middle;
		result = w->result;
		world_free(w);
	}
	printf("{\"objects\": %llu, \"bytes\": %llu, \"pair_ns\": %.0f, \"transfer_ns\": %.0f, "
	       "\"ns_per_object\": %.1f}\n",
	        (unsigned long long)result.n_objects, (unsigned long long)result.n_bytes,
	        pair / rounds * 1e9, transfer / rounds * 1e9,
	        transfer / rounds * 1e9 / (double)result.n_objects);
	return 0;
}
