/*
 * Validation of the BTF part. Three passes, each leaning on the one before: records and names lie
 * inside the sections and the index matches; references lead to types that may be meant, and
 * chains of aliases and arrays end; sizes add up. A reader may then follow any id, strip any alias
 * and read any member without looking at bounds.
 *
 * Structs that contain themselves by value are not found here (their size would have to be that of
 * the inner one): whoever descends into members must limit his depth.
 */
#include "proto/state/priv.h"

/* Bytes that follow struct state_btf_type, or UINT32_MAX for kinds that have no place here. */
static uint32_t btf_tail_size(const struct state_btf_type *type)
{
	uint32_t vlen = state_btf_info_vlen(type->info);

	switch (state_btf_info_kind(type->info)) {
	case STATE_BTF_INT:
	case STATE_BTF_DECL_TAG:
		return sizeof(uint32_t);
	case STATE_BTF_ARRAY:
		return sizeof(struct state_btf_array);
	case STATE_BTF_STRUCT:
	case STATE_BTF_UNION:
		return vlen * (uint32_t)sizeof(struct state_btf_member);
	case STATE_BTF_ENUM:
		return vlen * (uint32_t)sizeof(struct state_btf_enum);
	case STATE_BTF_ENUM64:
		return vlen * (uint32_t)sizeof(struct state_btf_enum64);
	case STATE_BTF_FUNC_PROTO:
		return vlen * (uint32_t)sizeof(struct state_btf_param);
	case STATE_BTF_PTR:
	case STATE_BTF_FWD:
	case STATE_BTF_TYPEDEF:
	case STATE_BTF_VOLATILE:
	case STATE_BTF_CONST:
	case STATE_BTF_RESTRICT:
	case STATE_BTF_FUNC:
	case STATE_BTF_FLOAT:
	case STATE_BTF_TYPE_TAG:
		return 0;
	case STATE_BTF_VOID:
	case STATE_BTF_VAR:
	case STATE_BTF_DATASEC:
	case _STATE_BTF_N:
		break;
	}
	return UINT32_MAX;
}

/* Distance between the names of a type's members, enumerators or parameters; 0: it has none. */
static uint32_t btf_name_stride(enum state_btf_kind kind)
{
	if (kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION) {
		return sizeof(struct state_btf_member);
	}
	if (kind == STATE_BTF_ENUM) {
		return sizeof(struct state_btf_enum);
	}
	if (kind == STATE_BTF_ENUM64) {
		return sizeof(struct state_btf_enum64);
	}
	return kind == STATE_BTF_FUNC_PROTO ? sizeof(struct state_btf_param) : 0;
}

/* The type's name, and those of its members, enumerators or parameters. */
static bool btf_names_inside(const struct state_desc *desc, const struct state_btf_type *type)
{
	uint32_t stride = btf_name_stride(state_btf_info_kind(type->info));
	const uint8_t *tail = (const uint8_t *)(type + 1);

	if (type->name_off >= desc->btf_strings_size) {
		return false;
	}
	for (uint32_t i = 0; stride != 0 && i < state_btf_info_vlen(type->info); i++) {
		/* Every kind's record starts with its name. */
		if (*(const uint32_t *)(tail + i * stride) >= desc->btf_strings_size) {
			return false;
		}
	}
	return true;
}

/*
 * Pass one: every record is where the index says, and its names are inside. The records fill the
 * section without gaps, so an id has one meaning.
 */
static bool btf_records_check(const struct state_desc *desc)
{
	uint32_t off = 0;

	for (uint32_t id = 1; id < desc->n_types; id++) {
		const struct state_btf_type *type = (const void *)(desc->types + off);
		uint32_t tail;

		if (desc->type_off[id] != off || desc->types_size - off < sizeof(*type)) {
			return false;
		}
		tail = btf_tail_size(type);
		if (tail > desc->types_size - off - sizeof(*type) ||
		        !btf_names_inside(desc, type)) {
			return false;
		}
		off += (uint32_t)sizeof(*type) + tail;
	}
	return desc->type_off[0] == 0 && off == desc->types_size;
}

