/*
 * Reads the configuration file event by event: scalars at top level, and one level
 * of sections below it. No aliases, no sequences: there is no key that wants them.
 */
#include "orchestrator/config/config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "host/base/file.h"
#include "orchestrator/config/priv.h"

/*
 * Where the reader stands in the file, for events and for messages. Section and key are those that
 * the next event belongs to; at depth 1 there is no section.
 */
struct config_reader {
	struct config *config;
	const char *path;
	struct failure *failure;
	yaml_parser_t parser;
	char section[64];
	char key[128]; /* "" while a key is expected */
	size_t line;
	int depth;
};

/* Errors of the file itself: FILE:LINE is their place, and `what` goes into the cause. */
static int config_refuse(
        struct config_reader *reader, const char *remedy, const char *cause, const char *what)
{
	char place[160];

	snprintf(place, sizeof(place), "%s:%zu", reader->path, reader->line);
	failure_set(reader->failure, "config", place, remedy, cause, what);
	return err_raise(-EINVAL);
}

/* A whole word of the list, not the beginning of one. */
static bool config_choice_ok(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (const char *at = choices; *at; at += strcspn(at, " "), at += *at == ' ') {
		if (len == strcspn(at, " ") && !strncmp(at, value, len)) {
			return true;
		}
	}
	return false;
}

/* A name of the file's own is looked at as a mistyped key would be, and its value as a choice. */
static int config_set_named(
        struct config_reader *reader, const struct config_key *key, const char *value)
{
	static const struct {
		const char *remedy, *cause;
	} wrong[_CONFIG_NAMES_N] = {
	        [CONFIG_SERVICES] =
	                {"name a MACHINE, a MACHINE/SERVICE, or a /SERVICE of every machine",
	                        "%s: no name of a machine or service"},
	        [CONFIG_MACHINES] = {"name a MACHINE", "%s: no name of a machine"},
	        [CONFIG_USERS] = {"name a user/NAME or a group/NAME; a NAME may be a number",
	                "%s: no name of a user or group"},
	};
	char remedy[160], word[64];

	if (!config_map_key_ok(key->names, reader->key)) {
		return config_refuse(
		        reader, wrong[key->names].remedy, wrong[key->names].cause, reader->key);
	}
	if (key->names == CONFIG_USERS && !config_map_where_ok(value)) {
		return config_refuse(reader,
		        "write ROLE for everything, or ROLE@GROUP,GROUP for machines in groups",
		        "%s: no names of groups of machines behind @", reader->key);
	}
	snprintf(word, sizeof(word), "%.*s",
	        key->names == CONFIG_USERS ? (int)strcspn(value, "@") : (int)sizeof(word), value);
	if (!config_choice_ok(key->choices, word)) {
		snprintf(remedy, sizeof(remedy), "choose one of: %s", key->choices);
		return config_refuse(reader, remedy, "%s: unknown choice", reader->key);
	}
	config_map_set((char **)((char *)reader->config + key->offset), reader->key, value);
	return 0;
}

/*
 * A number is quoted and has a unit: to other readers of YAML 010 is octal and 1e3 a float, and
 * a bare 250 says neither milliseconds nor seconds. Limits are told in base units.
 */
static int config_set_number(
        struct config_reader *reader, const struct config_key *key, const char *value, bool quoted)
{
	enum quantity_kind kind = config_key_quantity(key);
	char remedy[160];
	uint64_t number;

	snprintf(remedy, sizeof(remedy), "write a quoted number with one of the units: %s",
	        quantity_units(kind));
	if (!quoted) {
		return config_refuse(reader, remedy, "%s: the value is not quoted", key->name);
	}
	if (quantity_parse(kind, value, &number) < 0) {
		return config_refuse(
		        reader, remedy, "%s: not a number with a known unit", key->name);
	}
	if (number < key->min || number > key->max) {
		snprintf(remedy, sizeof(remedy), "choose a value from %llu to %llu %s",
		        (unsigned long long)key->min, (unsigned long long)key->max,
		        kind == QUANTITY_DURATION ? "us"
		        : kind == QUANTITY_SIZE   ? "bytes"
		                                  : "");
		return config_refuse(reader, remedy, "%s: out of range", key->name);
	}
	*(uint64_t *)((char *)reader->config + key->offset) = number;
	return 0;
}

/* A text that is empty is a mistake of a template rather than a wish. */
static int config_set_text(
        struct config_reader *reader, const struct config_key *key, const char *value)
{
	char **field = (char **)((char *)reader->config + key->offset);
	char remedy[160];

