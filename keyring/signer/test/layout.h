#pragma once
/* A flat kit of one function, and a variant of it whose payload is what the linker gives. */
#include "proto/envelope/signer.h"

/* What follows the request. */
const uint8_t *layout_flat(void);
/* Have a kit manifest name that flat kit. */
void layout_of_kit(struct kit_manifest *kit);
/* Fill in seed, lengths and hashes; ->manifest.release_id is set. */
void layout_of_variant(struct signer_variant *ask);
