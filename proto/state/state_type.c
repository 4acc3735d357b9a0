/*
 * Access to the types of a checked state description. Nothing is validated here:
 * state_desc_check() has done it, so chains of aliases end, ids exist and offsets are inside. A
 * type's record is followed by what its kind says (state_btf.h); a caller asks only what the kind
 * has: members of records, enumerators of enums, the element of arrays.
 */
#include "proto/state/state_desc.h"

#include "proto/state/priv.h"

const struct state_btf_type *state_type(const struct state_desc *desc, uint32_t id)
{
	static const struct state_btf_type void_type;

	if (id == 0) {
		return &void_type;
	}
	return (const struct state_btf_type *)(desc->types + desc->type_off[id]);
}

enum state_btf_kind state_type_kind(const struct state_desc *desc, uint32_t id)
{
	return state_btf_info_kind(state_type(desc, id)->info);
}

const char *state_type_name(const struct state_desc *desc, uint32_t id)
{
	return desc->btf_strings + state_type(desc, id)->name_off;
}

uint32_t state_type_count(const struct state_desc *desc, uint32_t id)
{
	return state_btf_info_vlen(state_type(desc, id)->info);
}

bool state_type_is_alias(enum state_btf_kind kind)
{
	return kind == STATE_BTF_TYPEDEF || kind == STATE_BTF_CONST || kind == STATE_BTF_VOLATILE ||
	       kind == STATE_BTF_RESTRICT || kind == STATE_BTF_TYPE_TAG;
}

uint32_t state_type_strip(const struct state_desc *desc, uint32_t id)
{
	while (state_type_is_alias(state_type_kind(desc, id))) {
		id = state_type(desc, id)->size_or_type;
	}
	return id;
}

const struct state_btf_array *state_type_array(const struct state_desc *desc, uint32_t id)
{
	return (const struct state_btf_array *)(state_type(desc, id) + 1);
}

uint64_t state_type_size(const struct state_desc *desc, uint32_t id)
{
	uint64_t n = 1;

	id = state_type_strip(desc, id);
	while (state_type_kind(desc, id) == STATE_BTF_ARRAY) {
		n *= state_type_array(desc, id)->nelems;
		id = state_type_strip(desc, state_type_array(desc, id)->type);
	}
	if (state_type_kind(desc, id) == STATE_BTF_PTR) {
		return n * 8;
	}
	return state_btf_kind_has_size(state_type_kind(desc, id))
	               ? n * state_type(desc, id)->size_or_type
	               : 0;
}

struct state_member state_type_member(const struct state_desc *desc, uint32_t id, uint32_t i)
{
	const struct state_btf_type *type = state_type(desc, id);
	const struct state_btf_member *member = (const void *)(type + 1);
	struct state_member ret;

	member += i;
	ret.name = desc->btf_strings + member->name_off;
	ret.type = member->type;
	ret.bit_off = member->offset;
	ret.bit_size = 0;
	if (state_btf_info_flag(type->info)) {
		ret.bit_off = member->offset & 0xffffff;
		ret.bit_size = member->offset >> 24;
	}
	return ret;
}

const char *state_type_enumerator(
        const struct state_desc *desc, uint32_t id, uint32_t i, int64_t *ret_value)
{
	const struct state_btf_type *type = state_type(desc, id);
	const struct state_btf_enum *small = (const void *)(type + 1);
	const struct state_btf_enum64 *big = (const void *)(type + 1);

	if (state_btf_info_kind(type->info) == STATE_BTF_ENUM64) {
		*ret_value = (int64_t)((uint64_t)big[i].val_hi32 << 32 | big[i].val_lo32);
		return desc->btf_strings + big[i].name_off;
	}
	*ret_value =
	        state_btf_info_flag(type->info) ? small[i].val : (int64_t)(uint32_t)small[i].val;
	return desc->btf_strings + small[i].name_off;
}

uint32_t state_type_encoding(const struct state_desc *desc, uint32_t id)
{
	const struct state_btf_type *type = state_type(desc, id);
	const uint32_t *word = (const void *)(type + 1);

	if (state_btf_info_kind(type->info) == STATE_BTF_INT) {
		return *word >> 24;
	}
	return state_btf_info_flag(type->info) ? STATE_BTF_SIGNED : 0;
}

bool state_type_step(const struct state_desc *desc, uint32_t *type, uint64_t *off)
{
	uint32_t id = state_type_strip(desc, *type);
	uint32_t n = state_type_count(desc, id);

	if (state_type_kind(desc, id) == STATE_BTF_ARRAY) {
		uint64_t size = state_type_size(desc, state_type_array(desc, id)->type);

		*type = state_type_array(desc, id)->type;
		*off = size > 0 ? *off % size : 0;
		return size > 0;
	}
	for (uint32_t i = 0; state_type_kind(desc, id) == STATE_BTF_STRUCT && i < n; i++) {
		struct state_member member = state_type_member(desc, id, i);
		uint64_t start = member.bit_off / 8;

		if (member.bit_size == 0 && *off >= start &&
		        *off - start < state_type_size(desc, member.type)) {
			*type = member.type;
			*off -= start;
			return true;
		}
	}
	return false;
}
