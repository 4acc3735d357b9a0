/*
 * The reader against descriptions of the test writer: what it finds, what it refuses, and that
 * no single changed byte of a good description makes it read outside. With an argument: writes
 * the sample to that file (a start for the fuzzer).
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/state/state_desc.h"
#include "proto/state/test/desc_build.h"

struct sample {
	struct desc_build *build;
	void *bytes;
	size_t size;
	uint32_t type_int;
	uint32_t type_node;
	uint32_t type_matrix;
	uint32_t type_color;
};

static void sample_types(struct sample *s)
{
	struct desc_build *b = s->build;
	uint32_t next = desc_build_ref(b, STATE_BTF_PTR, "", 0);
	uint32_t letter = desc_build_int(b, "char", 1, STATE_BTF_CHAR);

	s->type_int = desc_build_int(b, "int", 4, STATE_BTF_SIGNED);
	s->type_color = desc_build_enum(b, "color", 4);
	desc_build_enumerator(b, "RED", 0);
	desc_build_enumerator(b, "BLUE", -2);
	s->type_node = desc_build_record(b, STATE_BTF_STRUCT, "node", 24);
	desc_build_member(b, "next", next, 0, 0);
	desc_build_member(b, "color", s->type_color, 64, 0);
	desc_build_member(b, "bits", s->type_int, 96, 3);
	desc_build_member(b, "tail", letter, 128, 0);
	desc_build_retarget(b, next, s->type_node);
	s->type_matrix = desc_build_array(b, desc_build_array(b, s->type_node, 3), 2);
	s->type_matrix = desc_build_ref(b, STATE_BTF_TYPEDEF, "matrix_t", s->type_matrix);
}

static void sample_make(struct sample *s)
{
	struct desc_build *b = desc_build_new("sample");
	uint32_t late;

	s->build = b;
	sample_types(s);
	late = desc_build_entry(b, STATE_VARIABLE, "b.c", "", "late", s->type_matrix, 144);
	desc_build_entry(b, STATE_VARIABLE, "a.c", "f", "early", s->type_int, 4);
	desc_build_entry(b, STATE_VARIABLE, "a.c", "", "twice", s->type_int, 4);
	desc_build_entry(b, STATE_VARIABLE, "b.c", "", "twice", s->type_int, 4);
	desc_build_entry(b, STATE_FUNCTION, "a.c", "", "f", 0, 99);
	desc_build_entry(b, STATE_SITE, "a.c", "f", "#0", s->type_node, 24);
	desc_build_entry(b, STATE_STRING, "", "", "zz", 0, 3);
	desc_build_entry(b, STATE_STRING, "", "", "x\0y", 0, 4);
	desc_build_entry(b, STATE_STRING, "", "", "zz", 0, 3);
	desc_build_entry(b, STATE_LIBRARY, "libc.a", "", "malloc", 0, 700);
	desc_build_tag(b, STATE_TAG_ENTRY, late, STATE_TAG_SELF, "version=3");
	desc_build_tag(b, STATE_TAG_TYPE, s->type_node, 1, "when=RED");
	desc_build_tag(b, STATE_TAG_TYPE, s->type_node, 1, "skip");
	desc_build_tag(b, STATE_TAG_TYPE, s->type_node, 1, "when=BLUE");
	s->bytes = desc_build_finish(b, &s->size);
}

static void test_find(const struct sample *s, const struct state_desc *desc)
{
	uint32_t n;
	uint32_t i = state_desc_find(desc, STATE_VARIABLE, "b.c", "", "late");

	assert(i == desc_build_index(s->build, 0) && desc->entries[i].type == s->type_matrix);
	assert(strcmp(state_desc_tag(desc, STATE_TAG_ENTRY, i, STATE_TAG_SELF, "version", 0),
	               "3") == 0);
	assert(state_desc_find(desc, STATE_VARIABLE, "b.c", "", "lat") == UINT32_MAX);
	assert(state_desc_find(desc, STATE_LIBRARY, "libc.a", "", "malloc") != UINT32_MAX);
	assert(state_desc_find_global(desc, "late", &n) && n == i);
	assert(state_desc_find_global(desc, "early", &n) && n == UINT32_MAX); /* a function's */
	assert(state_desc_find_global(desc, "f", &n) && n == UINT32_MAX);
	assert(!state_desc_find_global(desc, "twice", &n));
	i = state_desc_kind_first(desc, STATE_STRING, &n);
	assert(n == 3 && desc->entries[i].size == 3 && desc->entries[i + 2].size == 4);
}

static void test_tags(const struct sample *s, const struct state_desc *desc)
{
	uint32_t id = s->type_node;

	assert(strcmp(state_desc_tag(desc, STATE_TAG_TYPE, id, 1, "skip", 0), "") == 0);
	assert(state_desc_tag(desc, STATE_TAG_TYPE, id, 1, "when", 1) != NULL);
	assert(state_desc_tag(desc, STATE_TAG_TYPE, id, 1, "when", 2) == NULL);
	assert(state_desc_tag(desc, STATE_TAG_TYPE, id, 1, "whe", 0) == NULL);
	assert(state_desc_tag(desc, STATE_TAG_TYPE, id, 2, "skip", 0) == NULL);
}

