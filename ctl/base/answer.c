/*
 * The one document of a command with --json. A reader of it shall not have to look at two streams, nor guess whether
 * what is missing was left out or failed: the answer, if there is one, and the failure, if there was one, are members of
 * one object, and `error` is there exactly if the exit code is not 0. So answers are kept until the command is over, and
 * failures come from where they are told (ctl_fail()): no command writes an error object of its own.
 *
 *     answer_begin -> answer_add | answer_line | ctl_fail, any number of times -> answer_end
 *
 * Of several failures the one that gave the exit code is `error`; the others, and what was told and did not make the
 * command fail, are `warnings`.
 */
#include "ctl/base/answer.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "host/text/escape.h"

/* One command line, one document. */
static const char *answer_command; /* NULL: no JSON is wanted */
static json_t *answer_kept;        /* the first answer */
static json_t *answer_others;      /* those behind it */
static bool answer_is_stream;      /* lines are printed */

void answer_begin(const char *command)
{
	answer_command = command;
}

void answer_add(json_t *json)
{
	if (!answer_kept) {
		answer_kept = json;
		return;
	}
	if (!answer_others) {
		answer_others = json_array();
	}
	json_array_append_new(answer_others, json);
}

/* The envelope, with the members of the body behind it; the body is taken. */
static json_t *answer_envelope(json_t *body)
{
	json_t *whole = json_pack("{s:s, s:s}", "schema", ANSWER_SCHEMA, "command", answer_command);

	if (body) {
		json_object_update(whole, body);
		json_decref(body);
	}
	return whole;
}

void answer_lines(void)
{
	answer_is_stream = true;
}

void answer_line(json_t *json)
{
	json_t *line = answer_envelope(json);

	json_dumpf(line, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(line);
}

/* Names of proto/words/exits.def in lower case, and what each says. */
static const struct answer_word {
	int code;
	const char *name;
	const char *sentence;
} answer_words[] = {
#define EXIT(NAME, number, word, sentence) {number, #NAME, sentence},
#include "proto/words/exits.def"
};

static const struct answer_word *answer_word(int code)
{
	size_t i = 0;

	while (i + 1 < sizeof(answer_words) / sizeof(answer_words[0]) &&
	        answer_words[i].code != code) {
		i++;
	}
	return &answer_words[i];
}

/* jansson takes nothing that is not UTF-8. */
static json_t *answer_text(const char *text)
{
	_cleanup_(ctl_freep) char *utf8 = text_utf8_new(text);

	return json_string(utf8);
}

static json_t *answer_fault(const struct ctl_fault *fault)
{
	char name[32];
	size_t n = 0;

	for (const char *at = answer_word(fault->code)->name; *at && n + 1 < sizeof(name); at++) {
		name[n++] = (char)tolower((unsigned char)*at);
	}
	name[n] = '\0';
	return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:I}", "code", name, "exit",
	        (int)fault->code, "name", answer_text(fault->name), "cause",
	        answer_text(fault->cause), "place", answer_text(fault->place), "remedy",
	        answer_text(fault->remedy), "job", (json_int_t)fault->job);
}

/* What the exit code alone says, where nothing was told that has it. */
static json_t *answer_fault_of(int code)
{
	struct ctl_fault fault = {.code = (enum ctl_exit)code,
	        .cause = answer_word(code)->sentence,
	        .place = "",
	        .remedy = "",
	        .name = ""};

	return answer_fault(&fault);
}

/* `error` and `warnings`, from what was told. */
static void answer_faults(json_t *whole, int code)
{
	json_t *error = NULL;
	json_t *warnings = json_array();

	for (size_t i = 0; i < ctl_faults_n(); i++) {
		const struct ctl_fault *fault = ctl_fault_at(i);

		if (code != CTL_OK && !error && (int)fault->code == code) {
			error = answer_fault(fault);
		} else {
			json_array_append_new(warnings, answer_fault(fault));
		}
	}
	if (code != CTL_OK) {
		json_object_set_new(whole, "error", error ? error : answer_fault_of(code));
	}
	if (json_array_size(warnings)) {
		json_object_set(whole, "warnings", warnings);
	}
	json_decref(warnings);
}

void answer_end(int code)
{
	json_t *whole;

	if (answer_command && !(answer_is_stream && code == CTL_OK && !ctl_faults_n())) {
		whole = answer_envelope(answer_kept);
		answer_kept = NULL;
		if (answer_others) {
			json_object_set(whole, "others", answer_others);
		}
		answer_faults(whole, code);
		json_dumpf(whole, stdout,
		        JSON_PRESERVE_ORDER | (answer_is_stream ? JSON_COMPACT : JSON_INDENT(2)));
		putchar('\n');
		json_decref(whole);
	}
	json_decref(answer_kept);
	json_decref(answer_others);
	answer_kept = answer_others = NULL;
	answer_is_stream = false;
	answer_command = NULL;
	ctl_faults_forget();
}
