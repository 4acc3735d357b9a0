/* A writer of state descriptions that trusts its caller; memory is never the problem here. */
#include "proto/state/test/desc_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t *data;
	size_t size;
	size_t room;
};

struct draft_entry {
	struct state_entry entry;
	uint32_t number;
};

struct desc_build {
	char service[STATE_SERVICE_MAX];
	struct bytes types;
	struct bytes type_off;
	struct bytes btf_strings;
	struct bytes strings;
	struct bytes drafts; /* struct draft_entry */
	struct bytes tags;
	struct bytes file;
	uint32_t *index; /* of the entries, by number */
	uint32_t n_types;
};

static const struct desc_build *sort_build;

static size_t bytes_add(struct bytes *bytes, const void *data, size_t size)
{
	size_t off = bytes->size;

	if (off + size > bytes->room) {
		bytes->room = (off + size) * 2;
		bytes->data = realloc(bytes->data, bytes->room);
		if (bytes->data == NULL) {
			abort();
		}
	}
	if (data == NULL) {
		memset(bytes->data + off, 0, size);
	} else {
		memcpy(bytes->data + off, data, size);
	}
	bytes->size += size;
	return off;
}

static uint32_t text_add(struct bytes *bytes, const char *text)
{
	return text[0] == 0 ? 0 : (uint32_t)bytes_add(bytes, text, strlen(text) + 1);
}

struct desc_build *desc_build_new(const char *service)
{
	struct desc_build *build = calloc(1, sizeof(*build));

	if (build == NULL) {
		abort();
	}
	snprintf(build->service, sizeof(build->service), "%s", service);
	bytes_add(&build->btf_strings, NULL, 1);
	bytes_add(&build->strings, NULL, 1);
	bytes_add(&build->type_off, NULL, sizeof(uint32_t));
	build->n_types = 1;
	return build;
}

struct desc_build *desc_build_free(struct desc_build *build)
{
	if (build == NULL) {
		return NULL;
	}
	free(build->types.data);
	free(build->type_off.data);
	free(build->btf_strings.data);
	free(build->strings.data);
	free(build->drafts.data);
	free(build->tags.data);
	free(build->file.data);
	free(build->index);
	free(build);
	return NULL;
}

static uint32_t type_add(
        struct desc_build *build, enum state_btf_kind kind, const char *name, uint32_t size_or_type)
{
	struct state_btf_type type = {
	        .name_off = text_add(&build->btf_strings, name),
	        .info = (uint32_t)kind << 24,
	        .size_or_type = size_or_type,
	};
	uint32_t off = (uint32_t)bytes_add(&build->types, &type, sizeof(type));

	bytes_add(&build->type_off, &off, sizeof(off));
	return build->n_types++;
}

static struct state_btf_type *type_get(struct desc_build *build, uint32_t id)
{
	uint32_t *off = (uint32_t *)build->type_off.data;

	return (struct state_btf_type *)(build->types.data + off[id]);
}

uint32_t desc_build_int(
        struct desc_build *build, const char *name, uint32_t size, uint32_t encoding)
{
	uint32_t id = type_add(build, STATE_BTF_INT, name, size);
	uint32_t word = encoding << 24 | size * 8;

	bytes_add(&build->types, &word, sizeof(word));
	return id;
}

uint32_t desc_build_float(struct desc_build *build, const char *name, uint32_t size)
{
	return type_add(build, STATE_BTF_FLOAT, name, size);
}

uint32_t desc_build_ref(
        struct desc_build *build, enum state_btf_kind kind, const char *name, uint32_t type)
{
	return type_add(build, kind, name, type);
}

uint32_t desc_build_array(struct desc_build *build, uint32_t type, uint32_t n)
{
	uint32_t id = type_add(build, STATE_BTF_ARRAY, "", 0);
	struct state_btf_array array = {.type = type, .index_type = type, .nelems = n};

	bytes_add(&build->types, &array, sizeof(array));
	return id;
}

uint32_t desc_build_record(
        struct desc_build *build, enum state_btf_kind kind, const char *name, uint32_t size)
{
	uint32_t id = type_add(build, kind, name, size);

