/*
 * Lines of words in buffers of fixed size. The engine needs nothing of libc but string.h, so there
 * is no printf here. A text that is too long is cut off; it always ends in a NUL. Files are named
 * by the last part of their path: enough for people, and errors are short.
 */
#include "proto/state/report/text.h"

#include <string.h>

void state_text_add(struct state_text *text, const char *word)
{
	while (*word != 0 && text->len + 1 < text->size) {
		text->buffer[text->len++] = *word++;
	}
	text->buffer[text->len] = 0;
}

void state_text_add_number(struct state_text *text, uint64_t n, unsigned base)
{
	char digits[24];
	unsigned i = sizeof(digits) - 1;

	digits[i] = 0;
	do {
		digits[--i] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n != 0);
	state_text_add(text, base == 16 ? "0x" : "");
	state_text_add(text, digits + i);
}

void state_text_add_index(struct state_text *text, uint64_t index)
{
	state_text_add(text, "[");
	state_text_add_number(text, index, 10);
	state_text_add(text, "]");
}

void state_text_add_type(struct state_text *text, const struct state_desc *desc, uint32_t type)
{
	const char *name = state_type_name(desc, type);
	enum state_btf_kind kind = state_type_kind(desc, type);

	if (kind == STATE_BTF_ARRAY) {
		state_text_add_type(text, desc, state_type_array(desc, type)->type);
		state_text_add(text, "[]");
		return;
	}
	if (kind == STATE_BTF_PTR) {
		state_text_add(text, "pointer");
		return;
	}
	state_text_add(text, kind == STATE_BTF_STRUCT ? "struct " : "");
	state_text_add(text, kind == STATE_BTF_UNION ? "union " : "");
	state_text_add(text, name[0] != 0 ? name : "(anonymous)");
}

void state_text_add_entry(struct state_text *text, const struct state_desc *desc, uint32_t i)
{
	const struct state_entry *entry = &desc->entries[i];
	const char *unit = state_desc_string(desc, entry->unit);
	const char *scope = state_desc_string(desc, entry->scope);
	const char *slash = strrchr(unit, '/');

	if (entry->kind == STATE_STRING) {
		state_text_add(text, "a string");
		return;
	}
	if (entry->kind == STATE_SITE) {
		state_text_add(text, "heap ");
		state_text_add_type(text, desc, entry->type);
		state_text_add(text, " from ");
	}
	state_text_add(text, slash != NULL ? slash + 1 : unit);
	state_text_add(text, ":");
	state_text_add(text, scope);
	if (entry->kind != STATE_SITE) {
		state_text_add(text, scope[0] != 0 ? ":" : "");
		state_text_add(text, state_desc_string(desc, entry->name));
	}
}
