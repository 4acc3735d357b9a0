#pragma once
/*
 * Keys on the host: made, kept, listed and used here and nowhere else. A keyring
 * is a directory (0700) of key files (0600, owned by the caller, else refused):
 *
 *   root.pem release.pem audit.pem     offline: delegation, kits, opening of seeds
 *   control.pem                        a person's: what destroys needs it
 *   variant.pem order.pem              online: only lusign reads them
 *   root.signed                        the signed root manifest, public
 *   signer.rules                       what lusign may sign (rules.h)
 *
 * Keys are PKCS#8: Ed25519, but for the audit key, which is X25519. Private keys
 * live in memory only inside an open struct keyring_key and are wiped when it is
 * freed. A keyring need not be complete: a host that runs lud keeps the online
 * files, a person control.pem and root.signed.
 *
 * Errors: 0, a negative errno, or a positive KEYRING_E_*.
 */
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope/envelope.h"
#include "proto/envelope/signer.h"

struct rules;

#define KEYRING_FILE_ROOT_SIGNED "root.signed"
#define KEYRING_FILE_RULES "signer.rules"

/*
 * Longest lives that a new root allows. An order must outlive the minutes by which a
 * signed date can move a machine ahead (TIME_SKEW_SEC_MAX), else one would end all.
 */
#define KEYRING_VARIANT_LIFE_SEC (7u * 24 * 3600)
#define KEYRING_ORDER_LIFE_SEC 1800u

enum keyring_error {
	KEYRING_E_EXISTS = 1, /* there is a keyring already: nothing was changed */
	KEYRING_E_MISSING,    /* no such key file */
	KEYRING_E_UNSAFE,     /* others can read or replace it, or it is not ours */
	KEYRING_E_FORMAT,     /* not a key of this kind */
	KEYRING_E_REFUSED,    /* what is to be signed or unsealed is not good */
	_KEYRING_E_N
};

enum keyring_role {
	KEYRING_ROOT,
	KEYRING_RELEASE,
	KEYRING_VARIANT,
	KEYRING_ORDER,
	KEYRING_CONTROL,
	KEYRING_AUDIT,
	_KEYRING_N
};

/* An open key. */
struct keyring_key;

/* Why a key cannot do its work now: the first that holds. */
enum keyring_fault {
	KEYRING_USABLE,
	KEYRING_ABSENT,     /* its file is not here, as on most hosts */
	KEYRING_EXPOSED,    /* KEYRING_E_UNSAFE */
	KEYRING_DAMAGED,    /* the file cannot be read as a key: info->error */
	KEYRING_NO_ROOT,    /* root.signed is missing */
	KEYRING_BAD_ROOT,   /* it is damaged */
	KEYRING_OTHER_ROOT, /* it was signed by another key than root.pem, and does not name this
	                       one */
	KEYRING_UNNAMED,    /* the signed root does not name this key for this role */
	KEYRING_EXPIRED,    /* the key's time is over, or the root's */
	KEYRING_NOT_YET,
	KEYRING_NO_RULES,  /* online keys only: the signer does not start */
	KEYRING_BAD_RULES, /* info->rules_line, or the file is exposed */
	_KEYRING_FAULT_N
};

/* One line of `luctl keys list`. */
struct keyring_info {
	enum keyring_role role;
	enum keyring_fault fault;
	int error;           /* 0, or why the file cannot be used (KEYRING_E_*, -errno) */
	uint8_t id[16];      /* all zero for unusable ones */
	uint64_t not_before; /* as the signed root says; 0 when it does not name it */
	uint64_t not_after;
	unsigned int rules_line;
};

/*
 * Make a keyring in dir (created when missing) with all keys, a signed root of
 * serial 1 that names them, and the signer's default rules. now and the lifetime of
 * the root and its keys are unix seconds; the keys are valid from a day before now.
 * All or nothing.
 */
int keyring_create(const char *dir, uint64_t now, uint64_t lifetime_sec);

