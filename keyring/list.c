/*
 * Which keys are here and whether they can do their work now: not only is the file whole, the
 * signed root must be, it must name the key, and the time of both must not be over. The online
 * keys also need the signer's rules, without which the signer does not start.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "keyring/priv.h"
#include "keyring/rules/rules.h"
#include "proto/envelope/envelope_crypto.h"

/* What all keys of a keyring depend on. */
struct list_ring {
	_Alignas(8) uint8_t root_bytes[SIGNER_ROOT_MAX];
	const struct root_manifest *root; /* NULL: it cannot be used */
	int root_error;
	bool other_root; /* root.pem is here and did not sign root.signed */
	int rules_error;
	unsigned int rules_line;
};

/* The root's own signature and form; its time is each key's. */
static bool list_root_is_whole(const struct envelope_part *part)
{
	const struct root_manifest *root = (const void *)part->manifest;

	return part->n_signatures > 0 && root_manifest_check(root) == ENVELOPE_OK &&
	       envelope_signature_check(
	               root->root_pub, part->manifest, part->manifest_len, part->signatures[0].sig);
}

/*
 * Read once for all keys: the root (whole and signed by the key it names itself; whether that
 * is the pinned one is for machines to say), whether root.pem is the key that signed it, and
 * the rules. A fault here is a fault of every key that depends on it.
 */
static void list_ring_read(int dir_fd, struct list_ring *ring)
{
	_cleanup_(keyring_key_freep) struct keyring_key *key = NULL;
	struct envelope_part part;
	struct rules rules;
	const char *why;

	memset(ring, 0, sizeof(*ring));
	ring->root_error =
	        keyring_root_load(dir_fd, ring->root_bytes, sizeof(ring->root_bytes), &part);
	if (ring->root_error == 0 && !list_root_is_whole(&part)) {
		ring->root_error = KEYRING_E_FORMAT;
	}
	if (ring->root_error == 0) {
		ring->root = (const void *)part.manifest;
	}
	if (ring->root != NULL && keyring_key_load(dir_fd, KEYRING_ROOT, &key) == 0) {
		ring->other_root = memcmp(ring->root->root_pub, key->pub, 32) != 0;
	}
	ring->rules_error = keyring_rules_load(dir_fd, &rules, &ring->rules_line, &why);
}

/*
 * What the root says of the key: fills in its time, which never outlasts the root's. False
 * when the root does not name it for this role. The root and the audit key stand in the
 * manifest's head, the others in its tables.
 */
static bool list_find(
        const struct root_manifest *root, const uint8_t pub[32], struct keyring_info *info)
{
	static const enum root_role roles[_KEYRING_N] = {
	        [KEYRING_RELEASE] = ROOT_ROLE_RELEASE,
	        [KEYRING_VARIANT] = ROOT_ROLE_VARIANT,
	        [KEYRING_ORDER] = ROOT_ROLE_ORDER,
	        [KEYRING_CONTROL] = ROOT_ROLE_CONTROL,
	};
	const struct root_key *keys = root->keys[roles[info->role]];

	info->not_before = 0;
	info->not_after = root->expires;
	if (info->role == KEYRING_ROOT || info->role == KEYRING_AUDIT) {
		const uint8_t *own = info->role == KEYRING_ROOT ? root->root_pub : root->audit_pub;

		info->not_before = root->issued;
		return memcmp(own, pub, 32) == 0;
	}
	for (uint32_t i = 0; i < root->n_keys[roles[info->role]]; i++) {
		if (memcmp(keys[i].pub, pub, 32) == 0) {
			info->not_before = keys[i].not_before;
			info->not_after = keys[i].not_after < root->expires ? keys[i].not_after
			                                                    : root->expires;
			return true;
		}
	}
	return false;
}

/*
 * The first thing that keeps the key from its work, from the file outwards: a file that is
 * exposed is said before a root that has expired, since renewing the root would not help.
 * not_before is allowed a day of skew, as when keys are made.
 */
static enum keyring_fault list_fault(const struct list_ring *ring, uint64_t now,
        const struct keyring_key *key, struct keyring_info *info)
{
	bool online = info->role == KEYRING_VARIANT || info->role == KEYRING_ORDER;

	if (info->error != 0) {
		return info->error == KEYRING_E_MISSING  ? KEYRING_ABSENT
		       : info->error == KEYRING_E_UNSAFE ? KEYRING_EXPOSED
		                                         : KEYRING_DAMAGED;
	}
	if (ring->root == NULL) {
		return ring->root_error == KEYRING_E_MISSING ? KEYRING_NO_ROOT : KEYRING_BAD_ROOT;
	}
	if (!list_find(ring->root, key->pub, info)) {
		info->not_before = info->not_after = 0;
		return ring->other_root ? KEYRING_OTHER_ROOT : KEYRING_UNNAMED;
	}
	if (now >= info->not_after) {
		return KEYRING_EXPIRED;
	}
	if (now + KEYRING_SKEW_SEC < info->not_before) {
		return KEYRING_NOT_YET;
	}
	if (online && ring->rules_error != 0) {
		info->rules_line = ring->rules_line;
		return ring->rules_error == KEYRING_E_MISSING ? KEYRING_NO_RULES
		                                              : KEYRING_BAD_RULES;
	}
	return KEYRING_USABLE;
}

