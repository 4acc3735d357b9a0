/* Layout follows the x86-64 ABI, bitfields aside, which are packed into their type's units. */
#include "osd/lib/state/test/model_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void parse_fail(const struct model *model, const char *what)
{
	fprintf(stderr, "model: %s, at: %.60s\n", what, model->at);
	abort();
}

static void copy_name(char *to, const char *from)
{
	if (snprintf(to, MODEL_NAME, "%s", from) >= MODEL_NAME) {
		abort();
	}
}

static void *zalloc(size_t n, size_t size)
{
	void *ret = calloc(n ? n : 1, size);

	if (ret == NULL) {
		abort();
	}
	return ret;
}

static bool is_word(int c)
{
	return isalnum(c) || c == '_' || c == '#' || c == '.' || c == '/' || c == '=' || c == '-' ||
	       c == '(' || c == ')';
}

/* The next token: a word, a character, a literal from its quote on, or "" at the end. */
static const char *next(struct model *model)
{
	size_t n = 0;

	while (isspace((unsigned char)*model->at)) {
		model->at++;
	}
	if (*model->at == '"') {
		model->token[n++] = *model->at++;
		while (*model->at != '"') {
			model->token[n++] = *model->at++;
		}
		model->at++;
	} else if (is_word((unsigned char)*model->at)) {
		while (is_word((unsigned char)*model->at) && n + 1 < MODEL_NAME) {
			model->token[n++] = *model->at++;
		}
	} else if (*model->at != 0) {
		model->token[n++] = *model->at++;
	}
	model->token[n] = 0;
	return model->token;
}

static bool peek(struct model *model, const char *word)
{
	const char *at = model->at;
	bool same = strcmp(next(model), word) == 0;

	model->at = at;
	return same;
}

static bool accept(struct model *model, const char *word)
{
	const char *at = model->at;

	if (strcmp(next(model), word) == 0) {
		return true;
	}
	model->at = at;
	return false;
}

static void expect(struct model *model, const char *word)
{
	if (!accept(model, word)) {
		parse_fail(model, word);
	}
}

/* The text of a note: all up to a blank, a semicolon or a brace; ~ stands for a blank in it. */
static const char *next_note(struct model *model)
{
	size_t n = strcspn(model->at, " \n;}");

	if (n >= MODEL_NAME) {
		parse_fail(model, "a note is too long");
	}
	memcpy(model->token, model->at, n);
	model->token[n] = 0;
	for (char *c = model->token; (c = strchr(c, '~')) != NULL;) {
		*c = ' ';
	}
	model->at += n;
	return model->token;
}

static void parse_notes(struct model *model, struct model_note *notes, unsigned *n)
{
	while (accept(model, "@")) {
		if (*n == MODEL_NOTES) {
			parse_fail(model, "too many notes");
		}
		copy_name(notes[(*n)++].text, next_note(model));
	}
}

static struct model_type *type_new(
        struct model *model, enum state_btf_kind kind, uint64_t size, uint32_t align)
{
	struct model_type *type = zalloc(1, sizeof(*type));

	if (model->n_types == MODEL_TYPES) {
		abort();
	}
	type->kind = kind;
	type->size = size;
	type->align = align;
	model->types[model->n_types++] = type;
	type->id = model->n_types;
	return type;
}

struct model_type *model_type_find(const struct model *model, const char *name)
{
	for (uint32_t i = 0; i < model->n_types; i++) {
		if (strcmp(model->types[i]->name, name) == 0) {
			return model->types[i];
		}
	}
	return NULL;
}

static const struct {
	const char *name;
	uint32_t size;
	uint32_t encoding;
} basic[] = {
        {"bool", 1, STATE_BTF_BOOL},
        {"char", 1, STATE_BTF_SIGNED | STATE_BTF_CHAR},
        {"i8", 1, STATE_BTF_SIGNED},
        {"i16", 2, STATE_BTF_SIGNED},
        {"i32", 4, STATE_BTF_SIGNED},
        {"i64", 8, STATE_BTF_SIGNED},
        {"i128", 16, STATE_BTF_SIGNED},
        {"u8", 1, 0},
        {"u16", 2, 0},
        {"u32", 4, 0},
        {"u64", 8, 0},
};

static struct model_type *type_basic(struct model *model, const char *name)
{
	struct model_type *type = model_type_find(model, name);

	if (type != NULL) {
		return type;
	}
	for (size_t i = 0; i < sizeof(basic) / sizeof(basic[0]); i++) {
		if (strcmp(basic[i].name, name) == 0) {
			type = type_new(model, STATE_BTF_INT, basic[i].size, basic[i].size);
			type->encoding = basic[i].encoding;
		}
	}
	if (strcmp(name, "f32") == 0 || strcmp(name, "f64") == 0) {
		type = type_new(
		        model, STATE_BTF_FLOAT, name[1] == '3' ? 4 : 8, name[1] == '3' ? 4 : 8);
	} else if (strcmp(name, "fn") == 0) {
		type = type_new(model, STATE_BTF_FUNC_PROTO, 0, 1);
	}
	if (type == NULL) {
		parse_fail(model, name);
	}
	copy_name(type->name, name);
	return type;
}