	type_get(build, id)->info |= UINT32_C(1) << 31;
	return id;
}

void desc_build_retarget(struct desc_build *build, uint32_t id, uint32_t type)
{
	type_get(build, id)->size_or_type = type;
}

uint32_t desc_build_member(struct desc_build *build, const char *name, uint32_t type,
        uint32_t bit_off, uint32_t bit_size)
{
	struct state_btf_member member = {
	        .name_off = text_add(&build->btf_strings, name),
	        .type = type,
	        .offset = bit_size << 24 | bit_off,
	};

	bytes_add(&build->types, &member, sizeof(member));
	return type_get(build, build->n_types - 1)->info++ & 0xffff;
}

uint32_t desc_build_enum(struct desc_build *build, const char *name, uint32_t size)
{
	return type_add(build, STATE_BTF_ENUM, name, size);
}

void desc_build_enumerator(struct desc_build *build, const char *name, int32_t value)
{
	struct state_btf_enum enumerator = {
	        .name_off = text_add(&build->btf_strings, name),
	        .val = value,
	};

	bytes_add(&build->types, &enumerator, sizeof(enumerator));
	type_get(build, build->n_types - 1)->info++;
	if (value < 0) {
		type_get(build, build->n_types - 1)->info |= UINT32_C(1) << 31;
	}
}

uint32_t desc_build_enum64(struct desc_build *build, const char *name, bool is_signed)
{
	uint32_t id = type_add(build, STATE_BTF_ENUM64, name, 8);

	type_get(build, id)->info |= is_signed ? UINT32_C(1) << 31 : 0;
	return id;
}

void desc_build_enumerator64(struct desc_build *build, const char *name, uint64_t value)
{
	struct state_btf_enum64 enumerator = {
	        .name_off = text_add(&build->btf_strings, name),
	        .val_lo32 = (uint32_t)value,
	        .val_hi32 = (uint32_t)(value >> 32),
	};

	bytes_add(&build->types, &enumerator, sizeof(enumerator));
	type_get(build, build->n_types - 1)->info++;
}

uint32_t desc_build_entry(struct desc_build *build, enum state_entry_kind kind, const char *unit,
        const char *scope, const char *name, uint32_t type, uint64_t size)
{
	struct draft_entry draft = {
	        .entry =
	                {
	                        .kind = kind,
	                        .unit = text_add(&build->strings, unit),
	                        .scope = text_add(&build->strings, scope),
	                        .type = type,
	                        .align = kind == STATE_FUNCTION ? 0 : 16,
	                        .size = size,
	                },
	        .number = (uint32_t)(build->drafts.size / sizeof(draft)),
	};

	draft.entry.name = kind == STATE_STRING ? (uint32_t)bytes_add(&build->strings, name, size)
	                                        : text_add(&build->strings, name);
	bytes_add(&build->drafts, &draft, sizeof(draft));
	return draft.number;
}

void desc_build_entry_flags(struct desc_build *build, uint32_t entry, uint32_t flags)
{
	((struct draft_entry *)build->drafts.data)[entry].entry.flags = flags;
}

void desc_build_tag(struct desc_build *build, enum state_tag_scope scope, uint32_t owner,
        uint32_t member, const char *text)
{
	struct state_tag tag = {.scope = scope, .owner = owner, .member = member};

	tag.text = (uint32_t)bytes_add(&build->strings, STATE_TAG_PREFIX, 6);
	bytes_add(&build->strings, text, strlen(text) + 1);
	bytes_add(&build->tags, &tag, sizeof(tag));
}

static int draft_compare(const void *a, const void *b)
{
	const struct state_entry *x = &((const struct draft_entry *)a)->entry;
	const struct state_entry *y = &((const struct draft_entry *)b)->entry;
	struct state_desc desc = {.strings = (const char *)sort_build->strings.data};

	if (x->kind != y->kind) {
		return x->kind < y->kind ? -1 : 1;
	}
	return state_entry_compare(&desc, x, &desc, y);
}

