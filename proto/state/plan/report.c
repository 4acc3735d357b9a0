/*
 * Words for errors and notes. Nothing here is fast; it runs once per failure or per kind of
 * removed state. The place of an error is found again from the old address: by descending the
 * root's type to that offset.
 */
#include <string.h>

#include "proto/state/plan/transfer.h"

struct text {
	char *buffer;
	size_t size;
	size_t len;
};

static void text_add(struct text *text, const char *word)
{
	while (*word != 0 && text->len + 1 < text->size) {
		text->buffer[text->len++] = *word++;
	}
	text->buffer[text->len] = 0;
}

static void text_add_number(struct text *text, uint64_t n, unsigned base)
{
	char digits[24];
	unsigned i = sizeof(digits) - 1;

	digits[i] = 0;
	do {
		digits[--i] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n != 0);
	text_add(text, base == 16 ? "0x" : "");
	text_add(text, digits + i);
}

static void text_add_index(struct text *text, uint64_t index)
{
	text_add(text, "[");
	text_add_number(text, index, 10);
	text_add(text, "]");
}

static void text_add_type(struct text *text, const struct state_desc *desc, uint32_t type)
{
	const char *name = state_type_name(desc, type);
	enum state_btf_kind kind = state_type_kind(desc, type);

	if (kind == STATE_BTF_ARRAY) {
		text_add_type(text, desc, state_type_array(desc, type)->type);
		text_add(text, "[]");
		return;
	}
	if (kind == STATE_BTF_PTR) {
		text_add(text, "pointer");
		return;
	}
	text_add(text, kind == STATE_BTF_STRUCT ? "struct " : "");
	text_add(text, kind == STATE_BTF_UNION ? "union " : "");
	text_add(text, name[0] != 0 ? name : "(anonymous)");
}

/* "store.c:add:cache"; sites are "heap struct foo from store.c:add". */
static void text_add_entry(struct text *text, const struct state_desc *desc, uint32_t i)
{
	const struct state_entry *entry = &desc->entries[i];
	const char *unit = state_desc_string(desc, entry->unit);
	const char *scope = state_desc_string(desc, entry->scope);
	const char *slash = strrchr(unit, '/');

	if (entry->kind == STATE_SITE) {
		text_add(text, "heap ");
		text_add_type(text, desc, entry->type);
		text_add(text, " from ");
	}
	text_add(text, slash != NULL ? slash + 1 : unit);
	text_add(text, ":");
	text_add(text, scope);
	if (entry->kind != STATE_SITE) {
		text_add(text, scope[0] != 0 ? ":" : "");
		text_add(text, state_desc_string(desc, entry->name));
	}
}

/* The member of a union that was being copied when the error came, or STATE_NONE. */
static uint32_t union_member(const struct state_transfer *t, uint64_t at)
{
	for (uint32_t i = t->n_live; i > 0; i--) {
		if (t->live_union[i - 1] == at) {
			return t->live_member[i - 1];
		}
	}
	return STATE_NONE;
}

/* The member that covers a byte offset, or STATE_NONE. */
static uint32_t record_member(const struct state_transfer *t, const struct state_desc *desc,
        uint32_t id, uint64_t off, uint64_t at)
{
	uint32_t n = state_type_count(desc, id);

	if (state_type_kind(desc, id) == STATE_BTF_UNION) {
		return union_member(t, at);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct state_member member = state_type_member(desc, id, i);
		uint64_t size = member.bit_size != 0 ? member.bit_size
		                                     : state_type_size(desc, member.type) * 8;
		uint64_t bit = off * 8 + (member.bit_size != 0 ? t->fail_bit : 0);

		if (bit >= member.bit_off && bit - member.bit_off < size) {
			return i;
		}
	}
	return STATE_NONE;
}

/* ".table[3].name" for an offset into an old value at address `at`. */
static void text_add_path(
        struct text *text, const struct state_transfer *t, uint32_t type, uint64_t off, uint64_t at)
{
	const struct state_desc *desc = &t->desc[STATE_OLD];

	for (unsigned depth = 0; depth < STATE_TYPE_DEPTH; depth++) {
		uint32_t id = state_type_strip(desc, type);
		enum state_btf_kind kind = state_type_kind(desc, id);

		if (kind == STATE_BTF_ARRAY) {
			uint64_t size = state_type_size(desc, state_type_array(desc, id)->type);

			if (size == 0) {
				return;
			}
			text_add_index(text, off / size);
			at += off - off % size;
			off %= size;
			type = state_type_array(desc, id)->type;
		} else if (kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION) {
			uint32_t i = record_member(t, desc, id, off, at);
			struct state_member member;

			if (i == STATE_NONE) {
				return;
			}
			member = state_type_member(desc, id, i);
			text_add(text, member.name[0] != 0 ? "." : "");
			text_add(text, member.name);
			at += member.bit_off / 8;
			off -= member.bit_off / 8;
			type = member.type;
		} else {
			return;
		}
	}
}

static void text_add_names(struct text *text, const struct state_path *path)
{
	if (path == NULL) {
		return;
	}
	text_add_names(text, path->up);
	if (path->name[0] != 0) {
		text_add(text, ".");
		text_add(text, path->name);
	}
}