	if (key->type == CONFIG_CHOICE && !config_choice_ok(key->choices, value)) {
		snprintf(remedy, sizeof(remedy), "choose one of: %s", key->choices);
		return config_refuse(reader, remedy, "%s: unknown choice", key->name);
	}
	if (!*value) {
		return config_refuse(
		        reader, "give a path or leave the key out", "%s: empty", key->name);
	}
	free(*field);
	*field = text_copy(value);
	return 0;
}

/*
 * A key, or the value of the key before it. Which of the two is told by reader->key alone, since
 * libyaml gives both as scalars. A key that is given twice: the last one counts.
 */
static int config_scalar(struct config_reader *reader, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	bool quoted = event->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
	              event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	const struct config_key *key;
	int r;

	/* A longer key than any there is gets cut, and is unknown then. */
	if (!*reader->key) {
		snprintf(reader->key, sizeof(reader->key), "%s", value);
		return 0;
	}
	key = config_key_find(reader->section, reader->key);
	if (!key) {
		return config_refuse(reader, "see lud(8) for the keys, or remove the line",
		        "unknown key %s", reader->key);
	}
	if (key->type == CONFIG_MAP) {
		r = config_set_named(reader, key, value);
	} else if (key->type == CONFIG_PATH || key->type == CONFIG_CHOICE) {
		r = config_set_text(reader, key, value);
	} else {
		r = config_set_number(reader, key, value, quoted);
	}
	reader->key[0] = '\0';
	return err_up(r);
}

/* The file itself is the first mapping; a key of it with a mapping is a section. */
static int config_section(struct config_reader *reader)
{
	if (++reader->depth == 1) {
		return 0;
	}
	if (reader->depth > 2 || !*reader->key) {
		return config_refuse(reader, "sections are one level deep; see lud(8)",
		        "%s: a mapping is not allowed here", reader->key);
	}
	snprintf(reader->section, sizeof(reader->section), "%.*s", (int)sizeof(reader->section) - 1,
	        reader->key);
	for (size_t i = 0; i < config_keys_n; i++) {
		if (!strcmp(config_keys[i].section, reader->section)) {
			reader->key[0] = '\0';
			return 0;
		}
	}
	return config_refuse(reader, "see lud(8) for the sections, or remove it",
	        "unknown section %s", reader->section);
}

/*
 * Line numbers of messages are those of the event, counted from 1. Streams and documents say
 * nothing.
 */
static int config_event(struct config_reader *reader, const yaml_event_t *event)
{
	reader->line = event->start_mark.line + 1;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		if (!reader->depth) {
			return config_refuse(reader, "write keys and values: `key: value`",
			        "the file is not a mapping%s", "");
		}
		return err_up(config_scalar(reader, event));
	case YAML_MAPPING_START_EVENT:
		return err_up(config_section(reader));
	case YAML_MAPPING_END_EVENT:
		reader->depth--;
		reader->section[0] = '\0';
		return 0;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_ALIAS_EVENT:
		return config_refuse(reader, "write one plain value per key",
		        "%s: lists and aliases are not used here", reader->key);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

/* Until the end of the file or the first mistake. What was read before it stays in the config. */
static int config_events(struct config_reader *reader)
{
	/* libyaml has no end of its own: the stream's last event says it. */
	bool more = true;

	while (more) {
		yaml_event_t event;
		int r;

		if (!yaml_parser_parse(&reader->parser, &event)) {
			reader->line = reader->parser.problem_mark.line + 1;
			return config_refuse(reader, "correct the YAML there", "%s",
			        reader->parser.problem ? reader->parser.problem : "not YAML");
		}
		more = event.type != YAML_STREAM_END_EVENT;
		r = config_event(reader, &event);
		yaml_event_delete(&event);
		if (r < 0) {
			return err_up(r);
		}
	}
	return 0;
}

/*
 * Read a file over what config holds: keys that it does not name keep their values. On an error
 * *ret_failure says place, cause and remedy, and config is to be thrown away.
 */
int config_read(struct config *config, const char *path, struct failure *ret_failure)
{
	struct config_reader reader = {.config = config, .path = path, .failure = ret_failure};
	_cleanup_(file_closep) FILE *file = fopen(path, "re");
	int r;

	if (!file) {
		r = err_raise(-errno);
		failure_set(ret_failure, "config", path,
		        "check the path given with --config and its permissions",
		        "cannot open the file: %s", strerror(-r));
		return r;
	}
	if (!yaml_parser_initialize(&reader.parser)) {
		return err_raise(-ENOMEM);
	}
	yaml_parser_set_input_file(&reader.parser, file);
	r = config_events(&reader);
	yaml_parser_delete(&reader.parser);
	return err_up(r);
}
