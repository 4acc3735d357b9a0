/*
 * One table says everything about every key: place, type, limits, and whether it may change
 * while lud runs. Reading (read.c), printing, comparing and freeing go through it, so that a
 * key cannot be forgotten in one of them. Text is owned by the struct; quantities are kept in
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
#include <sys/un.h>

#include "host/base/file.h"
#include "orchestrator/config/priv.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_HOUR (3600 * USEC_PER_SEC)
#define MIB (UINT64_C(1) << 20)

#define KEY_PATH(section, name, field)                                                             \
	{section, name, CONFIG_PATH, offsetof(struct config, field), NULL, 0, 0, false}
#define KEY_FIXED(section, name, field)                                                            \
	{section, name, CONFIG_PATH, offsetof(struct config, field), NULL, 0, 0, true}
#define KEY_CHOICE(section, name, field, choices)                                                  \
	{section, name, CONFIG_CHOICE, offsetof(struct config, field), choices, 0, 0, false}
#define KEY_NUMBER(section, name, field, type, min, max)                                           \
	{section, name, type, offsetof(struct config, field), NULL, min, max, false}

const struct config_key config_keys[] = {
        KEY_FIXED("", "state_dir", state_dir),
        KEY_FIXED("", "control_socket", control_socket),
        KEY_FIXED("", "keyring", keyring),
        KEY_PATH("", "kernel", kernel),
        KEY_CHOICE("", "log_level", log_level, "error warn info debug"),
        KEY_NUMBER("", "allow_uid", allow_uid, CONFIG_COUNT, 0, UINT32_MAX),
        KEY_FIXED("programs", "luforge", luforge),
        KEY_FIXED("programs", "lusign", lusign),
        KEY_PATH("programs", "qemu", qemu),
        KEY_FIXED("signer", "user", signer_user),
        KEY_FIXED("forge", "user", forge_user),
        {"forge", "workers", CONFIG_COUNT, offsetof(struct config, forge_workers), NULL, 1, 64,
                true},
        KEY_NUMBER("forge", "variant_lifetime", variant_lifetime_usec, CONFIG_DURATION,
                USEC_PER_SEC, 7 * 24 * USEC_PER_HOUR),
        KEY_NUMBER("forge", "variants_kept", variants_kept, CONFIG_COUNT, 2, 65536),
        KEY_NUMBER("update", "prepare_timeout", prepare_timeout_usec, CONFIG_DURATION, 1000,
                USEC_PER_HOUR),
        KEY_NUMBER("update", "transfer_timeout", transfer_timeout_usec, CONFIG_DURATION, 1000,
                USEC_PER_HOUR),
        KEY_NUMBER("update", "timeout", update_timeout_usec, CONFIG_DURATION, 1000, USEC_PER_HOUR),
        KEY_NUMBER("update", "order_lifetime", order_lifetime_usec, CONFIG_DURATION,
                10 * USEC_PER_SEC, USEC_PER_HOUR),
        KEY_NUMBER("update", "hold", hold_usec, CONFIG_DURATION, 100, 10 * USEC_PER_SEC),
        KEY_NUMBER("update", "stage_chunk", stage_chunk_bytes, CONFIG_SIZE, 512, 32768),
        KEY_NUMBER("machine", "memory", machine_memory_bytes, CONFIG_SIZE, 32 * MIB, 65536 * MIB),
        KEY_CHOICE("machine", "accel", machine_accel, "auto kvm tcg"),
        KEY_PATH("machine", "services", machine_services),
        KEY_NUMBER("machine", "boot_timeout", boot_timeout_usec, CONFIG_DURATION, USEC_PER_SEC,
                USEC_PER_HOUR),
        KEY_NUMBER("machine", "answer_timeout", answer_timeout_usec, CONFIG_DURATION, USEC_PER_SEC,
                USEC_PER_HOUR),
};
const size_t config_keys_n = sizeof(config_keys) / sizeof(config_keys[0]);

const struct config_key *config_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		if (!strcmp(config_keys[i].section, section) &&
		        !strcmp(config_keys[i].name, name)) {
			return &config_keys[i];
		}
	}
	return NULL;
}

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

void config_init(struct config *config, const char *program_dir)
{
	*config = (struct config){
	        .state_dir = config_state_dir(program_dir),
	        .luforge = config_place(program_dir, "forge/luforge", "luforge"),
	        .lusign = config_place(program_dir, "keyring/lusign", "lusign"),
	        .keyring = config_place(program_dir, "keys", "/etc/samsara/keys"),
	        .kernel = config_place(
	                program_dir, "osd/kernel/samsara-kernel", "/usr/lib/samsara/kernel"),
	        .qemu = text_copy("qemu-system-x86_64"),
	        .signer_user = text_copy("auto"),
	        .forge_user = text_copy("auto"),
	        .log_level = text_copy("info"),
	        .allow_uid = UINT64_MAX,
	        .forge_workers = 2,
	        .variant_lifetime_usec = 24 * USEC_PER_HOUR,
	        .variants_kept = 8,
	        .prepare_timeout_usec = USEC_PER_SEC,
	        .transfer_timeout_usec = 2 * USEC_PER_SEC,
	        .update_timeout_usec = 5 * USEC_PER_SEC,
	        .order_lifetime_usec = 900 * USEC_PER_SEC,
	        .hold_usec = 20000,
	        .stage_chunk_bytes = 32768,
	        .machine_memory_bytes = 256 * MIB,
	        .machine_accel = text_copy("auto"),
	        .machine_services = text_copy(MACHINE_SERVICES),
	        .boot_timeout_usec = 30 * USEC_PER_SEC,
	        .answer_timeout_usec = 60 * USEC_PER_SEC,
	};
}

static char **config_text(const struct config *config, const struct config_key *key)
{
	return (char **)((char *)config + key->offset);
}

void config_fini(struct config *config)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		if (config_keys[i].type == CONFIG_PATH || config_keys[i].type == CONFIG_CHOICE) {
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

int config_check(const struct config *config, struct failure *ret_failure)
{
	struct sockaddr_un address;

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
	if (config->prepare_timeout_usec + config->transfer_timeout_usec >
	        config->update_timeout_usec) {
		failure_set(ret_failure, "config", "update.timeout",
		        "raise update.timeout or lower the other two",
		        "prepare_timeout and transfer_timeout together exceed it");
		return err_raise(-EINVAL);
	}
	return 0;
}

static bool config_key_is_text(const struct config_key *key)
{
	return key->type == CONFIG_PATH || key->type == CONFIG_CHOICE;
}

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
		snprintf(name, sizeof(name), "%s%s%s", key->section, *key->section ? "." : "",
		        key->name);
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
		fprintf(file, "\"%" PRIu64 "\"", value);
		return;
	}
}

void config_print(const struct config *config, FILE *file)
{
	const char *section = "";

	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		uint64_t number = *(uint64_t *)((char *)config + key->offset);

		if (key->type == CONFIG_COUNT && number == UINT64_MAX) {
			continue;
		}
		if (strcmp(section, key->section)) {
			section = key->section;
			fprintf(file, "%s:\n", section);
		}
		fprintf(file, "%s%s: ", *section ? "  " : "", key->name);
		if (key->type == CONFIG_PATH || key->type == CONFIG_CHOICE) {
			fputs(*config_text(config, key), file);
		} else {
			config_print_number(file, key->type, number);
		}
		fputc('\n', file);
	}
}