/* Can be a member, an element or a variable: all kinds that have a size. */
static bool btf_kind_is_object(enum state_btf_kind kind)
{
	return state_btf_kind_has_size(kind) || kind == STATE_BTF_PTR || kind == STATE_BTF_ARRAY;
}

/* Its alias chain has been checked to end, or this would not return. */
static bool btf_id_is_object(const struct state_desc *desc, uint32_t id)
{
	return id < desc->n_types &&
	       btf_kind_is_object(state_type_kind(desc, state_type_strip(desc, id)));
}

/* Can be what a pointer or an alias leads to: all but tags. */
static bool btf_id_is_target(const struct state_desc *desc, uint32_t id)
{
	return id < desc->n_types && state_type_kind(desc, id) != STATE_BTF_DECL_TAG;
}

/* Pass two: from a type, aliases and arrays end within STATE_TYPE_DEPTH steps. */
static bool btf_chain_check(const struct state_desc *desc, uint32_t id)
{
	for (unsigned depth = 0; depth < STATE_TYPE_DEPTH; depth++) {
		enum state_btf_kind kind = state_type_kind(desc, id);

		if (kind == STATE_BTF_ARRAY) {
			id = state_type_array(desc, id)->type;
		} else if (state_type_is_alias(kind)) {
			id = state_type(desc, id)->size_or_type;
		} else {
			return kind != STATE_BTF_DECL_TAG || depth == 0;
		}
		if (!btf_id_is_target(desc, id)) {
			return false;
		}
	}
	return false;
}

static bool btf_int_check(const struct state_desc *desc, uint32_t id)
{
	const struct state_btf_type *type = state_type(desc, id);
	uint32_t word = *(const uint32_t *)(type + 1);
	uint32_t size = type->size_or_type;
	uint32_t encoding = word >> 24;

	if (size == 0 || size > 16 || (size & (size - 1)) != 0) {
		return false;
	}
	return (word & 0xffffff) == size * 8 &&
	       (encoding & ~(STATE_BTF_SIGNED | STATE_BTF_CHAR | STATE_BTF_BOOL)) == 0 &&
	       ((encoding & STATE_BTF_BOOL) == 0 || size == 1);
}

static bool btf_enum_check(const struct state_desc *desc, uint32_t id)
{
	uint32_t size = state_type(desc, id)->size_or_type;

	return size == 1 || size == 2 || size == 4 || size == 8;
}

static bool btf_float_check(const struct state_desc *desc, uint32_t id)
{
	uint32_t size = state_type(desc, id)->size_or_type;

	return size == 2 || size == 4 || size == 8 || size == 12 || size == 16;
}

/* The whole array's size, every dimension counted, stays below 2^48. */
static bool btf_array_check(const struct state_desc *desc, uint32_t id)
{
	uint64_t n = 1;

	while (state_type_kind(desc, id) == STATE_BTF_ARRAY) {
		const struct state_btf_array *array = state_type_array(desc, id);

		if (array->index_type >= desc->n_types || n > UINT64_C(1) << 48) {
			return false;
		}
		n *= array->nelems > 0 ? array->nelems : 1;
		id = state_type_strip(desc, array->type);
	}
	return btf_id_is_object(desc, id) && n <= UINT64_C(1) << 48 &&
	       (state_type_size(desc, id) == 0 ||
	               n <= (UINT64_C(1) << 48) / state_type_size(desc, id));
}

static bool btf_member_check(const struct state_desc *desc, uint32_t id, uint32_t i)
{
	struct state_member member = state_type_member(desc, id, i);
	uint64_t bits = (uint64_t)state_type(desc, id)->size_or_type * 8;
	enum state_btf_kind kind;
	uint64_t size;

	if (!btf_id_is_object(desc, member.type)) {
		return false;
	}
	size = state_type_size(desc, member.type);
	if (member.bit_size == 0) {
		return member.bit_off % 8 == 0 && size * 8 <= bits &&
		       member.bit_off <= bits - size * 8;
	}
	kind = state_type_kind(desc, state_type_strip(desc, member.type));
	return (kind == STATE_BTF_INT || kind == STATE_BTF_ENUM || kind == STATE_BTF_ENUM64) &&
	       size <= 8 && member.bit_size <= size * 8 && member.bit_size <= bits &&
	       member.bit_off <= bits - member.bit_size;
}