static void parse_members(struct model *model, struct model_type *record);

/* "struct name", perhaps with a body; creates what is met for the first time. */
static struct model_type *parse_record(struct model *model, enum state_btf_kind kind)
{
	char name[MODEL_NAME] = "";
	struct model_type *type = NULL;

	if (!peek(model, "{")) {
		copy_name(name, next(model));
		type = model_type_find(model, name);
	}
	if (type == NULL) {
		type = type_new(model, kind, 0, 1);
		copy_name(type->name, name);
	}
	if (accept(model, "{")) {
		parse_members(model, type);
		parse_notes(model, type->notes, &type->n_notes);
	}
	return type;
}

static struct model_type *parse_enum(struct model *model)
{
	bool is_wide = accept(model, ":");
	bool is_signed = is_wide && next(model)[0] == 'i';
	struct model_type *type;
	int64_t value = 0;
	char name[MODEL_NAME];

	copy_name(name, next(model));
	type = model_type_find(model, name);
	if (type == NULL) {
		type = type_new(model, is_wide ? STATE_BTF_ENUM64 : STATE_BTF_ENUM, is_wide ? 8 : 4,
		        is_wide ? 8 : 4);
		type->encoding = is_signed ? STATE_BTF_SIGNED : 0;
		copy_name(type->name, name);
		type->names = zalloc(64, sizeof(*type->names));
		type->values = zalloc(64, sizeof(*type->values));
	}
	if (!accept(model, "{")) {
		return type;
	}
	while (!accept(model, "}")) {
		char *equals;

		copy_name(type->names[type->n], next(model));
		equals = strchr(type->names[type->n], '=');
		if (equals != NULL) {
			value = equals[1] == '-' ? strtoll(equals + 1, NULL, 0)
			                         : (int64_t)strtoull(equals + 1, NULL, 0);
			*equals = 0;
		}
		type->encoding |= !is_wide && value < 0 ? STATE_BTF_SIGNED : 0;
		type->values[type->n++] = value++;
		(void)accept(model, ",");
	}
	return type;
}

static struct model_type *parse_type(struct model *model)
{
	struct model_type *type;

	if (accept(model, "struct")) {
		type = parse_record(model, STATE_BTF_STRUCT);
	} else if (accept(model, "union")) {
		type = parse_record(model, STATE_BTF_UNION);
	} else if (accept(model, "enum")) {
		type = parse_enum(model);
	} else if (accept(model, "void")) {
		type = NULL;
	} else {
		type = type_basic(model, next(model));
	}
	while (accept(model, "*")) {
		struct model_type *pointer = type_new(model, STATE_BTF_PTR, 8, 8);

		pointer->to = type;
		type = pointer;
	}
	return type;
}

/* Dimensions behind a name; the last one is the innermost. */
static struct model_type *parse_dimensions(struct model *model, struct model_type *type)
{
	uint32_t n[4];
	unsigned depth = 0;

	while (accept(model, "[")) {
		n[depth++] = (uint32_t)atoi(next(model));
		expect(model, "]");
	}
	while (depth > 0) {
		struct model_type *array = type_new(model, STATE_BTF_ARRAY, 0, type->align);

		array->to = type;
		array->n = n[--depth];
		array->size = array->n * type->size;
		type = array;
	}
	return type;
}

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) / align * align;
}

struct cursor {
	uint64_t end; /* bytes used so far */
	uint64_t bit; /* of the next bitfield, from the start; 0: none is open */
};

static void member_place(
        struct model_type *record, struct model_member *member, struct cursor *cursor)
{
	struct model_type *type = member->type;

	record->align = record->align > type->align ? record->align : type->align;
	if (record->kind == STATE_BTF_UNION) {
		record->size = record->size > type->size ? record->size : type->size;
		return;
	}
	if (member->n_bits == 0) {
		member->off = align_up(cursor->end, type->align);
		cursor->end = member->off + type->size;
		cursor->bit = 0;
		return;
	}
	if (cursor->bit == 0) {
		cursor->bit = cursor->end * 8;
	}
	if (cursor->bit / (type->size * 8) !=
	        (cursor->bit + member->n_bits - 1) / (type->size * 8)) {
		cursor->bit = align_up(cursor->bit, type->size * 8);
	}
	member->off = cursor->bit / 8;
	member->bit = (uint32_t)(cursor->bit % 8);
	cursor->bit += member->n_bits;
	cursor->end = align_up(cursor->bit, 8) / 8;
}

static void parse_member(struct model *model, struct model_member *member)
{
	member->type = parse_type(model);
	if (!peek(model, ";") && !peek(model, "@")) {
		copy_name(member->name, next(model));
	}
	member->type = parse_dimensions(model, member->type);
	if (accept(model, ":")) {
		member->n_bits = (uint32_t)atoi(next(model));
	}
	parse_notes(model, member->notes, &member->n_notes);
}

