/*
 * The variants and kits that were verified, in a table of fixed size: what may be staged is named
 * here, and what may be run is found here. An entry that a binary was made from stays; of the others
 * the one that was admitted longest ago makes room for a new one.
 *
 * That an entry is here says that it was signed when it was admitted. Whether that still counts,
 * after a newer root or the end of a key, is asked anew each time it is to be run.
 */
#include "osd/servers/rs/trust/priv.h"

#include <string.h>

#include "osd/abi/errors.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

/* By its whole name. Names are hashes of different manifests, but nothing rests on that. */
static struct trust_variant *trust_find(
        struct trust_state *t, const uint8_t hash[RS_HASH_LEN], bool is_kit)
{
	for (uint32_t i = 0; i < TRUST_N_VARIANTS; i++) {
		struct trust_variant *v = &t->variants[i];

		if (v->order != 0 && v->is_kit == is_kit &&
		        memcmp(v->hash, hash, sizeof(v->hash)) == 0) {
			return v;
		}
	}
	return NULL;
}

struct trust_variant *trust_find_variant(struct trust_state *t, const uint8_t hash[RS_HASH_LEN])
{
	return trust_find(t, hash, false);
}

struct trust_variant *trust_find_kit(struct trust_state *t, const uint8_t release_id[RS_HASH_LEN])
{
	return trust_find(t, release_id, true);
}

/* A free entry, or that of the variant which nobody uses for the longest time. NULL: none. */
static struct trust_variant *trust_variant_entry(struct trust_state *t)
{
	struct trust_variant *best = NULL;

	for (uint32_t i = 0; i < TRUST_N_VARIANTS; i++) {
		struct trust_variant *v = &t->variants[i];

		if (v->n_users == 0 && (best == NULL || v->order < best->order)) {
			best = v;
		}
	}
	return best;
}

/*
 * The entry of a variant with its kit, or of a kit alone (variant: NULL), by its hash: found, or made.
 * NULL: none is free.
 */
static struct trust_variant *trust_entry_get(struct trust_state *t, const struct kit_manifest *kit,
        const struct variant_manifest *variant, const uint8_t hash[RS_HASH_LEN])
{
	struct trust_variant *entry = trust_find(t, hash, variant == NULL);

	if (entry != NULL) {
		return entry;
	}
	entry = trust_variant_entry(t);
	if (entry != NULL) {
		memset(entry, 0, sizeof(*entry));
		memcpy(entry->hash, hash, sizeof(entry->hash));
		entry->is_kit = variant == NULL;
		entry->kit = *kit;
		if (variant != NULL) {
			entry->variant = *variant;
		}
	}
	return entry;
}

err_t trust_admit(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        struct trust_variant **ret_variant)
{
	uint8_t hash[RS_HASH_LEN];
	struct trust_variant *entry;
	struct envelope_view view;
	err_t err = trust_verify(t, bytes, len, uptime,
	        TRUST_KIND(ENVELOPE_OF_VARIANT) | TRUST_KIND(ENVELOPE_OF_KIT), &view);

	if (err != E_OK) {
		return err;
	}
	if (view.variant != NULL) {
		variant_manifest_hash(view.variant, hash);
	} else {
		kit_manifest_release_id(view.kit, hash);
	}
	entry = trust_entry_get(t, view.kit, view.variant, hash);
	if (entry == NULL) {
		return E_FULL;
	}
	entry->root_serial = view.root->serial;
	entry->keys_end = envelope_keys_end(&view);
	entry->n_signatures = entry->is_kit ? 0 : view.part[2].n_signatures;
	entry->order = ++t->n_admitted;
	*ret_variant = entry;
	return E_OK;
}

err_t trust_give_seed(struct trust_variant *variant, const uint8_t seed[RS_SEED_LEN])
{
	uint8_t commitment[RS_HASH_LEN];

	envelope_seed_commit(variant->variant.release_id, LINK_RECIPE, seed, commitment);
	if (variant->is_kit || variant->variant.recipe != LINK_RECIPE ||
	        memcmp(commitment, variant->variant.seed_commit, sizeof(commitment)) != 0) {
		return E_V_LAYOUT;
	}
	if (!variant->is_proved) {
		memcpy(variant->seed, seed, RS_SEED_LEN);
		variant->has_seed = true;
	}
	return E_OK;
}

void trust_prove(struct trust_variant *variant)
{
	memset(variant->seed, 0, sizeof(variant->seed));
	variant->has_seed = false;
	variant->is_proved = true;
}

/*
 * Is the kit in its boot envelope, and signed as the root asks that the machine was started with? The
 * boot image is the host's word, as the root in it is; but orders come from somebody else.
 */
