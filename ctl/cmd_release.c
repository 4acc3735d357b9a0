/* release sign (offline), add, list. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/place.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "keyring/keyring.h"

#define RELEASE_MANIFEST "manifest"
#define RELEASE_SIGNED "manifest.signed"
#define RELEASE_MANIFEST_MAX 8192u

static void key_freep(struct keyring_key **key)
{
	*key = keyring_key_free(*key);
}

static void file_closep(FILE **file)
{
	if (*file) {
		fclose(*file);
	}
}

static int release_read(const char *path, uint8_t *ret_bytes, size_t cap, size_t *ret_len)
{
	_cleanup_(file_closep) FILE *file = fopen(path, "re");

	if (!file) {
		return -errno;
	}
	*ret_len = fread(ret_bytes, 1, cap, file);
	return ferror(file) ? -EIO : !feof(file) && *ret_len == cap ? -EFBIG : 0;
}

/* Written beside and renamed: what is there is whole. */
static int release_write(const char *path, const uint8_t *bytes, size_t len)
{
	_cleanup_(ctl_freep) char *beside = ctl_format("%s.new", path);
	FILE *file = fopen(beside, "we");
	bool good;

	if (!file) {
		return -errno;
	}
	good = fwrite(bytes, 1, len, file) == len && !fflush(file) && !fsync(fileno(file));
	good = !fclose(file) && good;
	return good && !rename(beside, path) ? 0 : -EIO;
}

static int release_sign_one(const struct keyring_key *key, const char *kit, json_t *list)
{
	_cleanup_(ctl_freep) char *from = ctl_format("%s/" RELEASE_MANIFEST, kit);
	_cleanup_(ctl_freep) char *to = ctl_format("%s/" RELEASE_SIGNED, kit);
	_Alignas(8) uint8_t manifest[RELEASE_MANIFEST_MAX];
	uint8_t part[RELEASE_MANIFEST_MAX];
	ProtobufCBinaryData id;
	uint8_t release_id[64];
	char text[TEXT_SIZE];
	size_t len = 0, part_len = 0;
	int r;

	r = release_read(from, manifest, sizeof(manifest), &len);
	if (r < 0) {
		return ctl_fail(CTL_KEYS, from, "is it a kit? `luforge kit` makes them", "%s",
		        strerror(-r));
	}
	if (len != sizeof(struct kit_manifest)) {
		return ctl_fail(CTL_KEYS, from, "build the kit again", "not a kit manifest");
	}
	r = keyring_sign(key, ENVELOPE_KIT, manifest, len, part, sizeof(part), &part_len);
	if (r != 0) {
		return ctl_fail(CTL_KEYS, from, "build the kit again", "it cannot be signed: %s",
		        keyring_error_text(r));
	}
	r = release_write(to, part, part_len);
	if (r < 0) {
		return ctl_fail(CTL_KEYS, to, "check the directory", "%s", strerror(-r));
	}
	kit_manifest_release_id((const struct kit_manifest *)manifest, release_id);
	id = (ProtobufCBinaryData){sizeof(release_id), release_id};
	text_id(&id, text);
	if (list) {
		json_array_append_new(
		        list, json_pack("{s:s, s:s, s:s, s:i}", "kit", kit, "service",
		                      ((struct kit_manifest *)manifest)->service, "release", text,
		                      "counter", (int)((struct kit_manifest *)manifest)->counter));
	} else {
		printf("%s: release %u of %s is signed: %s\n", kit,
		        ((struct kit_manifest *)manifest)->counter,
		        ((struct kit_manifest *)manifest)->service, text);
	}
	return CTL_OK;
}

int cmd_release_sign(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir =
	        options->keys ? ctl_format("%s", options->keys) : place_keys();
	_cleanup_(key_freep) struct keyring_key *key = NULL;
	json_t *list = options->json ? json_array() : NULL;
	int r = keyring_key_open(dir, KEYRING_RELEASE, &key);
	int code = CTL_OK;

	if (r != 0) {
		return ctl_fail(CTL_KEYS, dir,
		        "make keys with `luctl keys init`, or name a keyring with --keys",
		        "the release key cannot be used: %s", keyring_error_text(r));
	}
	for (int i = 0; code == CTL_OK && i < options->n_args; i++) {
		code = release_sign_one(key, options->args[i], list);
	}
	if (list) {
		json_print(list);
	}
	return code;
}

static void releases_print(const Control__ReleaseList *list)
{
	static const struct table_column columns[] = {
	        {"SERVICE", false},
	        {"RELEASE", true},
	        {"ID", false},
	        {"FLOOR", true},
	        {"KEY", false},
	        {"ADDED", false},
	        {"BLOCKED", false},
	        {"KIT", false},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < list->n_releases; i++) {
		const Control__Release *release = list->releases[i];
		char counter[TEXT_SIZE], id[TEXT_SIZE], floor[TEXT_SIZE], added[TEXT_SIZE];

		snprintf(counter, TEXT_SIZE, "%u", release->counter);
		snprintf(floor, TEXT_SIZE, "%u", release->floor);
		table_row(table,
		        (const char *const[]){release->service, counter,
		                text_id(&release->release_id, id), floor, release->key_id,
		                text_seconds(release->added, added),
		                release->blocked ? release->blocked_why : "-", release->path});
	}
	table_print(table);
}

/* Registers one kit on a connection of its own, so that errors name it. */
static int release_add_one(const struct options *options, const char *kit)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(ctl_freep) char *path = realpath(kit, NULL);
	Control__ReleaseAddRequest add = CONTROL__RELEASE_ADD_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	char id[TEXT_SIZE];
	int code;

	if (!path) {
		return ctl_fail(CTL_KEYS, kit, "check the path", "%s", strerror(errno));
	}
	add.kit = path;
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_ADD;
	request.release_add = &add;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK && !options->json) {
		const Control__Release *release = reply->releases->releases[0];

		printf("%s: release %u (%s) is registered\n", release->service, release->counter,
		        text_id(&release->release_id, id));
	}
	return code;
}

int cmd_release_add(const struct options *options)
{
	int code = CTL_OK;

	for (int i = 0; code == CTL_OK && i < options->n_args; i++) {
		code = release_add_one(options, options->args[i]);
	}
	return code;
}

int cmd_release_list(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__ReleaseListRequest list = CONTROL__RELEASE_LIST_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	list.service = options->n_args ? options->args[0] : "";
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_LIST;
	request.release_list = &list;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK && !options->json) {
		releases_print(reply->releases);
	}
	return code;
}

int cmd_release_unblock(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__ReleaseUnblockRequest unblock = CONTROL__RELEASE_UNBLOCK_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;

	unblock.service = options->args[0];
	unblock.release = options->args[1];
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_UNBLOCK;
	request.release_unblock = &unblock;
	return command_call(options, &request, NULL, NULL, &client, &reply);
}
