#include "orchestrator/work/kit.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "orchestrator/base/file.h"
#include "proto/envelope/envelope_crypto.h"

#define KIT_PART_MAX 8192u
#define KIT_STATE_MAX (64u << 20)

static int kit_part_read(const char *dir, const char *name, uint8_t **ret_part, size_t *ret_size)
{
	_cleanup_(freep) char *path = text_format("%s/%s", dir, name);

	return err_up(file_read(path, KIT_PART_MAX, ret_part, ret_size));
}

int kit_signed_read(const char *kit, uint8_t **ret_part, size_t *ret_size)
{
	return err_up(kit_part_read(kit, KIT_SIGNED, ret_part, ret_size));
}

int kit_root_read(const char *keyring, uint8_t **ret_part, size_t *ret_size)
{
	return err_up(kit_part_read(keyring, KIT_ROOT, ret_part, ret_size));
}

/* Opens a stored part that must be exactly the file, and of this kind. */
static int kit_part_open(const uint8_t *bytes, size_t size, enum envelope_part_kind kind,
        struct envelope_part *ret_part, struct failure *ret_failure)
{
	enum envelope_reason reason = envelope_part_open(bytes, size, ret_part);

	if (reason == ENVELOPE_OK && (ret_part->kind != kind || ret_part->size != size)) {
		reason = ENVELOPE_MALFORMED;
	}
	if (reason != ENVELOPE_OK) {
		failure_set(ret_failure, envelope_reason_name(reason),
		        kind == ENVELOPE_ROOT ? KIT_ROOT : KIT_SIGNED,
		        "sign it again with `luctl release sign`, or make keys with "
		        "`luctl keys init`",
		        "%s", envelope_reason_text(reason));
		return err_raise(-EBADMSG);
	}
	return 0;
}

static int kit_state_check(
        const char *kit, const struct kit_manifest *manifest, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = text_format("%s/" KIT_STATE, kit);
	_cleanup_(freep) uint8_t *state = NULL;
	uint8_t hash[64];
	size_t size;
	int r;

	r = file_read(path, KIT_STATE_MAX, &state, &size);
	if (r < 0) {
		failure_set(ret_failure, "kit", path, "build the kit again",
		        "its state description cannot be read: %s", strerror(-r));
		return err_up(r);
	}
	envelope_hash(state, size, hash);
	if (memcmp(hash, manifest->state_hash, sizeof(hash))) {
		failure_set(ret_failure, "description-mismatch", path,
		        "build and sign the kit again",
		        "its state description is not the one that was signed");
		return err_raise(-EBADMSG);
	}
	return 0;
}

static int kit_verify_part(const struct envelope_part *kit, const uint8_t *root_bytes,
        size_t root_size, struct failure *ret_failure)
{
	const struct root_manifest *root_manifest;
	struct envelope_part root;
	enum envelope_reason reason;
	int r;

	r = kit_part_open(root_bytes, root_size, ENVELOPE_ROOT, &root, ret_failure);
	if (r < 0) {
		return err_up(r);
	}
	root_manifest = (const struct root_manifest *)root.manifest;
	reason = envelope_verify_kit(kit, root_manifest, time(NULL));
	if (reason != ENVELOPE_OK) {
		failure_set(ret_failure, envelope_reason_name(reason), KIT_SIGNED,
		        "sign the kit with a release key of this keyring (`luctl release sign`)",
		        "%s", envelope_reason_text(reason));
		return err_raise(-EKEYREJECTED);
	}
	return 0;
}

static void kit_unreadable(struct failure *ret_failure, const char *dir, const char *what, int r)
{
	failure_set(ret_failure, "kit", dir,
	        "sign the kit with `luctl release sign`; make keys with `luctl keys init`",
	        "%s cannot be read: %s", what, strerror(-r));
}

int kit_verify(const char *kit, const char *keyring, struct kit_facts *ret_facts,
        struct failure *ret_failure)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	_cleanup_(freep) uint8_t *root = NULL;
	const struct kit_manifest *manifest;
	struct envelope_part part;
	size_t size, root_size;
	int r;

	r = kit_signed_read(kit, &bytes, &size);
	if (r < 0) {
		kit_unreadable(ret_failure, kit, KIT_SIGNED, r);
		return err_up(r);
	}
	r = kit_root_read(keyring, &root, &root_size);
	if (r < 0) {
		kit_unreadable(ret_failure, keyring, KIT_ROOT, r);
		return err_up(r);
	}
	r = kit_part_open(bytes, size, ENVELOPE_KIT, &part, ret_failure);
	if (!r) {
		r = kit_verify_part(&part, root, root_size, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	manifest = (const struct kit_manifest *)part.manifest;
	r = kit_state_check(kit, manifest, ret_failure);
	if (r < 0) {
		return err_up(r);
	}
	ret_facts->manifest = *manifest;
	kit_manifest_release_id(manifest, ret_facts->release_id);
	memcpy(ret_facts->key_id, part.signatures[0].key_id, sizeof(ret_facts->key_id));
	return 0;
}