static bool trust_boot_kit_is_signed(const struct trust_state *t, const struct trust_variant *v)
{
	struct envelope_view view;
	uint8_t hash[RS_HASH_LEN];

	if (!t->has_root || v->boot_envelope == NULL ||
	        envelope_open(v->boot_envelope, v->boot_envelope_len, &view) != ENVELOPE_OK ||
	        view.kit == NULL || memcmp(view.kit, &v->kit, sizeof(v->kit)) != 0) {
		return false;
	}
	envelope_hash(view.root, sizeof(*view.root), hash);
	return memcmp(hash, t->boot_root_hash, sizeof(hash)) == 0 &&
	       envelope_verify_kit(&view.part[1], view.root, 0) == ENVELOPE_OK;
}

/*
 * Asked when the kit is wanted, and found out once: a signature of each kit at the start would take
 * longer than all the rest of it.
 */
static bool trust_is_booted(const struct trust_state *t, struct trust_variant *v)
{
	v->is_booted |= trust_boot_kit_is_signed(t, v);
	v->boot_envelope = NULL;
	return v->is_booted;
}

err_t trust_add_kit(struct trust_state *t, const struct kit_manifest *kit,
        const uint8_t release_id[RS_HASH_LEN], const void *envelope, size_t len)
{
	struct trust_variant *entry = trust_entry_get(t, kit, NULL, release_id);

	if (entry == NULL) {
		return E_FULL;
	}
	entry->order = ++t->n_admitted;
	/* Two services may have it; either envelope will do. */
	if (envelope != NULL && !trust_is_booted(t, entry)) {
		entry->boot_envelope = envelope;
		entry->boot_envelope_len = len;
	}
	entry->n_users++; /* the image stays, and so does what is known of it */
	return E_OK;
}

/* As far as it was shown over the channel. */
static err_t trust_admission_is_current(
        const struct trust_state *t, const struct trust_variant *v, uint64_t uptime)
{
	uint64_t now = trust_time(t, uptime);

	if (v->root_serial == 0) {
		return E_V_UNADMITTED;
	}
	if (v->root_serial != t->root_serial) {
		return E_V_ROOT;
	}
	if (now >= v->keys_end) {
		return E_V_KEY_EXPIRED;
	}
	return v->is_kit || now < v->variant.expires ? E_OK : E_V_EXPIRED;
}

err_t trust_variant_is_current(
        const struct trust_state *t, struct trust_variant *v, uint64_t uptime)
{
	err_t err = trust_admission_is_current(t, v, uptime);

	return err != E_OK && trust_is_booted(t, v) ? E_OK : err;
}

/* Does the entry name these bytes? len: UINT64_MAX: whatever the length. */
static bool trust_entry_names(
        const struct trust_variant *v, const uint8_t hash[RS_HASH_LEN], uint64_t len)
{
	const struct {
		const uint8_t *hash;
		uint64_t len;
	} named[] = {
	        {v->kit.state_hash, v->kit.state_len},
	        {v->kit.flat_hash, v->kit.flat_len},
	        {v->variant.payload_hash, v->variant.payload_len},
	};

	for (uint32_t i = 0; v->order != 0 && i < (v->is_kit ? 2u : 3u); i++) {
		if (memcmp(named[i].hash, hash, RS_HASH_LEN) == 0 &&
		        (len == UINT64_MAX || named[i].len == len)) {
			return true;
		}
	}
	return false;
}

bool trust_names(const struct trust_state *t, const uint8_t hash[RS_HASH_LEN], uint64_t len)
{
	for (uint32_t i = 0; len != UINT64_MAX && i < TRUST_N_VARIANTS; i++) {
		if (trust_entry_names(&t->variants[i], hash, len)) {
			return true;
		}
	}
	return false;
}

bool trust_names_elsewhere(const struct trust_state *t, const uint8_t hash[RS_HASH_LEN],
        const struct trust_variant *but)
{
	for (uint32_t i = 0; i < TRUST_N_VARIANTS; i++) {
		if (&t->variants[i] != but &&
		        trust_entry_names(&t->variants[i], hash, UINT64_MAX)) {
			return true;
		}
	}
	return false;
}

struct trust_variant *trust_oldest(struct trust_state *t, const uint8_t hash[RS_HASH_LEN])
{
	struct trust_variant *oldest = NULL;

	for (uint32_t i = 0; i < TRUST_N_VARIANTS; i++) {
		struct trust_variant *v = &t->variants[i];

		if (v->order != 0 && v->n_users == 0 && !trust_entry_names(v, hash, UINT64_MAX) &&
		        (oldest == NULL || v->order < oldest->order)) {
			oldest = v;
		}
	}
	return oldest;
}

err_t trust_forget(struct trust_variant *variant)
{
	if (variant->n_users > 0) {
		return E_BUSY;
	}
	memset(variant, 0, sizeof(*variant));
	return E_OK;
}
