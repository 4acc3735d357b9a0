/*
 * Scalars by their type. Each is read once, when the file is, and the node keeps what it means; an
 * error names the key, what stands there and what was expected. Numbers are decimal: a leading zero
 * would be octal to other readers of YAML, and is refused.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/err.h"
#include "host/base/file.h"
#include "orchestrator/config/quantity.h"
#include "orchestrator/policy/tree.h"

#define VALUE_NAME_MAX 64u

/* The error about the text of this node; always false. */
static bool value_refuse(const struct tree_node *node, struct policy_errors *errors,
        const char *expected, const char *what)
{
	char path[POLICY_PATH_SIZE];

	tree_error(errors, &node->place, expected, "%s: `%s` %s", policy_row_path(node->row, path),
	        node->text, what);
	return false;
}

/* What names of machines, services, releases and members of state have in common. */
bool tree_is_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= VALUE_NAME_MAX &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	                    "._-:/[]") == len;
}

/* `*` stands for every machine, and nowhere else. Names that others give have their limit in the row. */
static bool value_name(struct tree_node *node, struct policy_errors *errors)
{
	if (!strcmp(node->text, "*") && node->row == POLICY_MATCH_MACHINES) {
		return true;
	}
	if (!tree_is_name(node->text)) {
		return value_refuse(node, errors, "1 to 64 letters, digits and . _ - : / [ ]",
		        strcmp(node->text, "*") ? "is not a name"
		                                : "is not allowed here: name each one");
	}
	if (tree_keys[node->row].max && strlen(node->text) > tree_keys[node->row].max) {
		_cleanup_(freep) char *expected =
		        text_format("at most %" PRIu64 " characters", tree_keys[node->row].max);

		return value_refuse(node, errors, expected, "is a name that nothing can have");
	}
	return true;
}

/* For people, in one line: it is shown on terminals and in tables. */
static bool value_text(struct tree_node *node, struct policy_errors *errors)
{
	for (const char *at = node->text; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f) {
			return value_refuse(
			        node, errors, "text of one line", "has a control character");
		}
	}
	return true;
}

/* number becomes the place of the word in the row's list. */
static bool value_choice(struct tree_node *node, struct policy_errors *errors)
{
	const char *words = tree_keys[node->row].words;
	_cleanup_(freep) char *expected = NULL;
	char near[POLICY_PATH_SIZE];
	bool is_near;

	node->number = 0;
	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		if (strlen(node->text) == len && !strncmp(at, node->text, len)) {
			return true;
		}
		node->number++;
		at += len;
	}
	is_near = tree_word_near(words, node->text, near);
	expected = text_format("one of: %s%s%s%s", words, is_near ? "; did you mean `" : "",
	        is_near ? near : "", is_near ? "`?" : "");
	return value_refuse(node, errors, expected, "is none of the choices");
}

/* YAML 1.1 has eleven words for each; two are enough, and the same in every reader. */
static bool value_bool(struct tree_node *node, struct policy_errors *errors)
{
	node->number = !strcmp(node->text, "true");
	return node->number || !strcmp(node->text, "false") ||
	       value_refuse(node, errors, "true or false", "is neither");
}

/* Limits of the row; unit and divisor are for the message only. */
static bool value_range(
        struct tree_node *node, struct policy_errors *errors, const char *unit, uint64_t divisor)
{
	const struct tree_key *key = &tree_keys[node->row];
	_cleanup_(freep) char *expected = NULL;

	if (node->number >= key->min && node->number <= key->max) {
		return true;
	}
	expected = text_format("from %llu%s to %llu%s", (unsigned long long)(key->min / divisor),
	        unit, (unsigned long long)(key->max / divisor), unit);
	return value_refuse(node, errors, expected, "is out of range");
}

/* Messages tell limits in the largest unit that divides the lower one. */
static bool value_duration(struct tree_node *node, struct policy_errors *errors)
{
	uint64_t min = tree_keys[node->row].min;
	_cleanup_(freep) char *expected =
	        text_format("a number and a unit without a space: one of %s",
	                quantity_units(QUANTITY_DURATION));

	if (quantity_parse(QUANTITY_DURATION, node->text, &node->number) < 0) {
		err_forget();
		return value_refuse(node, errors, expected, "is not a duration");
	}
	if (min % 1000000 == 0) {
		return value_range(node, errors, "s", 1000000);
	}
	return min % 1000 == 0 ? value_range(node, errors, "ms", 1000)
	                       : value_range(node, errors, "us", 1);
}

