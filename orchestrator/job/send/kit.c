/*
 * What a machine needs of a release's kit: state description and flat kit, and the envelope that names
 * them. The kit's directory is believed only what a release key signed: what is shown is the stored
 * part, which must be that of the release, and a file is sent under the hash that the part has for it,
 * so the machine notices when it is not that file.
 */
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/send/send.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope_crypto.h"

/* The stored part of the release, and the manifest inside it. -ESTALE: of another release. */
static int send_kit_read(const struct release_row *release, uint8_t **ret_part, size_t *ret_size,
        struct kit_manifest *ret_kit)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	struct envelope_part part;
	uint8_t release_id[64];
	size_t size;
	int r = kit_signed_read(release->path, &bytes, &size);

	if (r < 0) {
		return err_up(r);
	}
	if (envelope_part_open(bytes, size, &part) != ENVELOPE_OK || part.kind != ENVELOPE_KIT) {
		return err_raise(-EBADMSG);
	}
	memcpy(ret_kit, part.manifest, sizeof(*ret_kit));
	kit_manifest_release_id(ret_kit, release_id);
	if (memcmp(release_id, release->release_id, sizeof(release_id)) != 0) {
		return err_raise(-ESTALE);
	}
	*ret_part = steal(&bytes);
	*ret_size = size;
	return 0;
}

static int send_kit_fail(
        const struct release_row *release, const char *what, int r, struct failure *ret_failure)
{
	failure_set(
	        ret_failure, "kit", release->path, SEND_KIT_REMEDY, "%s: %s", what, strerror(-r));
	return err_up(r);
}

int send_kit_files(struct send *send, const struct release_row *release, bool is_needed,
        struct failure *ret_failure)
{
	_cleanup_(freep) uint8_t *part = NULL;
	struct kit_manifest kit;
	struct send_file *file;
	size_t size;
	int r = send_kit_read(release, &part, &size, &kit);

	if (r < 0) {
		return send_kit_fail(
		        release, "the signed kit of the release cannot be read", r, ret_failure);
	}
	file = send_add(send, kit.state_hash, kit.state_len);
	file->path = text_format("%s/" KIT_STATE, release->path);
	file = send_add(send, kit.flat_hash, kit.flat_len);
	file->path = text_format("%s/" KIT_FLAT, release->path);
	file->is_optional = !is_needed;
	return 0;
}

int send_kit_envelope(const struct release_row *release, const char *keyring,
        uint8_t **ret_envelope, size_t *ret_size, uint64_t *ret_serial, struct failure *ret_failure)
{
	_cleanup_(freep) uint8_t *envelope = mem_zero(ENVELOPE_SIZE_MAX);
	_cleanup_(freep) uint8_t *root = NULL;
	_cleanup_(freep) uint8_t *part = NULL;
	struct kit_manifest kit;
	struct envelope_view view;
	size_t root_size, part_size, size = 0;
	int r = send_kit_read(release, &part, &part_size, &kit);

	if (!r) {
		r = kit_root_read(keyring, &root, &root_size);
	}
	if (!r) {
		size = envelope_write(ENVELOPE_OF_KIT, (const void *const[]){root, part},
		        (const size_t[]){root_size, part_size}, envelope, ENVELOPE_SIZE_MAX);
	}
	if (!r && (!size || envelope_open(envelope, size, &view) != ENVELOPE_OK)) {
		r = err_raise(-EBADMSG);
	}
	if (r < 0) {
		return send_kit_fail(
		        release, "kit and signed root cannot be put together", r, ret_failure);
	}
	*ret_serial = view.root->serial;
	*ret_envelope = steal(&envelope);
	*ret_size = size;
	return 0;
}
