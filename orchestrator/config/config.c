/*
 * config.def says everything about every key: place, type, limits, default, and whether it may
 * change while lud runs. Reading (read.c), printing, comparing and freeing go through it, so that
 * a key cannot be forgotten in one of them. Text is owned by the struct; quantities are kept in
 * their base unit.
 *
 * Defaults depend on where the program lies: in a build tree it uses what was built there,
 * else the places of a system.
 */
#include "orchestrator/config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host/base/file.h"
#include "orchestrator/config/loopback.h"
#include "orchestrator/config/priv.h"

/* Units of config.def. */
#define MSEC UINT64_C(1000)
#define SEC (1000 * MSEC)
#define MIN (60 * SEC)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)
#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

#define CONFIG_FILE "/etc/samsara/lud.yaml"
#define LIVE false
#define FIXED true
/* The words of proto/words/access.def, which the build puts into one text. */
#define ROLE(name, number, word, includes, sentence) " " word
static const char role_words[] =
#include "proto/words/access.def"
        ;
#define ROLE_WORDS (role_words + 1)
#define KEY(section, key, field, type, choices, min, max, fixed)                                   \
	{section, key, type, offsetof(struct config, field), choices, min, max, fixed, 0},

const struct config_key config_keys[] = {
#define PATH(section, key, field, reload, preset)                                                  \
	KEY(section, key, field, CONFIG_PATH, NULL, 0, 0, reload)
#define CHOICE(section, key, field, reload, words, preset)                                         \
	KEY(section, key, field, CONFIG_CHOICE, words, 0, 0, reload)
#define MAP(section, field, reload, keys, words)                                                   \
	{section, "", CONFIG_MAP, offsetof(struct config, field), words, 0, 0, reload, keys},
#define COUNT(section, key, field, reload, min, max, preset)                                       \
	KEY(section, key, field, CONFIG_COUNT, NULL, min, max, reload)
#define SIZE(section, key, field, reload, min, max, preset)                                        \
	KEY(section, key, field, CONFIG_SIZE, NULL, min, max, reload)
#define DURATION(section, key, field, reload, min, max, preset)                                    \
	KEY(section, key, field, CONFIG_DURATION, NULL, min, max, reload)
#include "orchestrator/config/config.def"
#undef PATH
#undef CHOICE
#undef MAP
#undef COUNT
#undef SIZE
#undef DURATION
};
const size_t config_keys_n = sizeof(config_keys) / sizeof(config_keys[0]);

/* NULL: the section has no such key. One whose keys are the file's own has every key. */
const struct config_key *config_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		if (!strcmp(config_keys[i].section, section) &&
		        (config_keys[i].type == CONFIG_MAP || !strcmp(config_keys[i].name, name))) {
			return &config_keys[i];
		}
	}
	return NULL;
}

/* Text has no kind; it is never asked for. */
enum quantity_kind config_key_quantity(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_DURATION:
		return QUANTITY_DURATION;
	case CONFIG_SIZE:
		return QUANTITY_SIZE;
	case CONFIG_COUNT:
	case CONFIG_PATH:
	case CONFIG_CHOICE:
	case CONFIG_MAP:
	case _CONFIG_TYPE_N:
		break;
	}
	return QUANTITY_COUNT;
}

/* The build tree is the directory above the program's; the caller frees. */
static char *config_in_tree(const char *program_dir, const char *name)
{
	const char *slash = strrchr(program_dir, '/');

	return text_format("%.*s/%s", slash ? (int)(slash - program_dir) : 0, program_dir, name);
}

static bool config_is_tree(const char *program_dir)
{
	_cleanup_(freep) char *ninja = config_in_tree(program_dir, "build.ninja");

	return access(ninja, F_OK) == 0;
}

/* A place in the build tree that lud lies in, else where a system keeps it. */
static char *config_place(const char *program_dir, const char *in_tree, const char *in_system)
{
	return config_is_tree(program_dir) ? config_in_tree(program_dir, in_tree)
	                                   : text_copy(in_system);
}

/*
 * In a tree what tests and developers do stays in the tree. Else the system's place for root, and
 * for anybody else the one that the XDG rules name.
 */
