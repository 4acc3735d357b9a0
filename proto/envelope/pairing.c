/* The identity of a pairing. See pairing.h: what is hashed, and what for. */
#include "proto/envelope/pairing.h"

#include <string.h>

#include "proto/envelope/envelope_crypto.h"

#define PAIRING_LABEL "samsara pairing 1"
#define PAIRING_LABEL_SIZE 24

void envelope_pairing_id(
        const uint8_t old_state[64], const uint8_t new_state[64], uint8_t ret_id[64])
{
	uint8_t bytes[PAIRING_LABEL_SIZE + 64 + 64] = PAIRING_LABEL;

	memcpy(bytes + PAIRING_LABEL_SIZE, old_state, 64);
	memcpy(bytes + PAIRING_LABEL_SIZE + 64, new_state, 64);
	envelope_hash(bytes, sizeof(bytes), ret_id);
}
