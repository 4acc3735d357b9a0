/*
 * What an update takes over and loses, as a person reads it: lud's findings before the update,
 * and the machine's own lists of what it removed, dropped and moved after it. The machine's
 * text was escaped with everything else, so its ends of lines are looked for in their escaped
 * form.
 */
#include "ctl/sign/pairing.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "ctl/base/text.h"

/* Newlines are escaped like all else that a machine says (ctl/base/clean.h). */
#define LINE_END "\\x0a"

/* What a finding means for the state, in words. */
static const char *pairing_kind(Control__FindingKind kind)
{
	switch (kind) {
	case CONTROL__FINDING_KIND__FINDING_LOST:
		return "lost";
	case CONTROL__FINDING_KIND__FINDING_AT_RISK:
		return "lost if in use";
	case CONTROL__FINDING_KIND__FINDING_DROPPED:
		return "dropped on purpose";
	case CONTROL__FINDING_KIND__FINDING_MOVED:
		return "moved";
	case CONTROL__FINDING_KIND__FINDING_INITIAL:
		return "initial value changed, the running value stays";
	case CONTROL__FINDING_KIND__FINDING_NONE:
	case _CONTROL__FINDING_KIND_IS_INT_SIZE:
		break;
	}
	return "?";
}

/* "lost: variable FILE:NAME"; texts that say what it is by themselves begin with it. */
static void pairing_print_finding(FILE *to, const char *indent, const Control__Finding *finding)
{
	bool is_said = !strncmp(finding->text, finding->what, strlen(finding->what));

	fprintf(to, "%s%s: %s%s%s\n", indent, pairing_kind(finding->kind),
	        is_said ? "" : finding->what, is_said ? "" : " ", finding->text);
}

void pairing_print(
        FILE *to, const char *indent, const Control__Pairing *pairing, unsigned int kinds)
{
	for (size_t i = 0; i < pairing->n_findings; i++) {
		const Control__Finding *finding = pairing->findings[i];

		if ((unsigned int)finding->kind < 32 && (kinds & 1u << finding->kind)) {
			pairing_print_finding(to, indent, finding);
		}
	}
	if (pairing->n_left_off) {
		fprintf(to, "%sand %u more; `luforge pair` shows all\n", indent,
		        pairing->n_left_off);
	}
}

/* Does the machine's total count this line? It counts what was lost or dropped, not what moved. */
static bool pairing_line_is_counted(const char *line)
{
	return !strncmp(line, "lost ", 5) || !strncmp(line, "dropped ", 8);
}

/* One text of several lines; returns how many of them the total counts. */
static uint32_t pairing_print_text(const char *indent, const char *text, bool *ret_is_whole)
{
	uint32_t n = 0;

	*ret_is_whole = true;
	while (*text) {
		const char *end = strstr(text, LINE_END);
		int length = end ? (int)(end - text) : (int)strlen(text);

		printf("%sstate %.*s%s\n", indent, length, text, end ? "" : "...");
		n += pairing_line_is_counted(text);
		*ret_is_whole = end != NULL;
		text = end ? end + strlen(LINE_END) : text + length;
	}
	return n;
}

void pairing_print_removed(const char *indent, const Machine__Result *result)
{
	uint32_t n = 0;
	bool is_whole = true, all_whole = true;

	for (size_t i = 0; i < result->n_removed; i++) {
		n += pairing_print_text(indent, result->removed[i], &is_whole);
		all_whole = all_whole && is_whole;
	}
	if (!all_whole || n < result->removed_total) {
		printf("%sstate: the machine's list was cut here; it lost or dropped %u in all\n",
		        indent, result->removed_total);
	}
}

void consent_text(const Control__Job *job, char ret_text[128])
{
	char pairing[TEXT_SIZE], key[TEXT_SIZE];

	snprintf(ret_text, 128, "to loss, pairing %s, control key %s",
	        text_id(&job->consent, pairing), text_id(&job->consent_key, key));
}
