/*
 * A kit becomes a release. What changes is what no variant is made of: the manifest's number, date and
 * source id, and two files for people. Program and state description stay byte for byte, so a release
 * runs what the build has made. The list is written anew, for its hash is in the manifest.
 *
 * It also reads these files back, out of a kit that may have been changed since: of what the signed
 * manifest does not cover nothing is returned.
 */
#include "host/kit/renew.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "host/kit/priv.h"
#include "proto/envelope/envelope_crypto.h"

/*
 * Adds a file, in the place that its name has in the list; one of this name goes. The bytes are
 * copied, with a NUL behind them as kit_dir_read() leaves them.
 */
static int kit_renew_file(struct kit_dir *dir, const char *name, const char *text,
        const char *place, struct kit_fault *ret_fault)
{
	const struct kit_list_entry *known = kit_list_find(&dir->list, name);
	struct kit_list_entry entry = {.len = strlen(text)};
	uint8_t **bytes;
	size_t at;
	int r;

	strcpy(entry.path, name);
	envelope_hash(text, entry.len, entry.hash);
	if (known) {
		at = (size_t)(known - dir->list.entries);
		free(dir->bytes[at]);
		dir->bytes[at] = (uint8_t *)strdup(text);
		dir->list.entries[at] = entry;
		return dir->bytes[at] ? 0
		                      : kit_fault_set(ret_fault, -ENOMEM, place, "out of memory");
	}
	bytes = realloc(dir->bytes, (dir->list.n + 2) * sizeof(*bytes));
	if (!bytes) {
		return kit_fault_set(ret_fault, -ENOMEM, place, "out of memory");
	}
	dir->bytes = bytes;
	r = kit_list_add(&dir->list, &entry, place, ret_fault);
	if (r < 0) {
		return r;
	}
	at = (size_t)(kit_list_find(&dir->list, name) - dir->list.entries);
	memmove(bytes + at + 1, bytes + at, (dir->list.n - 1 - at) * sizeof(*bytes));
	bytes[at] = (uint8_t *)strdup(text);
	return bytes[at] ? 0 : kit_fault_set(ret_fault, -ENOMEM, place, "out of memory");
}

/* The manifest's part: list and number. A floor above the number is the description's mistake. */
static int kit_renew_manifest(struct kit_dir *dir, const struct kit_release *release,
        const char *place, struct kit_fault *ret_fault)
{
	struct kit_manifest *manifest = &dir->manifest;

	manifest->counter = release->counter;
	manifest->issued = release->issued;
	envelope_hash(release->source, strlen(release->source), manifest->source_id);
	envelope_hash(dir->list_bytes, dir->list_len, manifest->files_hash);
	if (kit_manifest_check(manifest) != ENVELOPE_OK) {
		return kit_fault_set(ret_fault, -EBADMSG, place,
		        "number %u is below its floor %u; lower `floor` in the service's "
		        "description, or give a higher number",
		        manifest->counter, manifest->floor);
	}
	return 0;
}

int kit_dir_renew(struct kit_dir *dir, const struct kit_release *release, const char *place,
        struct kit_fault *ret_fault)
{
	char *text = NULL;
	int r = kit_renew_file(dir, KIT_SOURCE, release->source, place, ret_fault);

	if (r == 0 && *release->notes) {
		r = kit_renew_file(dir, KIT_NOTES, release->notes, place, ret_fault);
	}
	if (r < 0) {
		return r;
	}
	r = kit_list_write(&dir->list, &text, &dir->list_len);
	if (r < 0) {
		return kit_fault_set(
		        ret_fault, r, place, "its list cannot be written: %s", strerror(-r));
	}
	free(dir->list_bytes);
	dir->list_bytes = (uint8_t *)text;
	free(dir->signed_part);
	dir->signed_part = NULL;
	dir->signed_len = 0;
	return kit_renew_manifest(dir, release, place, ret_fault);
}

/* The list, if it is the manifest's. */
static int kit_list_of(int fd, const char *path, const struct kit_manifest *manifest,
        struct kit_list *ret_list, struct kit_fault *ret_fault)
{
	_cleanup_(kit_bytes_freep) uint8_t *bytes = NULL;
	uint8_t hash[64];
	size_t len;
	int r = kit_file_load(fd, KIT_LIST, KIT_LIST_BYTES_MAX, KIT_LENGTH_ANY, &bytes, &len);

	if (r < 0) {
		return kit_fault_file(ret_fault, r, path, KIT_LIST);
	}
	envelope_hash(bytes, len, hash);
	if (memcmp(hash, manifest->files_hash, sizeof(hash)) != 0) {
		return kit_fault_set(ret_fault, -EBADMSG, path,
		        "its list of files is not the manifest's; add the release again");
	}
	return kit_list_parse(ret_list, bytes, len, path, ret_fault);
}

int kit_file_of(const char *path, const struct kit_manifest *manifest, const char *name,
        size_t limit, char **ret_text, struct kit_fault *ret_fault)
{
	_cleanup_(kit_bytes_freep) uint8_t *bytes = NULL;
	_cleanup_(kit_list_fini) struct kit_list list = {0};
	_cleanup_(kit_fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct kit_list_entry *entry;
	uint8_t hash[64];
	size_t len;
	int r = fd < 0 ? kit_fault_set(ret_fault, -errno, path, "%s", strerror(errno))
	               : kit_list_of(fd, path, manifest, &list, ret_fault);

	if (r < 0) {
		return r;
	}
	entry = kit_list_find(&list, name);
	if (!entry) {
		return kit_fault_set(ret_fault, -ENOENT, path, "it has no %s", name);
	}
	r = kit_file_load(fd, name, limit, entry->len, &bytes, &len);
	if (r == 0) {
		envelope_hash(bytes, len, hash);
		r = memcmp(hash, entry->hash, sizeof(hash)) == 0 ? 0 : -EBADMSG;
	}
	if (r < 0) {
		return kit_fault_file(ret_fault, r, path, name);
	}
	*ret_text = (char *)bytes;
	bytes = NULL;
	return 0;
}
