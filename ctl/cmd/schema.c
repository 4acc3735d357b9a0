/*
 * schema: the JSON Schema of what every command prints with --json. It is made and not written: of the table
 * answers.def, and of the messages of lud by their descriptors.
 *
 *     {schema, command, MEMBERS OF THE ANSWER..., others?, error?, warnings?}
 *
 * For each command one of its answers must be there, or an error; answers that stand in `others` are of the same forms.
 */
#include "ctl/cmd/cmd.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/base.h"
#include "ctl/base/json_schema.h"
#include "proto/control/control.pb-c.h"

/* A request with the kinds of its answer, as fields of Reply. */
static const struct schema_request {
	const char *name;
	const char *answer;
	const char *other; /* "": there is one kind */
} schema_requests[] = {
#define REQUEST(NAME, name, ANSWER, OTHER, machine, effect, role, about, place)                    \
	{#NAME, #ANSWER, #OTHER},
#include "proto/control/requests.gen.def"
#undef REQUEST
};

struct schema_row {
	const char *command;
	const char *asks; /* NULL: the command writes its answer itself */
	const char *form;
};

static const struct schema_row schema_rows[] = {
#define ASKS(command, REQUEST) {command, #REQUEST, NULL},
#define ANSWERS(command, form) {command, NULL, form},
#define LINES(command, form) {command, NULL, form},
#include "ctl/cmd/answers.def"
};

static const struct {
	const char *form;
	const char *name;
	const char *type;
	const char *what;
} schema_members[] = {
#define MEMBER(form, name, type, what) {form, name, type, what},
#include "ctl/cmd/answers.def"
};

#define SCHEMA_N(list) (sizeof(list) / sizeof((list)[0]))

/* Messages that answers.def names. */
static const ProtobufCMessageDescriptor *const schema_messages[] = {&control__event__descriptor,
        &machine__log_line__descriptor, &control__service_status__descriptor,
        &control__crash__descriptor};

/* The kind of answer with this name in upper case; NULL: that is no name of one. */
static const ProtobufCMessageDescriptor *schema_reply(const char *name)
{
	const ProtobufCMessageDescriptor *reply = &control__reply__descriptor;

	for (unsigned int i = 0; i < reply->n_fields; i++) {
		if (!strcasecmp(reply->fields[i].name, name)) {
			return reply->fields[i].descriptor;
		}
	}
	return NULL;
}

static bool schema_is_word(const char *type)
{
	return !strcmp(type, "string") || !strcmp(type, "integer") || !strcmp(type, "boolean") ||
	       !strcmp(type, "object");
}

static void schema_define(json_t *definitions, const char *form);

/* `string`, `integer?`, `kit[]`: a member by its type in the table; a form is defined. */
static json_t *schema_type(json_t *definitions, const char *type)
{
	_cleanup_(ctl_freep) char *name = ctl_format("%.*s", (int)strcspn(type, "?["), type);
	json_t *one;

	if (strchr(type, '?')) {
		return json_pack("{s:[s, s]}", "type", name, "null");
	}
	if (schema_is_word(name)) {
		one = json_pack("{s:s}", "type", name);
	} else {
		schema_define(definitions, name);
		one = json_schema_ref(name);
	}
	return strchr(type, '[') ? json_pack("{s:s, s:o}", "type", "array", "items", one) : one;
}

/* The members of a message join those of the form. */
static void schema_join(json_t *properties, json_t *required, const char *type)
{
	json_t *definitions = json_object();
	const json_t *message;

	for (size_t i = 0; i < SCHEMA_N(schema_messages); i++) {
		json_schema_define(definitions, schema_messages[i]);
	}
	message = json_object_get(definitions, type);
	json_object_update(properties, json_object_get(message, "properties"));
	json_array_extend(required, json_object_get(message, "required"));
	json_decref(definitions);
}

/* One row of the members of a form. */
static void schema_add_member(json_t *definitions, json_t *properties, json_t *required, size_t row)
{
	const char *name = schema_members[row].name, *what = schema_members[row].what;
	json_t *member;

	if (!strcmp(name, "*")) {
		schema_join(properties, required, schema_members[row].type);
		return;
	}
	member = schema_type(definitions, schema_members[row].type);
	if (*what) {
		json_object_set_new(member, "description", json_string(what));
	}
	json_object_set_new(properties, name, member);
	json_array_append_new(required, json_string(name));
}

/* Add a form that the table has, and those that it is made of. */
static void schema_define(json_t *definitions, const char *form)
{
	json_t *properties = json_object(), *required = json_array();

	json_object_set_new(definitions, form,
	        json_pack("{s:s, s:o, s:o}", "type", "object", "required", required, "properties",
	                properties));
	for (size_t i = 0; i < SCHEMA_N(schema_members); i++) {
		if (!strcmp(schema_members[i].form, form)) {
			schema_add_member(definitions, properties, required, i);
		}
	}
}

/* Add one kind of answer of lud. */
static void schema_add_reply(json_t *answers, json_t *definitions, const char *name)
{
	const ProtobufCMessageDescriptor *type = schema_reply(name);

	if (type) {
		json_schema_define(definitions, type);
		json_array_append_new(answers, json_schema_ref(type->name));
	}
}

/* What a row of the table adds: one form, or the one or two kinds of answer that the request has. */
static void schema_add_row(json_t *answers, json_t *definitions, const struct schema_row *row)
{
	if (!row->asks) {
		schema_define(definitions, row->form);
		json_array_append_new(answers, json_schema_ref(row->form));
		return;
	}
	for (size_t i = 0; i < SCHEMA_N(schema_requests); i++) {
		if (!strcmp(schema_requests[i].name, row->asks)) {
			schema_add_reply(answers, definitions, schema_requests[i].answer);
			schema_add_reply(answers, definitions, schema_requests[i].other);
		}
	}
}

/* Where the command is this one, one of its answers is there, or an error. */
static json_t *schema_command(const char *command, json_t *definitions)
{
	json_t *answers = json_array(), *any, *then;

	for (size_t i = 0; i < SCHEMA_N(schema_rows); i++) {
		if (!strcmp(schema_rows[i].command, command)) {
			schema_add_row(answers, definitions, &schema_rows[i]);
		}
	}
	any = json_copy(answers);
	json_array_append_new(any, json_pack("{s:[s]}", "required", "error"));
	then = json_pack("{s:o}", "anyOf", any);
	if (json_array_size(answers)) {
		json_object_set_new(then, "properties",
		        json_pack("{s:{s:{s:O}}}", "others", "items", "anyOf", answers));
	}
	json_decref(answers);
	return json_pack("{s:{s:{s:{s:s}}}, s:o}", "if", "properties", "command", "const", command,
	        "then", then);
}

/* An error or a warning; the words for exit codes are those of exits.def. */
static void schema_define_fault(json_t *definitions)
{
	static const char *const names[] = {
#define EXIT(NAME, number, word, sentence) #NAME,
#include "proto/words/exits.def"
	};
	json_t *words = json_array();
	const json_t *fault;

	schema_define(definitions, "fault");
	fault = json_object_get(json_object_get(definitions, "fault"), "properties");
	for (size_t i = 0; i < SCHEMA_N(names); i++) {
		_cleanup_(ctl_freep) char *word = ctl_format("%s", names[i]);

		for (char *at = word; *at; at++) {
			*at = (char)tolower((unsigned char)*at);
		}
		json_array_append_new(words, json_string(word));
	}
	json_object_set_new(json_object_get(fault, "code"), "enum", words);
}

/*
 * The whole: the envelope that all answers share, a rule for each command, and under $defs each form and message once,
 * however many commands answer with it.
 */
static json_t *schema_document(void)
{
	static const char *const commands[] = {
	        "", /* of a command line that names none */
#define VERB(name, function, min, max, arguments, takes, summary) name,
#include "ctl/cmdline/commands.def"
	};
	json_t *definitions = json_object(), *rules = json_array(), *names = json_array();

	for (size_t i = 0; i < SCHEMA_N(commands); i++) {
		json_array_append_new(names, json_string(commands[i]));
		json_array_append_new(rules, schema_command(commands[i], definitions));
	}
	schema_define_fault(definitions);
	return json_pack("{s:s, s:s, s:s, s:s, s:[s, s], s:{s:{s:s}, s:{s:o}, s:o, s:{s:s, s:o},"
	                 " s:{s:s}}, s:o, s:o}",
	        "$schema", "https://json-schema.org/draft/2020-12/schema", "$id",
	        "urn:" ANSWER_SCHEMA, "description",
	        "What luctl prints with --json. Members that are not listed may be added.", "type",
	        "object", "required", "schema", "command", "properties", "schema", "const",
	        ANSWER_SCHEMA, "command", "enum", names, "error", json_schema_ref("fault"),
	        "warnings", "type", "array", "items", json_schema_ref("fault"), "others", "type",
	        "array", "allOf", rules, "$defs", definitions);
}

/* A document by itself, for a validator; with --json within an answer, as of any command. */
int cmd_schema(const struct options *options)
{
	json_t *document = schema_document();

	if (options->json) {
		answer_add(json_pack("{s:o}", "document", document));
		return CTL_OK;
	}
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(document);
	return CTL_OK;
}