static void parse_members(struct model *model, struct model_type *record)
{
	struct cursor cursor = {0};

	record->members = zalloc(64, sizeof(*record->members));
	while (!accept(model, "}")) {
		struct model_member *member = &record->members[record->n];

		if (accept(model, "pad")) {
			cursor.end += (uint64_t)atoi(next(model));
		} else {
			parse_member(model, member);
			member_place(record, member, &cursor);
			record->n++;
		}
		expect(model, ";");
	}
	if (record->kind == STATE_BTF_STRUCT) {
		record->size = cursor.end;
	}
	record->size = align_up(record->size, record->align);
}

static struct model_symbol *symbol_new(
        struct model *model, enum state_entry_kind kind, const char *name)
{
	struct model_symbol *symbol = zalloc(1, sizeof(*symbol));

	if (model->n_symbols == MODEL_SYMBOLS) {
		abort();
	}
	symbol->kind = kind;
	copy_name(symbol->unit, model->unit);
	copy_name(symbol->name, name);
	symbol->size = 16;
	model->symbols[model->n_symbols++] = symbol;
	return symbol;
}

static void parse_site(struct model *model)
{
	struct model_type *type = parse_type(model);
	struct model_symbol *symbol;
	char name[MODEL_NAME];
	unsigned n = 0;

	type = parse_dimensions(model, type);
	next(model);
	for (uint32_t i = 0; i < model->n_symbols; i++) {
		n += model->symbols[i]->kind == STATE_SITE &&
		     strcmp(model->symbols[i]->scope, model->token) == 0;
	}
	snprintf(name, sizeof(name), "#%u", n);
	symbol = symbol_new(model, STATE_SITE, name);
	copy_name(symbol->scope, model->token);
	symbol->type = type;
	symbol->size = type->size;
}

static void parse_variable(struct model *model)
{
	struct model_type *type = parse_type(model);
	struct model_symbol *symbol;

	if (peek(model, ";")) {
		return;
	}
	symbol = symbol_new(model, STATE_VARIABLE, next(model));
	symbol->type = parse_dimensions(model, type);
	symbol->size = symbol->type->size;
	symbol->is_readonly = accept(model, "readonly");
	if (accept(model, "in")) {
		copy_name(symbol->scope, next(model));
	}
	parse_notes(model, symbol->notes, &symbol->n_notes);
}

static void parse_declaration(struct model *model)
{
	if (accept(model, "file")) {
		copy_name(model->unit, next(model));
	} else if (accept(model, "site")) {
		parse_site(model);
	} else if (accept(model, "func")) {
		struct model_symbol *symbol = symbol_new(model, STATE_FUNCTION, next(model));

		parse_notes(model, symbol->notes, &symbol->n_notes);
	} else if (accept(model, "library")) {
		struct model_symbol *symbol = symbol_new(model, STATE_LIBRARY, next(model));

		symbol->size = (uint64_t)atoi(next(model));
	} else if (accept(model, "string")) {
		struct model_symbol *symbol = symbol_new(model, STATE_STRING, next(model) + 1);

		symbol->size = strlen(symbol->name) + 1;
	} else {
		parse_variable(model);
	}
	expect(model, ";");
}

struct model *model_new(const char *text, uint64_t seed)
{
	struct model *model = zalloc(1, sizeof(*model));

	model->at = text;
	model->random = seed;
	copy_name(model->unit, "a.c");
	model->build = desc_build_new("test");
	while (!peek(model, "")) {
		parse_declaration(model);
	}
	return model;
}

struct model *model_free(struct model *model)
{
	for (uint32_t i = 0; i < model->n_types; i++) {
		free(model->types[i]->members);
		free(model->types[i]->names);
		free(model->types[i]->values);
		free(model->types[i]);
	}
	for (uint32_t i = 0; i < model->n_symbols; i++) {
		free(model->symbols[i]);
	}
	desc_build_free(model->build);
	free(model->vector);
	munmap(model->image, model->image_size);
	free(model);
	return NULL;
}

bool model_has(const struct model *model, const char *name)
{
	for (uint32_t i = 0; i < model->n_symbols; i++) {
		if (strcmp(model->symbols[i]->name, name) == 0) {
			return true;
		}
	}
	return false;
}

struct model_symbol *model_symbol_find(const struct model *model, const char *name)
{
	for (uint32_t i = 0; i < model->n_symbols; i++) {
		if (strcmp(model->symbols[i]->name, name) == 0) {
			return model->symbols[i];
		}
	}
	fprintf(stderr, "model: no symbol %s\n", name);
	abort();
}

struct model_symbol *model_symbol_at(struct model *model, uint32_t i, uint32_t *ret_n)
{
	*ret_n = model->n_symbols;
	return i < model->n_symbols ? model->symbols[i] : NULL;
}

void model_bind(struct model *model, const char *name, void *addr)
{
	model_symbol_find(model, name)->bound = addr;
}
