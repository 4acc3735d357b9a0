/*
 * Keys of seals; see agree.h.
 *
 * Of what a seal costs nearly all has nothing to do with the seed. RS has time for it whenever it
 * waits for messages (main.c), and none when a layout is asked for. So two keys are in store, for
 * moves right after each other; a layout that finds none waits for its own. The store is static: it
 * takes 200 bytes, however many layouts are asked for.
 *
 * What holds all the time:
 *  - a key seals one seed: its place is free, and wiped, when agree_seal() returns;
 *  - what is kept was agreed on with the audit key of one root, and under another it is wiped before
 *    anything else happens;
 *  - an audit key that protects nothing is tried once a root.
 *
 * A kept key opens the seed that it will seal, so who reads RS's memory learns AGREE_KEPT layouts
 * that are still to be made, if he also gets at the sealed seeds. He has learned all that
 * run by the same reading, which is why there are no more of them.
 */
#include "osd/servers/rs/layout/agree.h"

#include <string.h>

#include <sodium/utils.h>

#include "osd/lib/sys/sys.h"

#define AGREE_KEPT 2

static struct {
	uint64_t root_serial;
	uint8_t pub[32];
	bool is_useless; /* no audit key, or one of small order */
	uint32_t n_kept;
	struct seal_agreement kept[AGREE_KEPT];
} agree = {.is_useless = true};

void agree_draw(uint8_t ret_bytes[SEED_SIZE])
{
	for (uint32_t i = 0; i < SEED_SIZE; i += sizeof(uint64_t)) {
		uint64_t bits = sys_random();

		memcpy(ret_bytes + i, &bits, sizeof(bits));
	}
}

/* Is the root still the one that all this was agreed on under? If not, nothing of it stays. */
static void agree_look(const struct agree_audit *audit)
{
	static const uint8_t none[32];

	if (agree.root_serial == audit->root_serial &&
	        memcmp(agree.pub, audit->pub, sizeof(agree.pub)) == 0) {
		return;
	}
	sodium_memzero(agree.kept, sizeof(agree.kept));
	agree.n_kept = 0;
	agree.root_serial = audit->root_serial;
	memcpy(agree.pub, audit->pub, sizeof(agree.pub));
	agree.is_useless = memcmp(agree.pub, none, sizeof(none)) == 0;
}

bool agree_is_wanted(const struct agree_audit *audit)
{
	agree_look(audit);
	return !agree.is_useless && agree.n_kept < AGREE_KEPT;
}

void agree_ahead(const struct agree_audit *audit)
{
	uint8_t ephemeral[32];

	if (!agree_is_wanted(audit)) {
		return;
	}
	agree_draw(ephemeral);
	if (envelope_seal_agree(agree.pub, ephemeral, &agree.kept[agree.n_kept]) == 0) {
		agree.n_kept++;
	} else {
		agree.is_useless = true;
	}
}

bool agree_seal(const struct agree_audit *audit, const uint8_t commitment[64],
        const uint8_t seed[SEED_SIZE], uint8_t ret_sealed[SEAL_SIZE])
{
	agree_look(audit);
	if (agree.n_kept == 0) {
		agree_ahead(audit);
	}
	if (agree.n_kept == 0) {
		return false;
	}
	agree.n_kept--;
	envelope_seal(&agree.kept[agree.n_kept], commitment, seed, ret_sealed);
	return true;
}
