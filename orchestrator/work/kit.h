#pragma once
/*
 * Release kits as lud sees them: only what release keys signed, never the files beside
 * it. Those are read by workers (forge.h), which judge each by the signed list.
 */
#include <stddef.h>
#include <stdint.h>

#include "host/kit/list.h"
#include "host/base/err.h"
#include "host/base/failure.h"
#include "proto/envelope/envelope.h"

#define KIT_STATE "state"
#define KIT_FLAT "flat"
/* The keyring's public file: the signed root. */
#define KIT_ROOT "root.signed"

/* The stored part; the caller frees it. Errors: those of file_read(). */
int __must_check kit_signed_read(const char *kit, uint8_t **ret_part, size_t *ret_size);
int __must_check kit_root_read(const char *keyring, uint8_t **ret_part, size_t *ret_size);
/* Serial of the keyring's signed root. */
int __must_check kit_root_serial(const char *keyring, uint64_t *ret_serial);
/* When the signed root ends, and of each role the key that lasts longest (0: there is none), unix s. -EBADMSG, or of reading. */
struct kit_ends {
	uint64_t root, roles[_ROOT_ROLE_N];
};
int __must_check kit_root_ends(const char *keyring, struct kit_ends *ret_ends);

struct kit_facts {
	struct kit_manifest manifest;
	uint8_t release_id[64];
	uint8_t key_id[16];
};

/* Reads the signed manifest of a kit and verifies it against the keyring's signed root. */
int __must_check kit_facts_read(const char *kit, const char *keyring, struct kit_facts *ret_facts,
        struct failure *ret_failure);
