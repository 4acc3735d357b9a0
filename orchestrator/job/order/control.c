/*
 * The second signature of an order that destroys: restart afresh, switch off, drop, consent to
 * loss. A person signs what lud proposed with a control key that lud never sees. What comes back is
 * checked here against the signed root, over exactly the proposed bytes, so that a wrong key is
 * said at once and by name; the machine checks it again.
 */
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/order/priv.h"
#include "proto/envelope/envelope_crypto.h"

/* Whether the key is one of the root's control keys and signed exactly this. */
static bool control_is_good(const struct root_manifest *root, const struct envelope_part *part,
        const struct envelope_signature *signature)
{
	for (uint32_t i = 0; i < root->n_keys[ROOT_ROLE_CONTROL]; i++) {
		const struct root_key *key = &root->keys[ROOT_ROLE_CONTROL][i];

		if (!memcmp(key->id, signature->key_id, sizeof(key->id))) {
			return envelope_signature_check(
			        key->pub, part->manifest, part->manifest_len, signature->sig);
		}
	}
	return false;
}

int job_order_countersign(
        struct job *job, const struct envelope_signature *signature, struct failure *ret_failure)
{
	_cleanup_(freep) uint8_t *made = mem_zero(SIGNER_PART_MAX);
	struct envelope_signature both[2];
	struct envelope_part part;
	struct envelope_view view;
	size_t size;

	if (!job->proposal || !job->order_envelope ||
	        envelope_part_open(job->proposal->bytes, job->proposal->len, &part) ||
	        envelope_open(job->order_envelope, job->order_size, &view)) {
		failure_set(ret_failure, "no-proposal", job->row.service, "give the command again",
		        "the job waits for no signature");
		return err_raise(-ESRCH);
	}
	if (!control_is_good(view.root, &part, signature)) {
		failure_set(ret_failure, "no-control", "signature",
		        "use the control key that the keyring's root.signed names",
		        "the signature is not by a control key of the signed root over this order");
		return err_raise(-EKEYREJECTED);
	}
	both[0] = part.signatures[0];
	both[1] = *signature;
	size = envelope_part_write(
	        ENVELOPE_ORDER, part.manifest, part.manifest_len, both, 2, made, SIGNER_PART_MAX);
	if (!size || job_order_assemble(job, made, size) < 0) {
		err_forget();
		failure_set(ret_failure, "order", job->row.service, "give the command again",
		        "the order cannot be put together");
		return err_raise(-EBADMSG);
	}
	return 0;
}

void job_order_drop_proposal(struct job *job)
{
	free(job->proposal);
	job->proposal = NULL;
}
