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

struct config {
	char *state_dir;      /* database, machines, variants */
	char *control_socket; /* where luctl connects */
	char *luforge;        /* programs */
	char *lusign;
	char *qemu;
	char *kernel;  /* that machines are started with */
	char *keyring; /* handed to the signer, never read by lud */
	char *log_level;
	uint64_t allow_uid; /* besides root and lud's own; UINT64_MAX is nobody */

	char *signer_user; /* auto, none, a name or a number */
	char *forge_user;
	uint64_t forge_workers;
	uint64_t variant_lifetime_usec; /* expiry of a variant's signature */
	uint64_t variants_kept;         /* forged files kept per service */

	uint64_t prepare_timeout_usec;
	uint64_t transfer_timeout_usec;
	uint64_t update_timeout_usec;
	uint64_t order_lifetime_usec; /* expiry of an order's signature */
	uint64_t hold_usec;
	uint64_t stage_chunk_bytes;

	uint64_t machine_memory_bytes;
	char *machine_services; /* what a machine starts with, in slot order */
	char *machine_accel;    /* auto, kvm, tcg */
	uint64_t boot_timeout_usec;
	uint64_t answer_timeout_usec; /* how long a step waits for a machine */
};

/* Fills in the defaults; program_dir is where lud's executable lies. */
void config_init(struct config *config, const char *program_dir);
void config_fini(struct config *config);

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
/* Prints every key with its value, as a file that could be read again. */
void config_print(const struct config *config, FILE *file);
