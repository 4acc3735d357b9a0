#pragma once
/*
 * Making a layout again: is what a variant says of its payload what kit and seed give? The signer
 * never sees the payload; its hash and length are enough.
 */
#include <stdint.h>

#include "proto/envelope/signer.h"

/*
 * kit is verified, and the release that ask->manifest names; flat: ask->flat_len bytes that nobody has
 * judged. 0 with the reason, OK or not; -ENOMEM, -EIO: it cannot be said. Nothing of the layout is left
 * behind in memory.
 */
int remake_variant(const struct kit_manifest *kit, const struct signer_variant *ask,
        const uint8_t *flat, enum envelope_reason *ret_reason);
