/*
 * The little that lud reads of kits itself: the signed manifest, and the keyring's signed root
 * that it must hold against. What the other files of a kit say is a worker's to read
 * (forge.c).
 */
#include "orchestrator/work/kit.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "host/kit/dir.h"
#include "host/base/file.h"

/* A signed part is a manifest of fixed layout and a few signatures. */
#define KIT_PART_MAX 8192u

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

/*
 * The root is taken as it stands: who may write to the keyring may renew it. Whoever acts on what
 * is signed under it checks the signatures.
 */
int kit_root_serial(const char *keyring, uint64_t *ret_serial)
{
	_cleanup_(freep) uint8_t *root = NULL;
	struct envelope_part part;
	size_t size;
	int r = kit_root_read(keyring, &root, &size);

	if (r < 0) {
		return err_up(r);
	}
	if (envelope_part_open(root, size, &part) != ENVELOPE_OK || part.kind != ENVELOPE_ROOT) {
		return err_raise(-EBADMSG);
	}
	*ret_serial = ((const struct root_manifest *)part.manifest)->serial;
	return 0;
}

/* Of several keys of a role the one that ends first matters least, the last one most. */
int kit_root_ends(const char *keyring, struct kit_ends *ret_ends)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	const struct root_manifest *root;
	struct envelope_part part;
	size_t size;
	int r = kit_root_read(keyring, &bytes, &size);

	if (r < 0) {
		return err_up(r);
	}
	if (envelope_part_open(bytes, size, &part) != ENVELOPE_OK || part.kind != ENVELOPE_ROOT) {
		return err_raise(-EBADMSG);
	}
	root = (const struct root_manifest *)part.manifest;
	*ret_ends = (struct kit_ends){.root = root->expires};
	for (size_t role = 0; role < _ROOT_ROLE_N; role++) {
		uint64_t *end = &ret_ends->roles[role];

		for (uint32_t i = 0; i < root->n_keys[role] && i < ROOT_KEYS_MAX; i++) {
			*end = root->keys[role][i].not_after > *end ? root->keys[role][i].not_after
			                                            : *end;
		}
	}
	return 0;
}

/*
 * The kit is judged under the keyring's root as of now: a key that has expired, or was taken
 * back, signs for nothing any more.
 */
int kit_facts_read(const char *kit, const char *keyring, struct kit_facts *ret_facts,
        struct failure *ret_failure)
{
	_cleanup_(freep) uint8_t *root = NULL;
	struct kit_demand demand = {.time = time(NULL)};
	struct kit_fault fault;
	struct kit_dir dir;
	int r = kit_root_read(keyring, &root, &demand.root_len);

	if (r < 0) {
		failure_set(ret_failure, "kit", keyring, "make keys with `luctl keys init`",
		        KIT_ROOT " cannot be read: %s", strerror(-r));
		return err_up(r);
	}
	demand.root = root;
	r = kit_dir_read_signed(&dir, kit, &demand, &fault);
	if (r < 0) {
		failure_set(ret_failure, fault.reason ? envelope_reason_name(fault.reason) : "kit",
		        fault.place, "", "%s", fault.text);
		return err_raise(r);
	}
	ret_facts->manifest = dir.manifest;
	memcpy(ret_facts->key_id, dir.key_id, sizeof(ret_facts->key_id));
	kit_manifest_release_id(&dir.manifest, ret_facts->release_id);
	kit_dir_fini(&dir);
	return 0;
}
