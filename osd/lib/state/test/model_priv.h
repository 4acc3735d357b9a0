/* A model inside: what the parser of declarations leaves to the maker of the image. */
#pragma once

#include "osd/lib/state/test/model.h"

#define MODEL_TYPES 4000
#define MODEL_SYMBOLS 400

struct model {
	struct model_type *types[MODEL_TYPES];
	uint32_t n_types;
	struct model_symbol *symbols[MODEL_SYMBOLS];
	uint32_t n_symbols;
	struct desc_build *build;
	void *desc;
	size_t desc_size;
	uint64_t *vector;
	uint8_t *image;
	size_t image_size;
	uint64_t random;
	const char *at; /* parsing */
	char token[MODEL_NAME];
	char unit[MODEL_NAME];
};
