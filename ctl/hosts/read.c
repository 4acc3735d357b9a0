/*
 * Reads a hosts file by libyaml's events, with the rules of policy files: every mistake is told with its line and what would
 * be right, an unknown key is one, and so is what YAML has and nobody needs here: anchors, aliases, tags, several documents. A
 * value that is wrong is left out and the reading goes on, so that all errors come at once; what is no YAML ends it. A file with
 * a mistake counts for nothing: whom luctl would ask, and trust, is not to be guessed.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <yaml.h>

#include "ctl/base/base.h"
#include "ctl/hosts/priv.h"

/* What is beyond is counted and not told. */
#define HOSTS_ERRORS_MAX 20u

struct hosts_reader {
	struct hosts *hosts;
	const char *file;
	yaml_parser_t parser;
	yaml_event_t event; /* the one that is looked at */
	bool has_event;
	bool is_broken; /* no more events come */
	size_t n_errors;
};

/* What is done with a value whose first event is looked at; it is read to its last one. */
typedef void (*hosts_value_fn)(
        struct hosts_reader *reader, const char *key, size_t line, void *arg);

/* Of the event that is looked at, as editors count. */
static size_t hosts_line(const struct hosts_reader *reader)
{
	return reader->event.start_mark.line + 1;
}

/* Told with file and line, up to a limit: a file of another kind would be nothing but errors. */
static void hosts_error(struct hosts_reader *reader, size_t line, const char *remedy,
        const char *format, ...) __attribute__((format(printf, 4, 5)));

static void hosts_error(
        struct hosts_reader *reader, size_t line, const char *remedy, const char *format, ...)
{
	_cleanup_(ctl_freep) char *place = ctl_format("%s:%zu", reader->file, line);
	char cause[240];
	va_list args;

	va_start(args, format);
	vsnprintf(cause, sizeof(cause), format, args);
	va_end(args);
	if (reader->n_errors++ < HOSTS_ERRORS_MAX) {
		(void)ctl_fail(CTL_FAILED, place, remedy, "%s", cause);
	}
}

/* To the next event. False at the end of the file and behind what is not YAML, which is an error. */
static bool hosts_next(struct hosts_reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;

	if (reader->has_event) {
		yaml_event_delete(&reader->event);
		reader->has_event = false;
	}
	if (reader->is_broken) {
		return false;
	}
	if (!yaml_parser_parse(&reader->parser, &reader->event)) {
		hosts_error(reader, parser->problem_mark.line + 1,
		        "`key: value` lines, indented with spaces, in UTF-8", "not YAML: %s",
		        parser->problem ? parser->problem : "unreadable");
		reader->is_broken = true;
		return false;
	}
	reader->has_event = true;
	return true;
}

/* Past the value that begins with this event, whatever it is. */
static void hosts_skip(struct hosts_reader *reader)
{
	size_t depth = 0;

	do {
		yaml_event_type_t type = reader->event.type;

		depth += type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
		depth -= type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
	} while (depth && hosts_next(reader));
}

/* Nothing that a reader would have to look up elsewhere. */
static bool hosts_is_plain(struct hosts_reader *reader)
{
	const yaml_event_t *event = &reader->event;
	bool is_scalar = event->type == YAML_SCALAR_EVENT;
	bool is_map = event->type == YAML_MAPPING_START_EVENT;

	if (event->type == YAML_ALIAS_EVENT || (is_scalar && event->data.scalar.anchor) ||
	        (is_map && event->data.mapping_start.anchor)) {
		hosts_error(reader, hosts_line(reader), "write the value out",
		        "anchors and aliases are not allowed");
		return false;
	}
	if ((is_scalar && event->data.scalar.tag) || (is_map && event->data.mapping_start.tag)) {
		hosts_error(reader, hosts_line(reader), "the value alone", "tags are not allowed");
		return false;
	}
	return true;
}

