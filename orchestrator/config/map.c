/*
 * Sections whose keys are the file's own: names of machines and services, of users and groups. They are kept as text, a
 * line "KEY VALUE" for each, so that they are compared, replaced and freed as any other text of the
 * configuration is. Files have a few of them, so a look-up goes through all.
 *
 * A key says for what its value counts, MACHINE/SERVICE before /SERVICE before MACHINE. That a name
 * is one of a machine, or of a user, that there is, is not asked: it may come tomorrow.
 */
#include "orchestrator/config/config.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/config/priv.h"

/* The longest names there can be, as in the record. */
#define MAP_MACHINE_MAX 63u
#define MAP_SERVICE_MAX 23u
#define MAP_USER_MAX 32u
#define MAP_GROUP_MAX 64u /* of machines */

#define MAP_LOWER "abcdefghijklmnopqrstuvwxyz0123456789_"
#define MAP_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ-"

/* user/NAME or group/NAME, in the letters that useradd(8) takes. */
static bool config_user_ok(const char *key)
{
	const char *slash = strchr(key, '/');
	size_t len;

	if (!slash || (strncmp(key, "user/", 5) != 0 && strncmp(key, "group/", 6) != 0)) {
		return false;
	}
	len = strspn(slash + 1, MAP_LOWER MAP_UPPER ".");
	return len > 0 && len <= MAP_USER_MAX && !slash[1 + len];
}

static bool config_service_ok(const char *key)
{
	size_t machine = strspn(key, MAP_LOWER MAP_UPPER);
	size_t service;

	if (machine > MAP_MACHINE_MAX) {
		return false;
	}
	if (!key[machine]) {
		return machine > 0;
	}
	if (key[machine] != '/') {
		return false;
	}
	service = strspn(key + machine + 1, MAP_LOWER);
	return service > 0 && service <= MAP_SERVICE_MAX && !key[machine + 1 + service];
}

/* The line of a key, NULL: there is none. */
static const char *config_map_find(const char *map, const char *key)
{
	size_t len = strlen(key);

	for (; *map; map += strcspn(map, "\n") + 1) {
		if (!strncmp(map, key, len) && map[len] == ' ') {
			return map;
		}
	}
	return NULL;
}

bool config_map_key_ok(enum config_names names, const char *key)
{
	switch (names) {
	case CONFIG_USERS:
		return config_user_ok(key);
	case CONFIG_MACHINES:
		return config_service_ok(key) && !strchr(key, '/');
	case CONFIG_SERVICES:
	case _CONFIG_NAMES_N:
		break;
	}
	return config_service_ok(key);
}

bool config_map_where_ok(const char *value)
{
	const char *at = strchr(value, '@');

	while (at) {
		size_t len = strspn(++at, MAP_LOWER MAP_UPPER "./");

		if (!len || len > MAP_GROUP_MAX || (at[len] && at[len] != ',')) {
			return false;
		}
		at = at[len] ? at + len : NULL;
	}
	return strlen(value) < CONFIG_ROLE_SIZE;
}

void config_map_set(char **map, const char *key, const char *value)
{
	_cleanup_(freep) char *was = *map;
	const char *line = config_map_find(was, key);
	const char *rest = line ? line + strcspn(line, "\n") + 1 : "";
	size_t before = line ? (size_t)(line - was) : strlen(was);

	*map = text_format("%.*s%s%s %s\n", (int)before, was, rest, key, value);
}

void config_map_print(const char *map, FILE *file)
{
	for (; *map; map += strcspn(map, "\n") + 1) {
		int key = (int)strcspn(map, " ");

		fprintf(file, "  \"%.*s\": %.*s\n", key, map, (int)strcspn(map, "\n") - key - 1,
		        map + key + 1);
	}
}

/* The words of config.def are the only values; the one that a line has is found by its beginning. */
static const char *config_layout_word(const char *line)
{
	static const char *const words[] = {"auto", "machine", "host"};
	const char *value = line + strcspn(line, " ") + 1;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strncmp(value, words[i], strlen(words[i]))) {
			return words[i];
		}
	}
	return words[0];
}

/* The line of the most particular key, which is in `key` then; NULL: none counts for the service. */
static const char *config_map_most(
        const char *map, const char *machine, const char *service, char *key, size_t size)
{
	const char *line;

	snprintf(key, size, "%s/%s", machine, service);
	line = config_map_find(map, key);
	if (!line) {
		snprintf(key, size, "/%s", service);
		line = config_map_find(map, key);
	}
	if (!line) {
		snprintf(key, size, "%s", machine);
		line = config_map_find(map, key);
	}
	return line;
}

bool config_keeps_kits(const struct config *config, const char *machine)
{
	const char *line = config_map_find(config->kits, machine);

	return !line || strncmp(line + strlen(machine), " none\n", 6) != 0;
}

unsigned int config_prebuilt(const struct config *config, const char *machine, const char *service)
{
	char key[CONFIG_NAME_SIZE];
	const char *line = config_map_most(config->prebuilt, machine, service, key, sizeof(key));

	return line ? (unsigned int)strtoul(line + strcspn(line, " "), NULL, 10) : 0;
}

const char *config_layout(const struct config *config, const char *machine, const char *service,
        char ret_key[CONFIG_NAME_SIZE])
{
	static const char *const section = "layouts.";
	const char *line;

	strcpy(ret_key, section);
	line = config_map_most(config->layouts, machine, service, ret_key + strlen(section),
	        CONFIG_NAME_SIZE - strlen(section));
	if (line) {
		return config_layout_word(line);
	}
	strcpy(ret_key, "update.layout");
	return config->update_layout;
}

bool config_role(const struct config *config, const char *kind, const char *name,
        char ret_role[CONFIG_ROLE_SIZE])
{
	_cleanup_(freep) char *key = text_format("%s/%s", kind, name);
	const char *line = config_map_find(config->access, key);

	if (!line) {
		return false;
	}
	line += strlen(key) + 1;
	snprintf(ret_role, CONFIG_ROLE_SIZE, "%.*s", (int)strcspn(line, "\n"), line);
	return true;
}

bool config_role_name(const struct config *config, size_t i, char ret_name[CONFIG_NAME_SIZE])
{
	const char *line = config->access;

	while (*line && i--) {
		line += strcspn(line, "\n") + 1;
	}
	snprintf(ret_name, CONFIG_NAME_SIZE, "%.*s", (int)strcspn(line, " "), line);
	return *line != '\0';
}