static char *config_state_dir(const char *program_dir)
{
	const char *xdg = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (config_is_tree(program_dir) || getuid() == 0) {
		return config_place(program_dir, "run", "/var/lib/samsara");
	}
	if (xdg) {
		return text_format("%s/samsara", xdg);
	}
	return text_format("%s/.local/state/samsara", home ? home : "/tmp");
}

char *config_file(const char *program_dir)
{
	return !config_is_tree(program_dir) && getuid() == 0 && access(CONFIG_FILE, F_OK) == 0
	               ? text_copy(CONFIG_FILE)
	               : NULL;
}

/*
 * Texts are copies, also the constant ones, so that config_fini() and a reload can free whatever
 * is there. NULL for what config_complete() derives.
 */
void config_init(struct config *config, const char *dir)
{
	*config = (struct config){
#define PATH(section, key, field, reload, preset) .field = preset,
#define CHOICE(section, key, field, reload, words, preset) .field = text_copy(preset),
#define MAP(section, field, ...) .field = text_copy(""),
#define COUNT(section, key, field, reload, min, max, preset) .field = preset,
#define SIZE(section, key, field, reload, min, max, preset) .field = preset,
#define DURATION(section, key, field, reload, min, max, preset) .field = preset,
#include "orchestrator/config/config.def"
#undef PATH
#undef CHOICE
#undef MAP
#undef COUNT
#undef SIZE
#undef DURATION
	};
}

static bool config_key_is_text(const struct config_key *key)
{
	return key->type == CONFIG_PATH || key->type == CONFIG_CHOICE || key->type == CONFIG_MAP;
}

static char **config_text(const struct config *config, const struct config_key *key)
{
	return (char **)((char *)config + key->offset);
}

void config_fini(struct config *config)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		if (config_key_is_text(&config_keys[i])) {
			free(*config_text(config, &config_keys[i]));
		}
	}
}

void config_complete(struct config *config)
{
	if (!config->control_socket) {
		config->control_socket = text_format("%s/lud.sock", config->state_dir);
	}
}

/* That another host can reach lud at all is to be meant, and everywhere even more so. */
static int config_check_remote(const struct config *config, struct failure *ret_failure)
{
	struct sockaddr_storage address;

	if (!config_is_remote(config)) {
		return 0;
	}
	if (config_address_parse(config->remote_listen, &address) < 0) {
		failure_set(ret_failure, "config", "remote.listen",
		        "write it as 192.0.2.1:7700 or [2001:db8::1]:7700, or none",
		        "%s is no address with a port", config->remote_listen);
		return err_raise(-EINVAL);
	}
	if (config_address_is_any(&address) && strcmp(config->remote_any_address, "yes") != 0) {
		failure_set(ret_failure, "config", "remote.listen",
		        "name one address of this host, or say that all are meant with "
		        "remote.any_address: yes",
		        "%s is every address of this host", config->remote_listen);
		return err_raise(-EINVAL);
	}
	return 0;
}