/* The text of the scalar that is looked at; NULL after an error. Lives until the next event. */
static const char *hosts_text(struct hosts_reader *reader, const char *what)
{
	const char *text;

	if (!hosts_is_plain(reader)) {
		return NULL;
	}
	if (reader->event.type != YAML_SCALAR_EVENT) {
		hosts_error(reader, hosts_line(reader), "one value behind the colon",
		        "%s: a list or a mapping", what);
		return NULL;
	}
	text = (const char *)reader->event.data.scalar.value;
	if (!*text || strlen(text) != reader->event.data.scalar.length) {
		hosts_error(reader, hosts_line(reader), "a value", "%s: empty", what);
		return NULL;
	}
	return text;
}

/* A mapping whose start is looked at: each of its values is handed on under its key. */
static void hosts_map(
        struct hosts_reader *reader, const char *what, hosts_value_fn on_value, void *arg)
{
	if (!hosts_is_plain(reader)) {
		hosts_skip(reader);
		return;
	}
	if (reader->event.type != YAML_MAPPING_START_EVENT) {
		hosts_error(reader, hosts_line(reader), "keys with values below it",
		        "%s: not a mapping", what);
		hosts_skip(reader);
		return;
	}
	while (hosts_next(reader) && reader->event.type != YAML_MAPPING_END_EVENT) {
		const char *text = hosts_text(reader, "a key");
		_cleanup_(ctl_freep) char *key = text ? ctl_format("%s", text) : NULL;
		size_t line = hosts_line(reader);

		hosts_skip(reader);
		if (!hosts_next(reader)) {
			return;
		}
		if (key) {
			on_value(reader, key, line, arg);
		} else {
			hosts_skip(reader);
		}
	}
}

/* _HOSTS_KEY_N: there is none of this name. */
static enum hosts_key hosts_key_find(const char *name)
{
	size_t i = 0;

	while (i < _HOSTS_KEY_N && strcmp(hosts_key_name((enum hosts_key)i), name) != 0) {
		i++;
	}
	return (enum hosts_key)i;
}

/* One key of a host. */
static void hosts_on_key(struct hosts_reader *reader, const char *name, size_t line, void *arg)
{
	static const char known[] = "one of:"
#define HOST_KEY(NAME, key, kind, sentence) " " key
#include "ctl/hosts/hosts.def"
	        ;
	struct hosts_entry *entry = arg;
	enum hosts_key key = hosts_key_find(name);
	const char *text, *remedy, *wrong;

	if (key == _HOSTS_KEY_N) {
		hosts_error(
		        reader, line, known, "unknown key `%.40s` in hosts.%s", name, entry->name);
	} else if (entry->values[key]) {
		hosts_error(reader, line, "each key once", "`%s` is given twice", name);
	} else if ((text = hosts_text(reader, name))) {
		wrong = hosts_value_wrong(key, text, &remedy);
		if (wrong) {
			hosts_error(reader, line, remedy, "%s: `%.120s`: %s", name, text, wrong);
		}
		/* Also a wrong one: it is not missing. */
		entry->values[key] = ctl_format("%s", text);
	}
	hosts_skip(reader);
}

/* What every host has to have; its identity follows from its name where none was said. */
static void hosts_complete(struct hosts_reader *reader, struct hosts_entry *entry)
{
	if (!entry->values[HOSTS_IDENTITY]) {
		entry->values[HOSTS_IDENTITY] = ctl_format("samsara:host/%s", entry->name);
	}
	for (size_t i = 0; i < _HOSTS_KEY_N; i++) {
		if (!entry->values[i]) {
			hosts_error(reader, entry->line, "add the line; see samsara-hosts(5)",
			        "hosts.%s: `%s` is missing", entry->name,
			        hosts_key_name((enum hosts_key)i));
		}
	}
}