int keyring_list(const char *dir, uint64_t now, struct keyring_info ret_infos[_KEYRING_N])
{
	_cleanup_(fd_closep) int fd = -1;
	struct list_ring ring;
	int r = keyring_dir_open(dir, &fd);

	if (r != 0) {
		return r;
	}
	list_ring_read(fd, &ring);
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		_cleanup_(keyring_key_freep) struct keyring_key *key = NULL;
		struct keyring_info *info = &ret_infos[i];

		memset(info, 0, sizeof(*info));
		info->role = (enum keyring_role)i;
		info->error = keyring_key_load(fd, info->role, &key);
		if (key != NULL) {
			memcpy(info->id, key->id, sizeof(info->id));
		}
		info->fault = list_fault(&ring, now, key, info);
	}
	return 0;
}

/* What each fault is called, and what to do; %s is the key's role. */
static const struct list_words {
	const char *name;
	const char *text;
	const char *remedy;
} list_words[_KEYRING_FAULT_N] = {
        [KEYRING_USABLE] = {"usable", "usable", ""},
        [KEYRING_ABSENT] = {"missing", "missing: not every host needs it", ""},
        [KEYRING_EXPOSED] = {"exposed", "others could read or replace it",
                "make it yours, with mode 0600, if nobody had it; else draw another with `luctl "
                "keys renew "
                "--replace %s`"},
        [KEYRING_DAMAGED] = {"damaged", "damaged: it is not a key of this kind",
                "put a copy of it back, or draw another with `luctl keys renew --replace %s` where "
                "root.pem is"},
        [KEYRING_NO_ROOT] = {"no-root", "no signed root: root.signed is missing",
                "copy root.signed here from where it was signed"},
        [KEYRING_BAD_ROOT] = {"bad-root", "no signed root: root.signed is damaged",
                "copy root.signed here from where it was signed"},
        [KEYRING_OTHER_ROOT] = {"foreign", "does not belong to this root",
                "root.signed and root.pem are of two keyrings: put back the one that belongs here"},
        [KEYRING_UNNAMED] = {"foreign", "does not belong to this root",
                "put back the %s.pem or the root.signed that belong together; or have the next "
                "root "
                "name this key, with `luctl keys renew` where root.pem is"},
        [KEYRING_EXPIRED] = {"expired", "expired",
                "sign the next root with `luctl keys renew` where root.pem is"},
        [KEYRING_NOT_YET] = {"not-yet", "not valid yet", "check this host's clock"},
        [KEYRING_NO_RULES] = {"no-rules", "the signer does not start: signer.rules is missing",
                "put it back, or copy the default one out of a keyring that `luctl keys init "
                "--keys DIR` makes"},
        [KEYRING_BAD_RULES] = {"bad-rules", "the signer does not start: signer.rules is wrong",
                "correct it (lusign(1) says how), or see that it is yours, with mode 0600"},
};

const char *keyring_fault_name(enum keyring_fault fault)
{
	return list_words[fault].name;
}

const char *keyring_fault_text(enum keyring_fault fault)
{
	return list_words[fault].text;
}

void keyring_fault_remedy(const struct keyring_info *info, char *ret_text, size_t size)
{
	const char *remedy = list_words[info->fault].remedy;
	const char *role = strstr(remedy, "%s");

	if (info->role == KEYRING_ROOT &&
	        (info->fault == KEYRING_DAMAGED || info->fault == KEYRING_EXPOSED)) {
		remedy = info->fault == KEYRING_DAMAGED
		                 ? "put a copy of it back; without one, make a new keyring with "
		                   "`luctl "
		                   "keys init --keys DIR`"
		                 : "make it yours, with mode 0600, if nobody had it; else make a "
		                   "new "
		                   "keyring with `luctl keys init --keys DIR`";
		role = NULL;
	}
	(void)snprintf(ret_text, size, "%.*s%s%s",
	        role ? (int)(role - remedy) : (int)strlen(remedy), remedy,
	        role ? keyring_role_name(info->role) : "", role ? role + 2 : "");
}
