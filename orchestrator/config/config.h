#pragma once
/*
 * lud's configuration: a small YAML file whose keys are the rows of one table,
 * with defaults for all of them, so that no file is needed. Unknown keys, wrong
 * units and values out of range are errors that name line, key and remedy.
 */
#include <stdbool.h>
#include <stdint.h>

#include "host/base/failure.h"
#include "host/base/log.h"

/*
 * The values, in base units; each is explained in config.def. Text is owned by the struct, and is
 * never NULL once config_complete() has run. A value that may change while lud runs (LIVE) is
 * read where it is used, each time; nobody keeps a copy.
 */
struct config {
#define PATH(section, key, field, ...) char *field;
#define CHOICE(section, key, field, ...) char *field;
#define MAP(section, field, ...) char *field;
#define COUNT(section, key, field, ...) uint64_t field;
#define SIZE(section, key, field, ...) uint64_t field;
#define DURATION(section, key, field, ...) uint64_t field;
#include "orchestrator/config/config.def"
#undef PATH
#undef CHOICE
#undef MAP
#undef COUNT
#undef SIZE
#undef DURATION
};

/* Fills in the defaults; dir is where lud's executable lies. */
void config_init(struct config *config, const char *dir);
void config_fini(struct config *config);

/*
 * The file that is read where none is named; NULL: none. An installed lud that is root has one where somebody has
 * written it; in a build tree, and for other users, there is none. The caller frees.
 */
char *config_file(const char *dir);
/* Reads a file over what is there. Errors fill ret_failure. */
int __must_check config_read(struct config *config, const char *path, struct failure *ret_failure);
/* What must hold between keys and outside (paths, socket length). */
int __must_check config_check(const struct config *config, struct failure *ret_failure);
/* Derives what follows from the state directory and was not set. */
void config_complete(struct config *config);
/*
 * Takes over what a fresh configuration says otherwise, and what may change while lud
 * runs. Calls fn for each key that differs: taken, or left because it counts from start
 * to end. Both are complete and checked.
 */
typedef void (*config_change_fn)(const char *key, bool taken, void *arg);
void config_reload(
        struct config *config, const struct config *fresh, config_change_fn fn, void *arg);
/*
 * Who makes the layouts of a machine's service: "auto", "machine" or "host". *ret_key is the key that
 * says so, in the words of the file: the most particular one of MACHINE/SERVICE, /SERVICE and
 * MACHINE in `layouts`, else update.layout.
 */
#define CONFIG_NAME_SIZE 128
const char *config_layout(const struct config *config, const char *machine, const char *service,
        char ret_key[CONFIG_NAME_SIZE]);
/* Whether a machine is to be started with room for kits: unless `kits` says `none` of it. */
bool config_keeps_kits(const struct config *config, const char *machine);
/* How many variants of a machine's service are to be made ahead: `prebuilt`, by the same order of keys. */
unsigned int config_prebuilt(const struct config *config, const char *machine, const char *service);
/*
 * Whether `access` gives a role to a name, of kind "user" or "group", which is looked up as it is
 * written; the role as a word of proto/words/access.def, and behind an @ the groups of machines, with commas
 * between, where it is not for everything.
 */
#define CONFIG_ROLE_SIZE 256
bool config_role(const struct config *config, const char *kind, const char *name,
        char ret_role[CONFIG_ROLE_SIZE]);
/* The i-th name that `access` gives a role, as "user/eve"; false: there are fewer. */
bool config_role_name(const struct config *config, size_t i, char ret_name[CONFIG_NAME_SIZE]);
/*
 * An address of this host and a port, as `remote.listen` names it: "192.0.2.1:7700", "[2001:db8::1]:7700". Nothing is
 * looked up. Port 0 is any that is free. -EINVAL: it is not one, and *ret_address is untouched.
 */
struct sockaddr_storage;
int __must_check config_address_parse(const char *text, struct sockaddr_storage *ret_address);
/* Every address of the host: 0.0.0.0 or ::, or ::ffff:0.0.0.0. */
bool config_address_is_any(const struct sockaddr_storage *address);
/* Whether `remote` is to listen at all. */
bool config_is_remote(const struct config *config);
/* Prints every key with its value, as a file that could be read again. */
void config_print(const struct config *config, FILE *file);
