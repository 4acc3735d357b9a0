/*
 * Real descriptions: pairs those of a release with themselves, or with those of a later one. There
 * is no memory behind the addresses; only what depends on binaries is tried.
 *
 *	state_kit_test KIT...            each with itself: nothing may be refused or removed, and
 *	                                 shown one description the engine pairs as with two
 *	state_kit_test --pair OLD NEW    prints what would be lost, and why it is refused else
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/state/state_transfer.h"
#include "proto/state/state_desc.h"

#define SCRATCH (UINT64_C(16) << 20)

/*
 * The description of a kit directory, and addresses as if every symbol
 * were 64 KiB from the next.
 */
static struct state_side side_load(const char *kit, uint64_t base)
{
	struct state_side side = {0};
	struct state_desc desc;
	uint64_t *addr;
	char path[4096];
	void *bytes;
	FILE *file;

	snprintf(path, sizeof(path), "%s/state", kit);
	file = fopen(path, "rb");
	if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
		perror(path);
		exit(1);
	}
	side.desc_size = (size_t)ftell(file);
	bytes = malloc(side.desc_size);
	assert(bytes != NULL && fseek(file, 0, SEEK_SET) == 0);
	assert(fread(bytes, side.desc_size, 1, file) == 1 && fclose(file) == 0);
	assert(state_desc_check(bytes, side.desc_size, &desc) == STATE_DESC_OK);
	addr = calloc(desc.n_entries + 1, sizeof(*addr));
	assert(addr != NULL);
	for (uint32_t i = 0; i < desc.n_entries; i++) {
		addr[i] = base + i * UINT64_C(65536);
	}
	side.desc = bytes;
	side.addr = addr;
	side.n_addr = desc.n_entries;
	return side;
}

/* Of two sides; the result is the caller's to free(): the pairing lies at its start. */
static void *pairing_make(const struct state_side *old, const struct state_side *new)
{
	struct state_pairing *pairing;
	struct state_result result;
	struct state_setup setup = {
	        .old = *old, .new = *new, .scratch = calloc(1, SCRATCH), .scratch_size = SCRATCH};

	assert(state_pair(&setup, &result, &pairing) == STATE_OK);
	assert(pairing == setup.scratch);
	return pairing;
}

/*
 * The short way of a release that follows itself leads to what the long one finds: the same
 * variables, and the same partner of every entry. Of literals only the text counts.
 */
static void kit_follow(const char *kit)
{
	struct state_side old = side_load(kit, UINT64_C(0x100000000));
	struct state_side new = side_load(kit, UINT64_C(0x200000000));
	struct state_pairing *two = pairing_make(&old, &new), *one;
	struct state_desc desc;
	uint32_t a[2], b[2], n = 0;

	free((void *)new.desc);
	new.desc = old.desc;
	one = pairing_make(&old, &new);
	assert(state_desc_check(old.desc, old.desc_size, &desc) == STATE_DESC_OK);
	for (; state_pair_variable(two, n, a); n++) {
		assert(state_pair_variable(one, n, b) && a[0] == b[0] && a[1] == b[1]);
	}
	assert(n > 0 && !state_pair_variable(one, n, b));
	for (uint32_t i = 0; i < desc.n_entries; i++) {
		assert(state_pair_partner(one, i) == i);
		assert(desc.entries[i].kind == STATE_STRING || state_pair_partner(two, i) == i);
	}
	free(one);
	free(two);
	free((void *)old.desc);
	free((void *)old.addr);
	free((void *)new.addr);
}

static enum state_code kits_pair(const char *old, const char *new, struct state_result *ret)
{
	struct state_pairing *pairing;
	struct state_setup setup = {
	        .old = side_load(old, UINT64_C(0x100000000)),
	        .new = side_load(new, UINT64_C(0x200000000)),
	        .scratch = calloc(1, SCRATCH),
	        .scratch_size = SCRATCH,
	        .accepts_loss = strcmp(old, new) != 0,
	};
	enum state_code code = state_pair(&setup, ret, &pairing);

	printf("%s -> %s: %s, %zu entries, %llu bytes of scratch\n%s%s", old, new,
	        state_code_text(code), setup.old.n_addr, (unsigned long long)ret->scratch_used,
	        ret->notes, ret->error);
	if (code != STATE_OK) {
		printf("\n");
	}
	free(setup.scratch);
	free((void *)setup.old.desc);
	free((void *)setup.old.addr);
	free((void *)setup.new.desc);
	free((void *)setup.new.addr);
	return code;
}

int main(int argc, char **argv)
{
	struct state_result result;
	int failed = 0;

	if (argc == 4 && strcmp(argv[1], "--pair") == 0) {
		return kits_pair(argv[2], argv[3], &result) == STATE_OK ? 0 : 1;
	}
	for (int i = 1; i < argc; i++) {
		failed |= kits_pair(argv[i], argv[i], &result) != STATE_OK || result.n_removed > 0;
		if (!failed) {
			kit_follow(argv[i]);
		}
	}
	return failed;
}
