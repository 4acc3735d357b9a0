#pragma once
/* Release kits as lud sees them: the signed manifest, and the files beside it. */
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/base/err.h"
#include "orchestrator/base/failure.h"
#include "proto/envelope/envelope.h"

/* A kit directory's file with the manifest signed by a release key. */
#define KIT_SIGNED "manifest.signed"
#define KIT_STATE "state"
/* The keyring's public file: the signed root. */
#define KIT_ROOT "root.signed"

/* The stored part; the caller frees it. Errors: those of file_read(). */
int __must_check kit_signed_read(const char *kit, uint8_t **ret_part, size_t *ret_size);
int __must_check kit_root_read(const char *keyring, uint8_t **ret_part, size_t *ret_size);

struct kit_facts {
	struct kit_manifest manifest;
	uint8_t release_id[64];
	uint8_t key_id[16];
};

/*
 * Reads a signed kit and verifies it against the keyring's signed root, and that its
 * state description is the one that was signed. Errors fill ret_failure.
 */
int __must_check kit_verify(const char *kit, const char *keyring, struct kit_facts *ret_facts,
        struct failure *ret_failure);
