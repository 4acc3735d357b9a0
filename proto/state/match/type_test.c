/* When two types of one release are the same, so that a pointer to one may lead to the other. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "proto/state/match/field.h"
#include "proto/state/test/desc_build.h"

enum type {
	I32,
	U32,
	I64,
	F32,
	F64,
	S,
	S_TWIN,
	S_OTHER_NAME,
	S_MOVED,
	S_LONGER,
	S_LESS,
	S_UNION,
	S_FORWARD,
	T,
	T_FORWARD,
	TO_VOID,
	TO_I32,
	TO_I64,
	TO_S,
	TO_S_TWIN,
	THREE,
	FOUR,
	ANY_LENGTH,
	FOUR_I64,
	TYPEDEF_S,
	_TYPE_N,
};

static uint32_t record(struct desc_build *build, enum state_btf_kind kind, const char *name,
        uint32_t size, uint32_t member)
{
	uint32_t id = desc_build_record(build, kind, name, size);

	desc_build_member(build, "a", member, 0, 0);
	return id;
}

static void types_make(struct desc_build *b, uint32_t id[])
{
	id[I32] = desc_build_int(b, "int", 4, STATE_BTF_SIGNED);
	id[U32] = desc_build_int(b, "unsigned", 4, 0);
	id[I64] = desc_build_int(b, "long", 8, STATE_BTF_SIGNED);
	id[F32] = desc_build_float(b, "float", 4);
	id[F64] = desc_build_float(b, "double", 8);
	id[S] = record(b, STATE_BTF_STRUCT, "s", 8, id[I32]);
	desc_build_member(b, "b", id[I32], 32, 0);
	id[S_TWIN] = record(b, STATE_BTF_STRUCT, "s", 8, id[I32]);
	desc_build_member(b, "b", id[I32], 32, 0);
	id[S_OTHER_NAME] = record(b, STATE_BTF_STRUCT, "s", 8, id[I32]);
	desc_build_member(b, "c", id[I32], 32, 0);
	id[S_MOVED] = record(b, STATE_BTF_STRUCT, "s", 8, id[I32]);
	desc_build_member(b, "b", id[I32], 0, 0);
	id[S_LONGER] = record(b, STATE_BTF_STRUCT, "s", 16, id[I32]);
	desc_build_member(b, "b", id[I32], 32, 0);
	id[S_LESS] = record(b, STATE_BTF_STRUCT, "s", 8, id[I32]);
	id[S_UNION] = record(b, STATE_BTF_UNION, "s", 8, id[I32]);
	desc_build_member(b, "b", id[I32], 32, 0);
	id[S_FORWARD] = desc_build_ref(b, STATE_BTF_FWD, "s", 0);
	id[T] = record(b, STATE_BTF_STRUCT, "t", 8, id[I32]);
	desc_build_member(b, "b", id[I32], 32, 0);
	id[T_FORWARD] = desc_build_ref(b, STATE_BTF_FWD, "t", 0);
	id[TO_VOID] = desc_build_ref(b, STATE_BTF_PTR, "", 0);
	id[TO_I32] = desc_build_ref(b, STATE_BTF_PTR, "", id[I32]);
	id[TO_I64] = desc_build_ref(b, STATE_BTF_PTR, "", id[I64]);
	id[TO_S] = desc_build_ref(b, STATE_BTF_PTR, "", id[S]);
	id[TO_S_TWIN] = desc_build_ref(b, STATE_BTF_PTR, "", id[S_TWIN]);
	id[THREE] = desc_build_array(b, id[I32], 3);
	id[FOUR] = desc_build_array(b, id[I32], 4);
	id[ANY_LENGTH] = desc_build_array(b, id[I32], 0);
	id[FOUR_I64] = desc_build_array(b, id[I64], 4);
	id[TYPEDEF_S] = desc_build_ref(b, STATE_BTF_TYPEDEF, "s_t", id[S_TWIN]);
}

static const struct {
	enum type x;
	enum type y;
	bool is_same;
} rows[] = {
        {I32, U32, true},
        {I32, I64, false},
        {F32, F64, false},
        {I32, F32, false},
        {S, S_TWIN, true},
        {S, TYPEDEF_S, true},
        {S, T, false},
        {S, S_OTHER_NAME, false},
        {S, S_MOVED, false},
        {S, S_LONGER, false},
        {S, S_LESS, false},
        {S, S_UNION, false},
        {S, S_FORWARD, true},
        {S, T_FORWARD, false},
        {S, I64, false},
        {TO_VOID, TO_S, true},
        {TO_I32, TO_I64, false},
        {TO_S, TO_S_TWIN, true},
        {TO_S, TO_I64, false},
        {THREE, FOUR, false},
        {ANY_LENGTH, FOUR, true},
        {FOUR, FOUR_I64, false},
        {FOUR, I32, false},
};

int main(void)
{
	struct desc_build *build = desc_build_new("match");
	uint32_t id[_TYPE_N];
	struct state_desc desc;
	size_t size;
	void *bytes;

	types_make(build, id);
	bytes = desc_build_finish(build, &size);
	assert(state_desc_check(bytes, size, &desc) == STATE_DESC_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool there = state_type_same(&desc, id[rows[i].x], id[rows[i].y], 4);
		bool back = state_type_same(&desc, id[rows[i].y], id[rows[i].x], 4);

		if (there != rows[i].is_same || back != rows[i].is_same) {
			fprintf(stderr, "row %zu: %d and %d\n", i, there, back);
			assert(false);
		}
	}
	desc_build_free(build);
	return 0;
}