static void test_types(const struct sample *s, const struct state_desc *desc)
{
	struct state_member member;
	int64_t value;

	assert(state_type_size(desc, s->type_matrix) == 144);
	assert(state_type_kind(desc, state_type_strip(desc, s->type_matrix)) == STATE_BTF_ARRAY);
	member = state_type_member(desc, s->type_node, 2);
	assert(strcmp(member.name, "bits") == 0 && member.bit_off == 96 && member.bit_size == 3);
	assert(strcmp(state_type_enumerator(desc, s->type_color, 1, &value), "BLUE") == 0);
	assert(value == -2 && state_type_count(desc, s->type_color) == 2);
	assert(state_type_encoding(desc, s->type_int) == STATE_BTF_SIGNED);
	assert(state_type_size(desc, 0) == 0);
}

/* Every byte, changed to several values, and every length: no crash, and rarely accepted. */
static void test_changes(const struct sample *s)
{
	static const uint8_t flip[] = {0x01, 0x10, 0x80, 0xff};
	uint8_t *copy = malloc(s->size);
	struct state_desc desc;

	assert(copy != NULL);
	for (size_t i = 0; i < s->size; i++) {
		for (size_t k = 0; k < sizeof(flip); k++) {
			memcpy(copy, s->bytes, s->size);
			copy[i] ^= flip[k];
			(void)state_desc_check(copy, s->size, &desc);
		}
	}
	free(copy);
	for (size_t size = 0; size < s->size; size++) {
		copy = malloc(size + 1);
		memcpy(copy, s->bytes, size);
		assert(state_desc_check(copy, size, &desc) != STATE_DESC_OK);
		free(copy);
	}
}

/* One number of the file changed, and the error that must follow. */
static void refuse(const struct sample *s, size_t off, uint32_t value, enum state_desc_error error)
{
	uint8_t *copy = malloc(s->size);
	struct state_desc desc;

	memcpy(copy, s->bytes, s->size);
	memcpy(copy + off, &value, sizeof(value));
	assert(state_desc_check(copy, s->size, &desc) == error);
	assert(state_desc_error_text(error) != NULL);
	free(copy);
}

static void test_refusals(const struct sample *s)
{
	const struct state_header *header = s->bytes;
	size_t entry = header->part[STATE_PART_ENTRIES].off;
	size_t tag = header->part[STATE_PART_TAGS].off;
	size_t btf = header->part[STATE_PART_BTF].off;
	size_t strings = header->part[STATE_PART_STRINGS].off;
	size_t types = btf + sizeof(struct state_btf_header);

	refuse(s, 0, 0, STATE_DESC_E_HEADER);
	refuse(s, offsetof(struct state_header, format), 2, STATE_DESC_E_HEADER);
	refuse(s, offsetof(struct state_header, n_entries), 7, STATE_DESC_E_ENTRY);
	refuse(s, offsetof(struct state_header, part[1].off), 8, STATE_DESC_E_PART);
	refuse(s, offsetof(struct state_header, part[2].size), 41, STATE_DESC_E_PART);
	refuse(s, strings, 1, STATE_DESC_E_STRINGS);
	refuse(s, btf, 0, STATE_DESC_E_BTF);
	refuse(s, types + 8, 999, STATE_DESC_E_TYPE);
	refuse(s, entry + offsetof(struct state_entry, kind), 9, STATE_DESC_E_ENTRY);
	refuse(s, entry + offsetof(struct state_entry, type), 0, STATE_DESC_E_ENTRY);
	refuse(s, entry + offsetof(struct state_entry, size), 3, STATE_DESC_E_ENTRY);
	refuse(s, entry + offsetof(struct state_entry, align), 3, STATE_DESC_E_ENTRY);
	refuse(s, tag + offsetof(struct state_tag, owner), 999, STATE_DESC_E_TAG);
	refuse(s, tag + offsetof(struct state_tag, member), 4, STATE_DESC_E_TAG);
	refuse(s, tag + offsetof(struct state_tag, text), 1, STATE_DESC_E_TAG);
}

int main(int argc, char **argv)
{
	struct sample s;
	struct state_desc desc;

	sample_make(&s);
	if (argc > 1) {
		FILE *file = fopen(argv[1], "wb");

		assert(file != NULL && fwrite(s.bytes, s.size, 1, file) == 1 && fclose(file) == 0);
	}
	assert(state_desc_check(s.bytes, s.size, &desc) == STATE_DESC_OK);
	test_find(&s, &desc);
	test_tags(&s, &desc);
	test_types(&s, &desc);
	test_refusals(&s);
	test_changes(&s);
	desc_build_free(s.build);
	return 0;
}