int config_check(const struct config *config, struct failure *ret_failure)
{
	struct sockaddr_storage outside;
	struct sockaddr_un address;
	enum loopback_kind kind;
	int len, r;

	if (strpbrk(config->state_dir, " \t\n,")) {
		failure_set(ret_failure, "config", "state_dir",
		        "choose another one: QEMU and the boot list take no such paths",
		        "the path %s has a space or a comma", config->state_dir);
		return err_raise(-EINVAL);
	}
	if (strlen(config->control_socket) >= sizeof(address.sun_path)) {
		failure_set(ret_failure, "config", "control_socket",
		        "choose a shorter state_dir or control_socket",
		        "the path %s is longer than a socket's path may be (%zu)",
		        config->control_socket, sizeof(address.sun_path) - 1);
		return err_raise(-ENAMETOOLONG);
	}
	if (strstr(config->kits, " none\n") && !strcmp(config->signer_second, "none")) {
		failure_set(ret_failure, "config", "signer.second",
		        "name the socket of a second signer (lusign(1)), or let the machine keep "
		        "kits",
		        "a machine that keeps no kits takes layouts that two variant keys have "
		        "signed, and there is one signer");
		return err_raise(-EINVAL);
	}
	r = loopback_parse(config->metrics_listen, &kind, &outside, &len);
	if (r < 0) {
		failure_set(ret_failure, "config", "metrics.listen",
		        "name a path from / on, or a number of 127.0.0.0/8 or [::1] with a port, "
		        "as "
		        "127.0.0.1:9464",
		        r == -EACCES ? "%s can be reached from outside, and whoever reads here "
		                       "is asked for nothing"
		                     : "%s is no place to listen",
		        config->metrics_listen);
		return err_up(r);
	}
	if (config->prepare_timeout_usec + config->transfer_timeout_usec >
	        config->update_timeout_usec) {
		failure_set(ret_failure, "config", "update.timeout",
		        "raise update.timeout or lower the other two",
		        "prepare_timeout and transfer_timeout together exceed it");
		return err_raise(-EINVAL);
	}
	return err_up(config_check_remote(config, ret_failure));
}

/* Both are complete: no text is NULL. */
static bool config_key_differs(
        const struct config_key *key, const struct config *a, const struct config *b)
{
	if (config_key_is_text(key)) {
		return strcmp(*config_text(a, key), *config_text(b, key)) != 0;
	}
	return *(const uint64_t *)((const char *)a + key->offset) !=
	       *(const uint64_t *)((const char *)b + key->offset);
}

static void config_key_take(
        const struct config_key *key, struct config *config, const struct config *fresh)
{
	if (config_key_is_text(key)) {
		free(*config_text(config, key));
		*config_text(config, key) = text_copy(*config_text(fresh, key));
		return;
	}
	*(uint64_t *)((char *)config + key->offset) =
	        *(const uint64_t *)((const char *)fresh + key->offset);
}

/*
 * A key that is fixed keeps its old value and is told at every reload again, as long as the file
 * says otherwise: what the file says would come true at the next start.
 */
void config_reload(
        struct config *config, const struct config *fresh, config_change_fn fn, void *arg)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		char name[64];

		if (!config_key_differs(key, config, fresh)) {
			continue;
		}
		if (!key->fixed) {
			config_key_take(key, config, fresh);
		}
		snprintf(name, sizeof(name), "%s%s%s", key->section,
		        *key->section && *key->name ? "." : "", key->name);
		fn(name, !key->fixed, arg);
	}
}

static void config_print_number(FILE *file, enum config_type type, uint64_t value)
{
	switch (type) {
	case CONFIG_DURATION:
		fprintf(file, "\"%" PRIu64 "us\"", value);
		return;
	case CONFIG_SIZE:
		fprintf(file, "\"%" PRIu64 "B\"", value);
		return;
	case CONFIG_COUNT:
	case CONFIG_PATH:
	case CONFIG_CHOICE:
	case CONFIG_MAP:
	case _CONFIG_TYPE_N:
		fprintf(file, "\"%" PRIu64 "\"", value);
		return;
	}
}

/*
 * Quantities are printed in base units, quoted as the reader wants them. A section's name is
 * printed once, which takes rows of a section to stand together in config.def; one that has keys of
 * the file's own is left out while it has none.
 */
void config_print(const struct config *config, FILE *file)
{
	const char *section = "";

	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		uint64_t number = *(uint64_t *)((char *)config + key->offset);

		if ((key->type == CONFIG_COUNT && number == UINT64_MAX) ||
		        (key->type == CONFIG_MAP && !**config_text(config, key))) {
			continue;
		}
		if (strcmp(section, key->section)) {
			section = key->section;
			fprintf(file, "%s:\n", section);
		}
		if (key->type == CONFIG_MAP) {
			config_map_print(*config_text(config, key), file);
			continue;
		}
		fprintf(file, "%s%s: ", *section ? "  " : "", key->name);
		if (config_key_is_text(key)) {
			fputs(*config_text(config, key), file);
		} else {
			config_print_number(file, key->type, number);
		}
		fputc('\n', file);
	}
}
