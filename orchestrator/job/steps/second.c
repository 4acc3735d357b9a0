/*
 * The second signature of a variant, for a machine that keeps no kits. Such a machine cannot make a layout
 * again, and so cannot see that a payload is one of its release. Two signers that have each made it
 * themselves stand in for that, if they are not one: so the second is none of lud's processes. It has a key
 * that lud's user cannot read, listens at a socket, and is shown the same kit and seed as the first.
 *
 * Both sign the same bytes, dates included; a machine counts signatures under one manifest. What does not
 * fit together is found out here and not by the machine, which could only say that there are too few.
 */
#include <string.h>

#include "orchestrator/job/steps/priv.h"
#include "orchestrator/job/steps/second.h"
#include "orchestrator/work/signer.h"
#include "proto/envelope/envelope.h"

bool second_is_needed(const struct job *job)
{
	const Machine__Status *status = machine_status(job->machine);

	return job->row.kind != JOB_START && status && status->no_kits;
}

/* A reply of a signer that was SIGNER_OK: one signed variant. */
static bool second_open(const struct signer_part *from, struct envelope_part *ret_part)
{
	return from->len <= sizeof(from->bytes) &&
	       envelope_part_open(from->bytes, from->len, ret_part) == ENVELOPE_OK &&
	       ret_part->kind == ENVELOPE_VARIANT && ret_part->n_signatures == 1;
}

void second_manifest(const struct signer_part *first, struct signer_variant *ret)
{
	struct envelope_part part;

	if (second_open(first, &part)) {
		memcpy(&ret->manifest, part.manifest, sizeof(ret->manifest));
	}
	ret->lifetime_sec = (uint32_t)(ret->manifest.expires - ret->manifest.issued);
}

/*
 * It has a copy of the root of its own, read when it started, and what a newer one says is unknown to it; and
 * a newer one leaves the end of its key as it was unless the key is named again.
 */
const char *second_remedy(const struct signer_reply *reply)
{
	if (reply->reason == ENVELOPE_UNKNOWN_KEY || reply->reason == ENVELOPE_ROOT_EXPIRED ||
	        reply->reason == ENVELOPE_KEY_EXPIRED) {
		return "copy lud's root.signed into the second signer's keyring and restart it; if "
		       "it has that one, sign the next with `luctl keys renew --second KEY` and "
		       "copy it to both";
	}
	return signer_remedy(reply);
}

bool second_join(const struct signer_part *first, const struct signer_part *second,
        struct signer_part *ret_both, struct failure *ret_failure)
{
	struct envelope_signature signatures[2];
	struct envelope_part a, b;

	if (!second_open(first, &a) || !second_open(second, &b) ||
	        a.manifest_len != b.manifest_len ||
	        memcmp(a.manifest, b.manifest, a.manifest_len) != 0) {
		failure_set(ret_failure, "second-signer", "sign",
		        "use a lusign of this release at both places",
		        "the second signer has signed something else than the first");
		return false;
	}
	signatures[0] = a.signatures[0];
	signatures[1] = b.signatures[0];
	if (memcmp(signatures[0].key_id, signatures[1].key_id, sizeof(signatures[0].key_id)) == 0) {
		failure_set(ret_failure, "second-signer", "sign",
		        "give it a key of its own: `luctl keys second`",
		        "both signers have the same key, which counts once");
		return false;
	}
	ret_both->len = (uint32_t)envelope_part_write(ENVELOPE_VARIANT, a.manifest, a.manifest_len,
	        signatures, 2, ret_both->bytes, sizeof(ret_both->bytes));
	return true;
}
