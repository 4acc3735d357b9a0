#pragma once
/* Inside config: the keys of config.def as data, shared by reader and printer. */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "orchestrator/config/config.h"
#include "orchestrator/config/quantity.h"

enum config_type {
	CONFIG_PATH,
	CONFIG_CHOICE,
	CONFIG_MAP,
	CONFIG_DURATION,
	CONFIG_SIZE,
	CONFIG_COUNT,
	_CONFIG_TYPE_N,
};

/* What the keys of a MAP name. */
enum config_names {
	CONFIG_SERVICES, /* MACHINE, MACHINE/SERVICE or /SERVICE */
	CONFIG_MACHINES, /* MACHINE */
	CONFIG_USERS,    /* user/NAME or group/NAME; a NAME may be a number */
	_CONFIG_NAMES_N,
};

struct config_key {
	const char *section; /* "" at top level */
	const char *name;    /* "" of a MAP, which is a whole section */
	enum config_type type;
	size_t offset;           /* of a char * or uint64_t in struct config */
	const char *choices;     /* separated by spaces, for CONFIG_CHOICE and CONFIG_MAP */
	uint64_t min, max;       /* for quantities, in their base unit */
	bool fixed;              /* counts from start to end: a reload cannot change it */
	enum config_names names; /* of a CONFIG_MAP */
};

extern const struct config_key config_keys[];
extern const size_t config_keys_n;

const struct config_key *config_key_find(const char *section, const char *name);
enum quantity_kind config_key_quantity(const struct config_key *key);

/* map.c: sections whose keys are the file's own, kept as lines "KEY VALUE" in their order. */
/* Whether a key names what it may. */
bool config_map_key_ok(enum config_names names, const char *key);
/* Whether a value of `access` is for everything, or names groups of machines behind its @. */
bool config_map_where_ok(const char *value);
/* Sets a key, in place of what it was before. */
void config_map_set(char **map, const char *key, const char *value);
void config_map_print(const char *map, FILE *file);
