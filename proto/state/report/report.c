/*
 * Words for errors. Nothing here is fast; it runs once per failure. What failed knows a rule,
 * perhaps a number, and an old address; people need the variable and the member. So the place is
 * found again from the old address, by descending the root's type to that offset; while pairing,
 * where there are no addresses, the path of names says it.
 *
 * Only the first failure is reported: those that follow are its consequences. Addresses of an
 * instance are never among the words, since the old one goes on running in its layout.
 */
#include <string.h>

#include "proto/state/report/text.h"
#include "proto/state/report/report.h"

/* The member of a union that was being copied when the error came, or STATE_NONE. */
static uint32_t report_union_member(const struct state_report *r, uint64_t at)
{
	for (uint32_t i = r->where->n_live; i > 0; i--) {
		if (r->where->live_union[i - 1] == at) {
			return r->where->live_member[i - 1];
		}
	}
	return STATE_NONE;
}

/*
 * The member that covers a byte offset, or STATE_NONE. Of a union it is the one that was being
 * copied; of bitfields in one byte, the one with the bit.
 */
static uint32_t report_record_member(const struct state_report *r, const struct state_desc *desc,
        uint32_t id, uint64_t off, uint64_t at)
{
	uint32_t n = state_type_count(desc, id);

	if (state_type_kind(desc, id) == STATE_BTF_UNION) {
		return report_union_member(r, at);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct state_member member = state_type_member(desc, id, i);
		uint64_t size = member.bit_size != 0 ? member.bit_size
		                                     : state_type_size(desc, member.type) * 8;
		uint64_t bit = off * 8 + (member.bit_size != 0 ? r->where->bit : 0);

		if (bit >= member.bit_off && bit - member.bit_off < size) {
			return i;
		}
	}
	return STATE_NONE;
}

/* ".table[3].name" for an offset into an old value at address `at`. */
static void report_add_path(struct state_text *text, const struct state_report *r, uint32_t type,
        uint64_t off, uint64_t at)
{
	const struct state_desc *desc = &r->sides->desc[STATE_OLD];

	for (unsigned depth = 0; depth < STATE_TYPE_DEPTH; depth++) {
		uint32_t id = state_type_strip(desc, type);
		enum state_btf_kind kind = state_type_kind(desc, id);

		if (kind == STATE_BTF_ARRAY) {
			uint64_t size = state_type_size(desc, state_type_array(desc, id)->type);

			if (size == 0) {
				return;
			}
			state_text_add_index(text, off / size);
			at += off - off % size;
			off %= size;
			type = state_type_array(desc, id)->type;
		} else if (kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION) {
			uint32_t i = report_record_member(r, desc, id, off, at);
			struct state_member member;

			if (i == STATE_NONE) {
				return;
			}
			member = state_type_member(desc, id, i);
			state_text_add(text, member.name[0] != 0 ? "." : "");
			state_text_add(text, member.name);
			at += member.bit_off / 8;
			off -= member.bit_off / 8;
			type = member.type;
		} else {
			return;
		}
	}
}

void state_text_add_names(struct state_text *text, const struct state_path *path)
{
	if (path == NULL) {
		return;
	}
	state_text_add_names(text, path->up);
	if (path->name[0] != 0) {
		state_text_add(text, ".");
		state_text_add(text, path->name);
	}
}

/*
 * " at store.c:table[3].name". In an object of an array the element comes first. An address that
 * is NULL stands for the root itself.
 */
void state_text_add_place(struct state_text *text, const struct state_report *r, const void *old)
{
	const struct state_desc *desc = &r->sides->desc[r->where->age];
	const struct state_entry *entry;
	uint64_t off = (uint64_t)(uintptr_t)old - r->where->old;

	if (r->where->entry == STATE_NONE) {
		return;
	}
	entry = &desc->entries[r->where->entry];
	state_text_add(text, " at ");
	state_text_add_entry(text, desc, r->where->entry);
	if (r->where->old == 0) {
		state_text_add_names(text, r->where->path);
	} else if (entry->type != 0 && old != NULL) {
		uint64_t size = state_type_size(desc, entry->type);

		if (entry->kind == STATE_SITE && off >= size) {
			state_text_add_index(text, off / size);
		}
		report_add_path(text, r, entry->type, off % size, r->where->old + off - off % size);
	}
}

