/* keys init, keys list: offline, on this host's keyring. */
#include <string.h>
#include <time.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/place.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "keyring/keyring.h"

#define KEYS_LIFETIME_SEC (UINT64_C(365) * 24 * 3600)

static char *keys_dir(const struct options *options)
{
	return options->keys ? ctl_format("%s", options->keys) : place_keys();
}

int cmd_keys_init(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = keys_dir(options);
	int r = keyring_create(dir, time(NULL), KEYS_LIFETIME_SEC);

	if (r == KEYRING_E_EXISTS) {
		return ctl_fail(CTL_KEYS, dir,
		        "`luctl keys list` shows them; name another directory with --keys",
		        "there are keys already; nothing was changed");
	}
	if (r != 0) {
		return ctl_fail(CTL_KEYS, dir, "check the directory and its owner",
		        "the keys cannot be made: %s", keyring_error_text(r));
	}
	if (options->json) {
		json_print(json_pack("{s:s}", "keys", dir));
	} else {
		printf("%s: made root, release, variant and sealing keys\n", dir);
		puts("Keep root.pem and release.pem offline where it matters.");
	}
	return CTL_OK;
}

static void keys_id(const struct keyring_info *info, char ret_text[TEXT_SIZE])
{
	ProtobufCBinaryData id = {sizeof(info->id), (uint8_t *)info->id};
	static const uint8_t none[16];

	if (memcmp(info->id, none, sizeof(none)) != 0) {
		text_id(&id, ret_text);
	} else {
		snprintf(ret_text, TEXT_SIZE, "-");
	}
}

static void keys_json(const struct keyring_info infos[_KEYRING_N])
{
	json_t *list = json_array();
	char id[TEXT_SIZE];

	for (int i = 0; i < _KEYRING_N; i++) {
		keys_id(&infos[i], id);
		json_array_append_new(
		        list, json_pack("{s:s, s:s, s:b, s:s, s:I, s:I}", "role",
		                      keyring_role_name(infos[i].role), "id", id, "usable",
		                      infos[i].error == 0, "error",
		                      infos[i].error ? keyring_error_text(infos[i].error) : "",
		                      "not_before", (json_int_t)infos[i].not_before, "not_after",
		                      (json_int_t)infos[i].not_after));
	}
	json_print(list);
}

static void keys_print(const struct keyring_info infos[_KEYRING_N])
{
	static const struct table_column columns[] = {
	        {"ROLE", false},
	        {"ID", false},
	        {"VALID UNTIL", false},
	        {"", false},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (int i = 0; i < _KEYRING_N; i++) {
		char id[TEXT_SIZE], until[TEXT_SIZE];

		keys_id(&infos[i], id);
		table_row(table,
		        (const char *const[]){keyring_role_name(infos[i].role), id,
		                text_seconds((int64_t)infos[i].not_after, until),
		                infos[i].error ? keyring_error_text(infos[i].error) : "usable"});
	}
	table_print(table);
}

int cmd_keys_list(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = keys_dir(options);
	struct keyring_info infos[_KEYRING_N];
	int r = keyring_list(dir, infos);

	if (r != 0) {
		return ctl_fail(CTL_KEYS, dir,
		        "make keys with `luctl keys init`, or name a keyring with --keys", "%s",
		        keyring_error_text(r));
	}
	if (options->json) {
		keys_json(infos);
	} else {
		keys_print(infos);
	}
	return CTL_OK;
}
