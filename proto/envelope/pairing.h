#pragma once
/*
 * The identity of a pairing: this state becomes that state. Whoever consents to what it loses
 * consents to exactly these two state descriptions, in this direction; a signed order carries the
 * consent, RS compares it with the pairing of what runs and what comes.
 */
#include <stdint.h>

/* BLAKE2b-512 of "samsara pairing 1", NULs up to 24 bytes, and the hashes (kit_manifest.state_hash)
 * of the old and of the new state description. */
void envelope_pairing_id(
        const uint8_t old_state[64], const uint8_t new_state[64], uint8_t ret_id[64]);
