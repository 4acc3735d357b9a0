#pragma once
/*
 * What lusign does with one request. Reading, writing and the log are lusign.c's job,
 * the time clock.h's, so that everything that decides is here and can be tested.
 */
#include <stdint.h>

#include "keyring/keyring.h"
#include "keyring/rules/rules.h"

#define SIGNER_NOTE_SIZE 512u

/*
 * A second signer has a variant key of its own and no other: what the first one signed, it makes
 * again, and signs the same bytes, for machines that cannot make them again themselves.
 */
enum signer_kind { SIGNER_FIRST, SIGNER_SECOND, _SIGNER_KIND_N };

struct signer {
	struct keyring_key *variant;
	struct keyring_key *order; /* NULL: of a second signer */
	struct rules rules;
	unsigned int rules_line; /* of the rule file that is to blame; 0: none */
	const char *rules_why;
	struct envelope_part root; /* in root_bytes */
	_Alignas(8) uint8_t root_bytes[SIGNER_ROOT_MAX];
	/* What followed the request: ->variant.flat_len bytes, 8-byte aligned. The caller's. */
	const uint8_t *flat;
};

/*
 * Open the online keys, the root and the rules of a keyring. On failure (see
 * keyring.h) *ret_what names the file that is to blame, rules_line its line.
 */
int signer_init(struct signer *s, const char *dir, enum signer_kind kind, const char **ret_what);
void signer_fini(struct signer *s);

/* How many bytes follow a request; more than KIT_FLAT_LEN_MAX: no correct client sends it. */
uint32_t signer_flat_len(const struct signer_request *request);

/*
 * Answer one request at a time (unix s). Returns 0, or -EPROTO for a request that
 * no correct client sends; then there is no reply and the signer should end.
 * ret_note is what the signer's log is to say about it: "" for what needs no line.
 */
int signer_handle(const struct signer *s, const struct signer_request *request, uint64_t now,
        struct signer_reply *ret_reply, char ret_note[SIGNER_NOTE_SIZE]);
