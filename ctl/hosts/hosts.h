#pragma once
/*
 * The hosts file: which luds on other hosts this person asks, by names of their own, and whom to trust for each. There are
 * two, and the person's comes before the system's; samsara-hosts(5) has the form. Errors are told here, with line and remedy,
 * and come back as exit codes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The keys of a host (hosts.def). */
enum hosts_key {
#define HOST_KEY(NAME, key, kind, sentence) HOSTS_##NAME,
#include "ctl/hosts/hosts.def"
	_HOSTS_KEY_N,
};

/* The name that stands for the lud of this host. */
#define HOSTS_LOCAL "local"

struct hosts_entry {
	char *name;
	char *values[_HOSTS_KEY_N]; /* none is NULL once it was read */
	char *file;                 /* that it stands in */
	size_t line;
};

/* What one file says, or both: no name twice. Belongs to the caller, zeroed at first. */
struct hosts {
	char *chosen; /* by `default`; NULL: nothing was said */
	char *chosen_file;
	size_t chosen_line;
	struct hosts_entry *entries;
	size_t n_entries;
};

void hosts_fini(struct hosts *hosts);

/*
 * Add what a file's text says; names that are there already keep their meaning. CTL_OK; or CTL_FAILED, after every error was
 * told.
 */
int hosts_parse(struct hosts *hosts, const char *file, const uint8_t *bytes, size_t size);
/* The person's file and the system's; neither need be there. CTL_OK, CTL_FAILED, CTL_TRUST: others may write one. */
int hosts_read(struct hosts *hosts);
/* The same, and a default that names no host is no error, for whoever chooses another. */
int hosts_read_both(struct hosts *hosts);
/* The person's file alone, for whoever changes it. */
int hosts_read_own(struct hosts *hosts);

/* NULL: there is none of this name. */
const struct hosts_entry *hosts_find(const struct hosts *hosts, const char *name);
/* An entry of this name, in place of the one there was, with no values yet. */
struct hosts_entry *hosts_put(struct hosts *hosts, const char *name);
/* False: there was none. */
bool hosts_remove(struct hosts *hosts, const char *name);
/* CTL_OK; CTL_USAGE, told: no host can be called so. */
int hosts_check_name(const char *name);
/* CTL_OK; CTL_USAGE, told: a value that the file could not have. */
int hosts_set(struct hosts_entry *entry, enum hosts_key key, const char *value);

/* Write the person's file, whole. CTL_OK, CTL_FAILED. */
int hosts_write_own(const struct hosts *hosts);
/* As a file; the caller frees. */
char *hosts_print(const struct hosts *hosts);
/* Where the person's file is: $SAMSARA_HOSTS, or below $XDG_CONFIG_HOME or ~/.config. The caller frees. */
char *hosts_own_file(void);

const char *hosts_key_name(enum hosts_key key);
/* A part of an address: the host without brackets, and the port. The caller frees both. False: it is none. */
bool hosts_address(const char *address, char **ret_host, char **ret_port);
