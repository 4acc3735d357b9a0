/* A parsed model becomes a state description, an image and an address vector. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "osd/lib/state/test/model_priv.h"

static void emit_members(struct model *model, const struct model_type *type)
{
	for (uint32_t i = 0; i < type->n; i++) {
		const struct model_member *member = &type->members[i];
		uint32_t k = desc_build_member(model->build, member->name, member->type->id,
		        (uint32_t)member->off * 8 + member->bit, member->n_bits);

		for (unsigned n = 0; n < member->n_notes; n++) {
			desc_build_tag(
			        model->build, STATE_TAG_TYPE, type->id, k, member->notes[n].text);
		}
	}
}

static uint32_t emit_record(struct model *model, const struct model_type *type)
{
	uint32_t id;

	if (type->size == 0 && type->n == 0) {
		return desc_build_ref(model->build, STATE_BTF_FWD, type->name, 0);
	}
	id = desc_build_record(model->build, type->kind, type->name, (uint32_t)type->size);
	emit_members(model, type);
	return id;
}

static uint32_t emit_type(struct model *model, const struct model_type *type)
{
	uint32_t id;

	switch (type->kind) {
	case STATE_BTF_INT:
		return desc_build_int(
		        model->build, type->name, (uint32_t)type->size, type->encoding);
	case STATE_BTF_FLOAT:
		return desc_build_float(model->build, type->name, (uint32_t)type->size);
	case STATE_BTF_ARRAY:
		return desc_build_array(model->build, type->to->id, type->n);
	case STATE_BTF_STRUCT:
	case STATE_BTF_UNION:
		return emit_record(model, type);
	case STATE_BTF_ENUM:
		id = desc_build_enum(model->build, type->name, 4);
		for (uint32_t i = 0; i < type->n; i++) {
			desc_build_enumerator(
			        model->build, type->names[i], (int32_t)type->values[i]);
		}
		return id;
	case STATE_BTF_ENUM64:
		id = desc_build_enum64(model->build, type->name, type->encoding != 0);
		for (uint32_t i = 0; i < type->n; i++) {
			desc_build_enumerator64(
			        model->build, type->names[i], (uint64_t)type->values[i]);
		}
		return id;
	case STATE_BTF_VOID:
	case STATE_BTF_PTR:
	case STATE_BTF_FWD:
	case STATE_BTF_TYPEDEF:
	case STATE_BTF_VOLATILE:
	case STATE_BTF_CONST:
	case STATE_BTF_RESTRICT:
	case STATE_BTF_FUNC:
	case STATE_BTF_FUNC_PROTO:
	case STATE_BTF_VAR:
	case STATE_BTF_DATASEC:
	case STATE_BTF_DECL_TAG:
	case STATE_BTF_TYPE_TAG:
	case _STATE_BTF_N:
		break;
	}
	return desc_build_ref(model->build, type->kind, "", type->to != NULL ? type->to->id : 0);
}

static void emit_symbol(struct model *model, struct model_symbol *symbol)
{
	bool is_string = symbol->kind == STATE_STRING;
	uint32_t entry = desc_build_entry(model->build, symbol->kind, is_string ? "" : symbol->unit,
	        symbol->scope, symbol->name, symbol->type != NULL ? symbol->type->id : 0,
	        symbol->size);

	symbol->entry = entry;
	desc_build_entry_flags(model->build, entry, symbol->is_readonly ? STATE_ENTRY_READONLY : 0);
	for (unsigned n = 0; n < symbol->n_notes; n++) {
		desc_build_tag(model->build, STATE_TAG_ENTRY, entry, STATE_TAG_SELF,
		        symbol->notes[n].text);
	}
}

static uint64_t model_random(struct model *model, uint64_t below)
{
	model->random = model->random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (model->random >> 33) % below;
}

/* Places in a random order, gaps between them: at least one byte. */
static void image_place(struct model *model)
{
	uint64_t at = 64;

	for (uint32_t i = 0; i < model->n_symbols; i++) {
		uint32_t k = i + (uint32_t)model_random(model, model->n_symbols - i);
		struct model_symbol *symbol = model->symbols[k];

		model->symbols[k] = model->symbols[i];
		model->symbols[i] = symbol;
		symbol->addr = model->image + at;
		at = (at + symbol->size + 1 + model_random(model, 100) + 15) & ~UINT64_C(15);
		if (at > model->image_size) {
			abort();
		}
		if (symbol->kind == STATE_STRING) {
			memcpy(symbol->addr, symbol->name, symbol->size);
		}
		symbol->addr = symbol->bound != NULL ? symbol->bound : symbol->addr;
	}
}

void model_finish(struct model *model)
{
	model->image_size = UINT64_C(1) << 20;
	model->image = mmap(NULL, model->image_size, PROT_READ | PROT_WRITE,
	        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (model->image == MAP_FAILED) {
		abort();
	}
	for (uint32_t i = 0; i < model->n_types; i++) {
		uint32_t id = emit_type(model, model->types[i]);

		for (unsigned n = 0; n < model->types[i]->n_notes; n++) {
			desc_build_tag(model->build, STATE_TAG_TYPE, id, STATE_TAG_SELF,
			        model->types[i]->notes[n].text);
		}
	}
	for (uint32_t i = 0; i < model->n_symbols; i++) {
		emit_symbol(model, model->symbols[i]);
	}
	model->desc = desc_build_finish(model->build, &model->desc_size);
	image_place(model);
	model->vector = calloc(model->n_symbols, sizeof(*model->vector));
	if (model->vector == NULL) {
		abort();
	}
	for (uint32_t i = 0; i < model->n_symbols; i++) {
		uint32_t k = desc_build_index(model->build, model->symbols[i]->entry);

		model->vector[k] = (uint64_t)(uintptr_t)model->symbols[i]->addr;
	}
}

struct state_side model_side(const struct model *model)
{
	return (struct state_side){
	        .desc = model->desc,
	        .desc_size = model->desc_size,
	        .addr = model->vector,
	        .n_addr = model->n_symbols,
	};
}

uint8_t *model_image(const struct model *model, size_t *ret_size)
{
	*ret_size = model->image_size;
	return model->image;
}