/*
 * Make the keyring of a second signer in dir: a variant key of its own and the default rules. Its
 * public key is for the keyring that has the root key (keyring_renew()), whose next root.signed has to
 * be put beside it. All or nothing.
 */
int keyring_create_second(const char *dir, uint8_t ret_pub[32]);

/*
 * Sign the next root: serial one higher, another lifetime, and for every role the key
 * that the directory holds now; a role whose file is not here keeps what the last root
 * said. Bit n of replace draws a new key for role n first (not for the root itself:
 * KEYRING_E_REFUSED). What is superseded ends with the first machine that sees the new
 * root. All or nothing, but for keys drawn and not named if the disk fails.
 *
 * second: the public key of a second signer, to be named beside the variant key; zeros: none is named
 * any more; NULL: as the last root has it, end included. KEYRING_E_REFUSED, and no key is drawn, where a
 * root could not name it.
 */
int keyring_renew(const char *dir, uint64_t now, uint64_t lifetime_sec, unsigned int replace,
        const uint8_t second[32]);

/* Describe every role's key as of now (unix s). Never opens what it must not. */
int keyring_list(const char *dir, uint64_t now, struct keyring_info ret_infos[_KEYRING_N]);
/* "expired", and in words; what to do about it, "" when nothing. */
const char *keyring_fault_name(enum keyring_fault fault);
const char *keyring_fault_text(enum keyring_fault fault);
void keyring_fault_remedy(const struct keyring_info *info, char *ret_text, size_t size);

/* Open one key for use. */
int keyring_key_open(const char *dir, enum keyring_role role, struct keyring_key **ret_key);
/* Wipe and free; takes NULL; returns NULL. */
struct keyring_key *keyring_key_free(struct keyring_key *key);

/* Public key and id. */
const uint8_t *keyring_key_pub(const struct keyring_key *key);
const uint8_t *keyring_key_id(const struct keyring_key *key);

/*
 * Sign a manifest: check it, sign it with the key (whose role must fit the kind)
 * and write the stored part. KEYRING_E_REFUSED: the manifest breaks its rules.
 */
int keyring_sign(const struct keyring_key *key, enum envelope_part_kind kind, const void *manifest,
        size_t manifest_len, uint8_t *ret_part, size_t cap, size_t *ret_len);

/* The control key's signature over an order that is a good manifest. Errors as above. */
int keyring_control_sign(const struct keyring_key *key, const void *manifest, size_t manifest_len,
        struct envelope_signature *ret_signature);

/*
 * Seal a 32-byte seed to a public audit key, bound to a context, so that only the
 * audit key opens it (X25519, HKDF-SHA256, ChaCha20-Poly1305).
 */
int keyring_seal(const uint8_t audit_pub[32], const uint8_t context[64],
        const uint8_t seed[SIGNER_SEED_SIZE], uint8_t ret_sealed[SIGNER_SEALED_SIZE]);
int keyring_unseal(const struct keyring_key *audit, const uint8_t context[64],
        const uint8_t sealed[SIGNER_SEALED_SIZE], uint8_t ret_seed[SIGNER_SEED_SIZE]);

/* Read the signed root (a stored part) into ret_bytes and open it. */
int keyring_root_read(
        const char *dir, uint8_t *ret_bytes, size_t cap, struct envelope_part *ret_part);

/*
 * Read the signer's rules. The file must be ours and closed to others: who could write it could
 * have anything signed. KEYRING_E_FORMAT: line *ret_line is invalid (0: the file as a whole is),
 * and *ret_why says how.
 */
int keyring_rules_read(
        const char *dir, struct rules *ret_rules, unsigned int *ret_line, const char **ret_why);

/* "release", and one sentence for an error of this library. Never NULL. */
const char *keyring_role_name(enum keyring_role role);
const char *keyring_error_text(int error);
/* The file that a role's key lies in: "release.pem". */
const char *keyring_role_file(enum keyring_role role);
/* What a role does, and whether it belongs offline. */
const char *keyring_role_use(enum keyring_role role);
/* By name; _KEYRING_N when there is none. */
enum keyring_role keyring_role_find(const char *name);
