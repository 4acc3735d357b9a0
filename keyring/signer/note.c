/*
 * The lines of the signer's log. They are what the owner of the keys has when he wonders what was done
 * with them, so they say what was signed and not what was asked for: every number is read from the
 * bytes that carry the signature. What was refused is a line, too, with the reason that was given.
 * Questions that need no key leave none.
 */
#include "keyring/signer/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void note_hex(const uint8_t *bytes, size_t n, char *ret_text)
{
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
	}
}

static void note_order(const struct order_manifest *order, char *ret_note, size_t size)
{
	char machine[33];
	size_t at;

	note_hex(order->machine_id, 16, machine);
	at = (size_t)snprintf(ret_note, size,
	        "order machine %s boot %" PRIx64 " epoch %" PRIu64 " transaction %" PRIu64
	        " action %" PRIu32,
	        machine, order->boot_id, order->epoch, order->transaction, order->action);
	for (uint32_t i = 0; i < order->n_components && at < size; i++) {
		at += (size_t)snprintf(ret_note + at, size - at, " %.24s:%" PRIu64,
		        order_components(order)[i].service, order_components(order)[i].generation);
	}
}

/*
 * One line of the log about what was signed, or was not. From the signed bytes, not from the
 * request; machine and service are what the owner of the keys will look for.
 */
void note_write(const struct signer_request *request, const struct signer_reply *reply,
        char ret_note[SIGNER_NOTE_SIZE])
{
	const void *manifest = reply->part.bytes + sizeof(struct envelope_part_header);
	const struct variant_manifest *variant = manifest;
	const struct statement_manifest *statement = manifest;
	const struct standing_manifest *standing = manifest;
	char machine[33], release[17];

	ret_note[0] = '\0';
	if (request->op == SIGNER_INFO || request->op == SIGNER_SEAL) {
		return;
	}
	if (reply->status != SIGNER_OK) {
		(void)snprintf(ret_note, SIGNER_NOTE_SIZE, "refused op %" PRIu32 ": %s",
		        request->op, reply->text);
		return;
	}
	switch ((enum signer_op)request->op) {
	case SIGNER_SIGN_VARIANT:
		note_hex(variant->machine_id, 16, machine);
		note_hex(variant->release_id, 8, release);
		(void)snprintf(ret_note, SIGNER_NOTE_SIZE,
		        "variant machine %s service %.24s release %s expires %" PRIu64, machine,
		        variant->service, release, variant->expires);
		break;
	case SIGNER_SIGN_ORDER:
		note_order(manifest, ret_note, SIGNER_NOTE_SIZE);
		break;
	case SIGNER_SIGN_STATEMENT:
		note_hex(statement->machine_id, 16, machine);
		(void)snprintf(ret_note, SIGNER_NOTE_SIZE,
		        "statement machine %s root %" PRIu64 " services %" PRIu32, machine,
		        statement->root_serial, statement->n_services);
		break;
	case SIGNER_SIGN_STANDING:
		note_hex(standing->machine_id, 16, machine);
		(void)snprintf(ret_note, SIGNER_NOTE_SIZE,
		        "standing order machine %s boot %" PRIx64 " epoch %" PRIu64
		        " number %" PRIu64 " services %" PRIu32 " every %" PRIu32 " ms",
		        machine, standing->boot_id, standing->epoch, standing->number,
		        standing->n_services, standing->every_ms);
		break;
	case SIGNER_INFO:
	case SIGNER_SEAL:
	case _SIGNER_OP_N:
		break;
	}
}
