#pragma once
/* State descriptions for people. */
#include <stddef.h>
#include <stdint.h>

#include "forge/base/mem.h"
#include "proto/state/state_desc.h"

/* Append the whole description: types in C notation, then entries by kind. */
void state_print(const struct state_desc *desc, struct buf *ret_text);

/* A declaration of `name` with this type in C notation; owned by the caller. */
char *state_print_declaration(const struct state_desc *desc, uint32_t type, const char *name);
