/*
 * machine time: sets a machine's time by a statement that a release key signs. A statement is
 * good for one machine, boot and nonce, so these are asked first, or stand in a statement that
 * `luctl keys time` made where the key is; lud only carries it.
 */
#include "ctl/cmd/time_set.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "ctl/client/command.h"
#include "ctl/cmd/cmd.h"
#include "host/text/hex.h"
#include "keyring/keyring.h"

static void time_key_freep(struct keyring_key **key)
{
	*key = keyring_key_free(*key);
}

int time_statement_make(const char *keys, struct time_manifest *manifest,
        uint8_t ret_envelope[ENVELOPE_SIZE_MAX], size_t *ret_size)
{
	_cleanup_(time_key_freep) struct keyring_key *release = NULL;
	_Alignas(8) uint8_t root[SIGNER_ROOT_MAX], part[SIGNER_KIT_MAX];
	struct envelope_part root_part;
	size_t len = 0;
	int r = keyring_root_read(keys, root, sizeof(root), &root_part);

	memcpy(manifest->magic, TIME_MAGIC, sizeof(manifest->magic));
	manifest->version = MANIFEST_VERSION;
	manifest->size = sizeof(*manifest);
	if (r == 0) {
		r = keyring_key_open(keys, KEYRING_RELEASE, &release);
	}
	if (r == 0) {
		r = keyring_sign(release, ENVELOPE_TIME, manifest, sizeof(*manifest), part,
		        sizeof(part), &len);
	}
	if (r != 0) {
		return ctl_fail(CTL_TRUST, keys,
		        "sign it where the release key is: `luctl keys time`; then "
		        "`luctl machine time --file`",
		        "the time statement cannot be signed: %s", keyring_error_text(r));
	}
	*ret_size = envelope_write(ENVELOPE_OF_TIME, (const void *const[]){root, part},
	        (const size_t[]){root_part.size, len}, ret_envelope, ENVELOPE_SIZE_MAX);
	return *ret_size ? CTL_OK
	                 : ctl_fail(CTL_TRUST, keys, "see `luctl keys list`",
	                           "the statement cannot be made");
}

/* What `luctl keys time` prints: one line of hex digits, whole. */
static int time_file_read(
        const char *path, uint8_t ret_envelope[ENVELOPE_SIZE_MAX], size_t *ret_size)
{
	char text[2 * ENVELOPE_SIZE_MAX + 2];
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file) {
		return ctl_fail(
		        CTL_TRUST, path, "`luctl keys time` makes it", "%s", strerror(errno));
	}
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	n -= n > 0 && text[n - 1] == '\n';
	text[n] = '\0';
	if (n == 0 || n > 2 * ENVELOPE_SIZE_MAX || !hex_read(text, ret_envelope, n / 2)) {
		return ctl_fail(CTL_TRUST, path, "`luctl keys time` makes it",
		        "the file is not a time statement");
	}
	*ret_size = n / 2;
	return CTL_OK;
}

/* Asks what the statement must name, and signs one for it. */
static int time_for_machine(const struct options *options, const char *name,
        uint8_t ret_envelope[ENVELOPE_SIZE_MAX], size_t *ret_size)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(ctl_freep) char *keys = command_keys(options);
	Control__StatusRequest status = CONTROL__STATUS_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	struct time_manifest manifest = {.time = (uint64_t)time(NULL)};
	struct options quiet = *options;
	const Control__Reply *reply;
	int code;

	quiet.json = false;
	status.machine = (char *)name;
	request.body_case = CONTROL__REQUEST__BODY_STATUS;
	request.status = &status;
	code = command_call(&quiet, &request, NULL, NULL, &client, &reply);
	if (code != CTL_OK) {
		return code;
	}
	/*
	 * The nonce is of this boot: one that was heard before is refused by the machine. What brings it back is said as
	 * lud says it in its status.
	 */
	if (reply->status->stale || !reply->status->machine ||
	        reply->status->machine->machine_id.len != 16) {
		return ctl_fail(CTL_UNREACHABLE,
		        reply->status->machine ? reply->status->machine->name : name,
		        reply->status->machine && *reply->status->machine->remedy
		                ? reply->status->machine->remedy
		                : "see `luctl machine list`",
		        "the machine does not answer");
	}
	memcpy(manifest.machine_id, reply->status->machine->machine_id.data, 16);
	manifest.boot_id = reply->status->machine->boot_id;
	manifest.nonce = reply->status->time_nonce;
	return time_statement_make(keys, &manifest, ret_envelope, ret_size);
}

/*
 * Set the time. lud passes the statement on and cannot change it; a second use of the same
 * statement is rejected by the machine (its nonce is used up).
 */
int cmd_machine_time(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__MachineTimeRequest set = CONTROL__MACHINE_TIME_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const char *name = options->n_args ? options->args[0] : "";
	uint8_t envelope[ENVELOPE_SIZE_MAX];
	const Control__Reply *reply;
	size_t size = 0;
	int code = options->file ? time_file_read(options->file, envelope, &size)
	                         : time_for_machine(options, name, envelope, &size);

	if (code != CTL_OK) {
		return code;
	}
	set.machine = (char *)name;
	set.envelope.data = envelope;
	set.envelope.len = size;
	request.body_case = CONTROL__REQUEST__BODY_MACHINE_TIME;
	request.machine_time = &set;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK && !options->json) {
		puts("the machine's time is set");
	}
	return code;
}