/* Begin the words of an error; false: it is not to be reported, or not the first. */
static bool report_begin(
        struct state_report *r, enum state_code code, const char *what, struct state_text *ret)
{
	struct state_result *result = r->result;

	if (r->quiet || result->code != STATE_OK) {
		return false;
	}
	*ret = (struct state_text){.buffer = result->error, .size = sizeof(result->error)};
	result->code = code;
	state_text_add(ret, what);
	return true;
}

/* A number is told even if it is 0, where there is an old value that holds it. */
enum state_code state_fail_at(struct state_report *r, enum state_code code, const char *what,
        uint64_t value, const void *old)
{
	struct state_text text;

	if (report_begin(r, code, what, &text)) {
		r->result->value = value;
		if (value != 0 || old != NULL) {
			state_text_add(&text, " ");
			state_text_add_number(&text, value, 16);
		}
		state_text_add_place(&text, r, old);
	}
	return code;
}

enum state_code state_fail_place(
        struct state_report *r, enum state_code code, const char *what, const void *old)
{
	struct state_text text;

	if (report_begin(r, code, what, &text)) {
		state_text_add_place(&text, r, old);
	}
	return code;
}

enum state_code state_fail_pointer(struct state_report *r, enum state_code code, const char *what,
        const struct state_spot *spot, const void *old)
{
	struct state_text text;

	if (report_begin(r, code, what, &text)) {
		state_text_add(&text, " (");
		state_text_add_entry(&text, &r->sides->desc[STATE_OLD], spot->entry);
		state_text_add(&text, "+");
		state_text_add_number(&text, spot->off, 10);
		state_text_add(&text, ")");
		state_text_add_place(&text, r, old);
	}
	return code;
}

enum state_code state_fail_row(
        struct state_report *r, enum state_code code, uint32_t entry, uint32_t row, const void *old)
{
	struct state_text text;

	if (report_begin(r, code, "pointer to row ", &text)) {
		state_text_add_number(&text, row, 10);
		state_text_add(&text, " of the constant table ");
		state_text_add_entry(&text, &r->sides->desc[STATE_OLD], entry);
		state_text_add(&text, ", which changed or is not the only one like it");
		state_text_add_place(&text, r, old);
		state_text_add(&text, "; STATE_RAW on the table keeps rows by number");
	}
	return code;
}

enum state_code state_fail_size(
        struct state_report *r, uint32_t entry, uint64_t bytes, uint64_t most)
{
	struct state_text text;

	if (report_begin(r, STATE_E_SIZE, "object would have ", &text)) {
		r->result->value = bytes;
		state_text_add_number(&text, bytes, 10);
		state_text_add(&text, " bytes, a heap's largest has ");
		state_text_add_number(&text, most, 10);
		state_text_add(&text, ", at ");
		state_text_add_entry(&text, &r->sides->desc[STATE_OLD], entry);
		state_text_add(&text, "; keep it in several objects, or its elements smaller");
	}
	return STATE_E_SIZE;
}

enum state_code state_fail(
        struct state_report *r, enum state_code code, const char *what, uint64_t value)
{
	return state_fail_at(r, code, what, value, NULL);
}

/* The member is on the path only while the words are made. */
enum state_code state_fail_member(struct state_report *r, enum state_code code, const char *what,
        uint64_t value, const char *member)
{
	struct state_path path = {.up = r->where->path, .name = member};

	r->where->path = &path;
	(void)state_fail(r, code, what, value);
	r->where->path = path.up;
	return code;
}

enum state_code state_fail_named(
        struct state_report *r, enum state_code code, const char *what, const char *name)
{
	struct state_text text;

	if (report_begin(r, code, what, &text)) {
		state_text_add(&text, " ");
		state_text_add(&text, name);
	}
	return code;
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
	        [STATE_E_LOSS] = "loss",
	        [STATE_E_HEAP] = "heap",
	        [STATE_E_POINTER] = "pointer",
	        [STATE_E_AMBIGUOUS] = "ambiguous",
	        [STATE_E_RANGE] = "range",
	        [STATE_E_SIZE] = "size",
	        [STATE_E_HANDLER] = "handler",
	};

	return text[code];
}