/* A percentage has at most 100, and of a key that says so no other form is allowed. */
static bool value_count(struct tree_node *node, struct policy_errors *errors)
{
	bool is_share = tree_keys[node->row].type == TREE_SHARE;
	size_t len = strlen(node->text);
	_cleanup_(freep) char *digits = text_copy(node->text);

	node->is_percent = is_share && len > 1 && digits[len - 1] == '%';
	if (node->is_percent) {
		digits[len - 1] = '\0';
	}
	if ((digits[0] == '0' && digits[1]) ||
	        quantity_parse(QUANTITY_COUNT, digits, &node->number) < 0) {
		err_forget();
		return value_refuse(node, errors,
		        is_share ? "a whole number, or one with % behind it" : "a whole number",
		        "is not a number");
	}
	if (node->is_percent && node->number > 100) {
		return value_refuse(node, errors, "at most 100%", "is out of range");
	}
	if (node->row == POLICY_LOAD_LEAST && !node->is_percent) {
		return value_refuse(node, errors, "a percentage, such as 90%", "has no %");
	}
	return value_range(node, errors, "", 1);
}

/* The place of the byte that is refused, where the text stands in the file as it is. */
static bool value_calendar_refuse(const struct tree_node *node, struct policy_errors *errors,
        const struct calendar_fault *fault)
{
	_cleanup_(freep) char *what = text_format(
	        "is not a calendar expression: %s (at `%s`)", fault->cause, node->text + fault->at);
	struct tree_node there = *node;

	if (node->text_column) {
		there.place.column = node->text_column + fault->at;
	}
	return value_refuse(&there, errors, "as in systemd.time(7): Mon..Fri 02:00", what);
}

/* One that can never come would be a window that nobody misses before it is needed. */
static bool value_calendar(struct tree_node *node, struct policy_errors *errors)
{
	_cleanup_(zone_freep) struct zone *utc = NULL;
	struct calendar_fault fault;
	int64_t next;

	if (calendar_parse(node->text, &node->calendar, &fault) != 0) {
		return value_calendar_refuse(node, errors, &fault);
	}
	return zone_open("UTC", &utc) != 0 || calendar_next(node->calendar, utc, 0, &next) ||
	       value_refuse(node, errors, "a date that there is in some year", "never comes");
}

/* Zones are those of the host that checks; lud's host has to have them, too. */
static bool value_zone(struct tree_node *node, struct policy_errors *errors)
{
	return zone_open(node->text, &node->zone) == 0 ||
	       value_refuse(node, errors, "a zone of this host, such as Europe/Berlin or UTC",
	               "is not a time zone");
}

bool tree_is_label(const char *text)
{
	_cleanup_(freep) char *key = text_copy(text);
	char *equals = strchr(key, '=');

	if (equals) {
		*equals = '\0';
	}
	return equals && tree_is_name(key) && tree_is_name(equals + 1);
}

static bool value_label(struct tree_node *node, struct policy_errors *errors)
{
	return tree_is_label(node->text) ||
	       value_refuse(node, errors, "KEY=VALUE, both names", "is not a label");
}

/* What is too long is cut in the message; nothing of it is kept. */
bool tree_value_read(struct tree_node *node, struct policy_errors *errors)
{
	if (strlen(node->text) > TREE_TEXT_MAX) {
		snprintf(node->text + 32, 4, "...");
		return value_refuse(node, errors, "at most 1024 bytes", "is too long");
	}
	switch (tree_keys[node->row].type) {
	case TREE_NAME:
		return value_name(node, errors);
	case TREE_TEXT:
		return value_text(node, errors);
	case TREE_CHOICE:
		return value_choice(node, errors);
	case TREE_BOOL:
		return value_bool(node, errors);
	case TREE_COUNT:
	case TREE_SHARE:
		return value_count(node, errors);
	case TREE_DURATION:
		return value_duration(node, errors);
	case TREE_CALENDAR:
		return value_calendar(node, errors);
	case TREE_ZONE:
		return value_zone(node, errors);
	case TREE_LABEL:
		return value_label(node, errors);
	case TREE_MAP:
	case _TREE_TYPE_N:
		break;
	}
	return false;
}