static void text_add_place(struct text *text, const struct state_transfer *t, const void *old)
{
	const struct state_desc *desc = &t->desc[t->root_age];
	const struct state_entry *entry;
	uint64_t off = (uint64_t)(uintptr_t)old - t->root_old;

	if (t->root_entry == STATE_NONE) {
		return;
	}
	entry = &desc->entries[t->root_entry];
	text_add(text, " at ");
	text_add_entry(text, desc, t->root_entry);
	if (t->root_old == 0) {
		text_add_names(text, t->path);
	} else if (entry->type != 0 && old != NULL) {
		uint64_t size = state_type_size(desc, entry->type);

		if (entry->kind == STATE_SITE && off >= size) {
			text_add_index(text, off / size);
		}
		text_add_path(text, t, entry->type, off % size, t->root_old + off - off % size);
	}
}

enum state_code state_fail_at(struct state_transfer *t, enum state_code code, const char *what,
        uint64_t value, const void *old)
{
	struct state_result *result = t->result;
	struct text text = {.buffer = result->error, .size = sizeof(result->error)};

	if (t->quiet || result->code != STATE_OK) {
		return code;
	}
	result->code = code;
	result->value = value;
	text_add(&text, what);
	if (value != 0 || old != NULL) {
		text_add(&text, " ");
		text_add_number(&text, value, 16);
	}
	text_add_place(&text, t, old);
	return code;
}

enum state_code state_fail(
        struct state_transfer *t, enum state_code code, const char *what, uint64_t value)
{
	return state_fail_at(t, code, what, value, NULL);
}

enum state_code state_fail_member(struct state_transfer *t, enum state_code code, const char *what,
        uint64_t value, const char *member)
{
	struct state_path path = {.up = t->path, .name = member};

	t->path = &path;
	(void)state_fail(t, code, what, value);
	t->path = path.up;
	return code;
}

enum state_code state_fail_named(
        struct state_transfer *t, enum state_code code, const char *what, const char *name)
{
	struct state_result *result = t->result;
	struct text text = {.buffer = result->error, .size = sizeof(result->error)};

	if (t->quiet || result->code != STATE_OK) {
		return code;
	}
	result->code = code;
	text_add(&text, what);
	text_add(&text, " ");
	text_add(&text, name);
	return code;
}

/* A line at the end of the notes. */
static struct text notes_begin(struct state_transfer *t)
{
	struct state_result *result = t->result;

	return (struct text){
	        .buffer = result->notes,
	        .size = sizeof(result->notes),
	        .len = strlen(result->notes),
	};
}

/* State of the old release without a partner: noted, or an error when the release is strict. */
enum state_code state_removed(
        struct state_transfer *t, const char *what, uint32_t type, const char *member, uint64_t n)
{
	const struct state_desc *desc = &t->desc[STATE_OLD];
	struct text text = notes_begin(t);

	if (t->is_default) {
		return STATE_OK;
	}
	t->result->n_removed++;
	text_add(&text, what);
	text_add_type(&text, desc, type);
	text_add(&text, member[0] != 0 ? "." : "");
	text_add(&text, member);
	if (n > 0) {
		text_add(&text, ", objects: ");
		text_add_number(&text, n, 10);
	}
	text_add(&text, "\n");
	return t->strict ? state_fail(t, STATE_E_REMOVED, "state was removed", 0) : STATE_OK;
}

enum state_code state_removed_entry(struct state_transfer *t, uint32_t entry)
{
	struct text text = notes_begin(t);

	t->result->n_removed++;
	text_add(&text, "removed ");
	text_add_entry(&text, &t->desc[STATE_OLD], entry);
	text_add(&text, "\n");
	return t->strict ? state_fail(t, STATE_E_REMOVED, "state was removed", 0) : STATE_OK;
}

void state_copied(struct state_transfer *t, uint32_t entry)
{
	const struct state_desc *desc = &t->desc[STATE_OLD];
	struct text text = notes_begin(t);

	t->result->n_strings++;
	text_add(&text, "copied \"");
	text_add(&text, state_desc_string(desc, desc->entries[entry].name));
	text_add(&text, "\"\n");
}

const char *state_code_text(enum state_code code)
{
	static const char *const text[_STATE_CODE_N] = {
	        [STATE_OK] = "ok",
	        [STATE_E_DESCRIPTION] = "description",
	        [STATE_E_SETUP] = "setup",
	        [STATE_E_SCRATCH] = "scratch",
	        [STATE_E_ARENA] = "arena",
	        [STATE_E_ANNOTATION] = "annotation",
	        [STATE_E_TYPE] = "type",
	        [STATE_E_UNION] = "union",
	        [STATE_E_VERSION] = "version",
	        [STATE_E_REMOVED] = "removed",
	        [STATE_E_HEAP] = "heap",
	        [STATE_E_POINTER] = "pointer",
	        [STATE_E_AMBIGUOUS] = "ambiguous",
	        [STATE_E_RANGE] = "range",
	        [STATE_E_HANDLER] = "handler",
	};

	return text[code];
}