/* Of two entries with one name in a file neither counts before the other. */
static bool hosts_is_second(const struct hosts_reader *reader, const char *name)
{
	const struct hosts_entry *entry = hosts_find(reader->hosts, name);

	return entry && !strcmp(entry->file, reader->file);
}

/*
 * A host of this file. One that the file before has, too, is read all the same, for its mistakes, into an entry that is thrown
 * away.
 */
static void hosts_on_host(struct hosts_reader *reader, const char *name, size_t line, void *arg)
{
	struct hosts one = {0}; /* see above */
	struct hosts_entry *entry;
	const char *remedy, *wrong = hosts_name_wrong(name, &remedy);

	if (wrong || hosts_is_second(reader, name) || reader->hosts->n_entries >= HOSTS_MAX) {
		hosts_error(reader, line, wrong ? remedy : "each name once, and at most 256",
		        "hosts: `%.80s`: %s", name, wrong ? wrong : "one too many");
		hosts_skip(reader);
		return;
	}
	entry = hosts_find(reader->hosts, name) ? hosts_put(&one, name)
	                                        : hosts_put(reader->hosts, name);
	entry->line = line;
	entry->file = ctl_format("%s", reader->file);
	hosts_map(reader, name, hosts_on_key, entry);
	hosts_complete(reader, entry);
	hosts_fini(&one);
}

/* `default` of the file that was read first counts, as its hosts do. */
static void hosts_on_chosen(struct hosts_reader *reader, size_t line)
{
	const char *text = hosts_text(reader, "default");
	struct hosts *hosts = reader->hosts;

	if (text && hosts->chosen && !strcmp(hosts->chosen_file, reader->file)) {
		hosts_error(reader, line, "each key once", "`default` is given twice");
	} else if (text && !hosts->chosen) {
		hosts->chosen = ctl_format("%s", text);
		hosts->chosen_file = ctl_format("%s", reader->file);
		hosts->chosen_line = line;
	}
}

/* The two keys of the file. */
static void hosts_on_top(struct hosts_reader *reader, const char *key, size_t line, void *arg)
{
	bool *had_hosts = arg;

	if (!strcmp(key, "default")) {
		hosts_on_chosen(reader, line);
	} else if (!strcmp(key, "hosts") && !*had_hosts) {
		*had_hosts = true;
		hosts_map(reader, "hosts", hosts_on_host, NULL);
		return;
	} else {
		hosts_error(reader, line, "`default` and `hosts`, each once",
		        "`%.40s`: unknown, or given twice", key);
	}
	hosts_skip(reader);
}

/* One document with one mapping. */
static void hosts_document(struct hosts_reader *reader)
{
	size_t n_documents = 0;
	bool had_hosts = false;

	while (hosts_next(reader) && reader->event.type != YAML_STREAM_END_EVENT) {
		if (reader->event.type != YAML_DOCUMENT_START_EVENT) {
			continue;
		}
		if (++n_documents > 1) {
			hosts_error(reader, hosts_line(reader), "one document a file",
			        "a second document begins");
			return;
		}
		if (hosts_next(reader)) {
			hosts_map(reader, "the file", hosts_on_top, &had_hosts);
		}
	}
	if (!n_documents && !reader->is_broken) {
		hosts_error(reader, 1, "`hosts: {}`, or no file", "the file is empty");
	}
}

int hosts_parse(struct hosts *hosts, const char *file, const uint8_t *bytes, size_t size)
{
	struct hosts_reader reader = {.hosts = hosts, .file = file};

	if (size > HOSTS_FILE_BYTES) {
		return ctl_fail(CTL_FAILED, file, "at most 64 KiB", "the file is too large");
	}
	if (!yaml_parser_initialize(&reader.parser)) {
		abort();
	}
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, bytes, size);
	hosts_document(&reader);
	if (reader.has_event) {
		yaml_event_delete(&reader.event);
	}
	yaml_parser_delete(&reader.parser);
	return reader.n_errors ? CTL_FAILED : CTL_OK;
}
