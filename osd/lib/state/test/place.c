/* Values of a model by path. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/state/test/model.h"

static struct model_place place_member(struct model_place place, const char *name)
{
	for (uint32_t i = 0; i < place.type->n; i++) {
		const struct model_member *member = &place.type->members[i];
		struct model_place inner = {
		        .type = member->type,
		        .addr = place.addr + member->off,
		        .bit = member->bit,
		        .n_bits = member->n_bits,
		};

		if (strcmp(member->name, name) == 0) {
			return inner;
		}
		if (member->name[0] == 0) {
			inner = place_member(inner, name);
			if (inner.type != NULL) {
				return inner;
			}
		}
	}
	return (struct model_place){0};
}

static struct model_place place_index(struct model_place place, uint64_t i)
{
	if (place.type->kind != STATE_BTF_ARRAY || i > place.type->n) {
		return (struct model_place){0};
	}
	place.type = place.type->to;
	place.addr += i * place.type->size;
	return place;
}

static size_t name_get(const char *path, char *name)
{
	size_t n = 0;

	while (isalnum((unsigned char)path[n]) || path[n] == '_') {
		name[n] = path[n];
		n++;
	}
	name[n] = 0;
	return n;
}

struct model_place model_walk(struct model_type *type, uint8_t *addr, const char *path)
{
	struct model_place place = {.type = type, .addr = addr};

	while (*path != 0 && place.type != NULL) {
		char name[MODEL_NAME];

		if (*path == '.') {
			path += 1 + name_get(path + 1, name);
			place = place_member(place, name);
		} else if (*path == '[') {
			place = place_index(place, strtoull(path + 1, NULL, 10));
			path = strchr(path, ']') + 1;
		} else {
			abort();
		}
	}
	return place;
}

struct model_place model_var(const struct model *model, const char *path)
{
	char name[MODEL_NAME];
	size_t n = name_get(path, name);
	struct model_symbol *symbol = model_symbol_find(model, name);
	struct model_place place = model_walk(symbol->type, symbol->addr, path + n);

	if (place.type == NULL) {
		fprintf(stderr, "model: no value %s\n", path);
		abort();
	}
	return place;
}

int64_t model_get(struct model_place place)
{
	unsigned n_bits = place.n_bits != 0 ? place.n_bits : (unsigned)place.type->size * 8;
	uint64_t value = 0;

	for (unsigned i = 0; i < n_bits; i++) {
		unsigned bit = place.bit + i;

		value |= (uint64_t)(place.addr[bit / 8] >> bit % 8 & 1) << i;
	}
	if ((place.type->encoding & STATE_BTF_SIGNED) != 0 && n_bits < 64 &&
	        (value >> (n_bits - 1) & 1) != 0) {
		value |= UINT64_MAX << n_bits;
	}
	return (int64_t)value;
}

void model_put(struct model_place place, int64_t value)
{
	unsigned n_bits = place.n_bits != 0 ? place.n_bits : (unsigned)place.type->size * 8;

	for (unsigned i = 0; i < n_bits; i++) {
		unsigned bit = place.bit + i;
		uint8_t mask = (uint8_t)(1u << bit % 8);

		place.addr[bit / 8] =
		        (uint8_t)((uint64_t)value >> i & 1 ? place.addr[bit / 8] | mask
		                                           : place.addr[bit / 8] & ~mask);
	}
}

void *model_get_pointer(struct model_place place)
{
	return (void *)(uintptr_t)model_get(place);
}

void model_put_pointer(struct model_place place, const void *value)
{
	model_put(place, (int64_t)(uintptr_t)value);
}