static int tag_compare(const void *a, const void *b)
{
	const struct state_tag *x = a;
	const struct state_tag *y = b;

	if (x->scope != y->scope) {
		return x->scope < y->scope ? -1 : 1;
	}
	if (x->owner != y->owner) {
		return x->owner < y->owner ? -1 : 1;
	}
	return x->member == y->member ? 0 : x->member < y->member ? -1 : 1;
}

static uint32_t build_sort(struct desc_build *build)
{
	struct draft_entry *draft = (struct draft_entry *)build->drafts.data;
	struct state_tag *tag = (struct state_tag *)build->tags.data;
	size_t n = build->drafts.size / sizeof(*draft);
	size_t n_tags = build->tags.size / sizeof(*tag);

	sort_build = build;
	if (n > 0) {
		qsort(draft, n, sizeof(*draft), draft_compare);
	}
	build->index = calloc(n + 1, sizeof(*build->index));
	for (size_t i = 0; i < n; i++) {
		build->index[draft[i].number] = (uint32_t)i;
	}
	for (size_t i = 0; i < n_tags; i++) {
		tag[i].owner =
		        tag[i].scope == STATE_TAG_ENTRY ? build->index[tag[i].owner] : tag[i].owner;
	}
	if (n_tags > 0) {
		qsort(tag, n_tags, sizeof(*tag), tag_compare);
	}
	return (uint32_t)n;
}

static void part_begin(struct bytes *file, struct state_header *header, unsigned part)
{
	bytes_add(file, NULL, -file->size % 8);
	header->part[part].off = file->size;
}

static void part_add(
        struct bytes *file, struct state_header *header, unsigned part, const struct bytes *bytes)
{
	part_begin(file, header, part);
	if (bytes->size > 0) {
		bytes_add(file, bytes->data, bytes->size);
	}
	header->part[part].size = bytes->size;
}

static void btf_add(struct bytes *file, struct state_header *header, struct desc_build *build)
{
	struct state_btf_header btf = {
	        .magic = STATE_BTF_MAGIC,
	        .version = STATE_BTF_VERSION,
	        .hdr_len = sizeof(btf),
	        .type_len = (uint32_t)build->types.size,
	        .str_off = (uint32_t)build->types.size,
	        .str_len = (uint32_t)build->btf_strings.size,
	};

	part_begin(file, header, STATE_PART_BTF);
	bytes_add(file, &btf, sizeof(btf));
	if (build->types.size > 0) {
		bytes_add(file, build->types.data, build->types.size);
	}
	bytes_add(file, build->btf_strings.data, build->btf_strings.size);
	header->part[STATE_PART_BTF].size = file->size - header->part[STATE_PART_BTF].off;
}

void *desc_build_finish(struct desc_build *build, size_t *ret_size)
{
	struct state_header header = {
	        .magic = STATE_MAGIC,
	        .format = STATE_FORMAT,
	        .header_size = sizeof(header),
	        .n_entries = build_sort(build),
	};
	struct draft_entry *draft = (struct draft_entry *)build->drafts.data;

	memcpy(header.service, build->service, sizeof(header.service));
	bytes_add(&build->file, NULL, sizeof(header));
	btf_add(&build->file, &header, build);
	part_add(&build->file, &header, STATE_PART_TYPES, &build->type_off);
	part_begin(&build->file, &header, STATE_PART_ENTRIES);
	for (uint32_t i = 0; i < header.n_entries; i++) {
		bytes_add(&build->file, &draft[i].entry, sizeof(draft[i].entry));
	}
	header.part[STATE_PART_ENTRIES].size = header.n_entries * sizeof(struct state_entry);
	part_add(&build->file, &header, STATE_PART_TAGS, &build->tags);
	part_add(&build->file, &header, STATE_PART_STRINGS, &build->strings);
	header.total_size = build->file.size;
	memcpy(build->file.data, &header, sizeof(header));
	*ret_size = build->file.size;
	return build->file.data;
}

uint32_t desc_build_index(const struct desc_build *build, uint32_t entry)
{
	return build->index[entry];
}