static bool btf_members_check(const struct state_desc *desc, uint32_t id)
{
	for (uint32_t i = 0; i < state_type_count(desc, id); i++) {
		if (!btf_member_check(desc, id, i)) {
			return false;
		}
	}
	return true;
}

static bool btf_params_check(const struct state_desc *desc, uint32_t id)
{
	const struct state_btf_param *param = (const void *)(state_type(desc, id) + 1);

	for (uint32_t i = 0; i < state_type_count(desc, id); i++) {
		if (!btf_id_is_target(desc, param[i].type)) {
			return false;
		}
	}
	return btf_id_is_target(desc, state_type(desc, id)->size_or_type);
}

/* Pass three: the type makes sense by itself. */
static bool btf_type_check(const struct state_desc *desc, uint32_t id)
{
	switch (state_type_kind(desc, id)) {
	case STATE_BTF_INT:
		return btf_int_check(desc, id);
	case STATE_BTF_ARRAY:
		return btf_array_check(desc, id);
	case STATE_BTF_STRUCT:
	case STATE_BTF_UNION:
		return btf_members_check(desc, id);
	case STATE_BTF_ENUM:
	case STATE_BTF_ENUM64:
		return btf_enum_check(desc, id);
	case STATE_BTF_FUNC_PROTO:
		return btf_params_check(desc, id);
	case STATE_BTF_FLOAT:
		return btf_float_check(desc, id);
	case STATE_BTF_PTR:
	case STATE_BTF_FUNC:
		return btf_id_is_target(desc, state_type(desc, id)->size_or_type);
	case STATE_BTF_TYPEDEF:
	case STATE_BTF_VOLATILE:
	case STATE_BTF_CONST:
	case STATE_BTF_RESTRICT:
	case STATE_BTF_TYPE_TAG:
		/* Nothing follows it, so none can be counted: who asks whether an alias is an enum
		 * may go on to its enumerators. */
		return state_type_count(desc, id) == 0;
	case STATE_BTF_FWD:
	case STATE_BTF_DECL_TAG:
		return true;
	case STATE_BTF_VOID:
	case STATE_BTF_VAR:
	case STATE_BTF_DATASEC:
	case _STATE_BTF_N:
		break;
	}
	return false;
}

static bool btf_header_check(const struct state_btf_header *header, uint64_t size)
{
	uint64_t body = size - sizeof(*header);

	return header->magic == STATE_BTF_MAGIC && header->version == STATE_BTF_VERSION &&
	       header->hdr_len == sizeof(*header) && header->type_off % 4 == 0 &&
	       header->type_off <= body && header->type_len <= body - header->type_off &&
	       header->str_off <= body && header->str_len <= body - header->str_off &&
	       header->str_len > 0;
}

void state_btf_fill(const uint8_t *bytes, struct state_desc *desc)
{
	const struct state_btf_header *header = (const void *)bytes;

	desc->types = bytes + sizeof(*header) + header->type_off;
	desc->types_size = header->type_len;
	desc->btf_strings = (const char *)bytes + sizeof(*header) + header->str_off;
	desc->btf_strings_size = header->str_len;
}

enum state_desc_error state_btf_check(const uint8_t *bytes, uint64_t size, struct state_desc *desc)
{
	const struct state_btf_header *header = (const void *)bytes;

	if (size < sizeof(*header) || !btf_header_check(header, size)) {
		return STATE_DESC_E_BTF;
	}
	state_btf_fill(bytes, desc);
	if (desc->btf_strings[0] != 0 || desc->btf_strings[header->str_len - 1] != 0 ||
	        !btf_records_check(desc)) {
		return STATE_DESC_E_BTF;
	}
	for (uint32_t id = 1; id < desc->n_types; id++) {
		if (!btf_chain_check(desc, id)) {
			return STATE_DESC_E_TYPE;
		}
	}
	for (uint32_t id = 1; id < desc->n_types; id++) {
		if (!btf_type_check(desc, id)) {
			return STATE_DESC_E_TYPE;
		}
	}
	return STATE_DESC_OK;
}
