#pragma once
/* Time statements: made from a keyring here, or taken from a file made offline. */
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope/envelope.h"

/*
 * Fills in what is the same for all, signs with the keyring's release key and writes
 * the envelope. CTL_OK, or an exit code of what was told.
 */
int time_statement_make(const char *keys, struct time_manifest *manifest,
        uint8_t ret_envelope[ENVELOPE_SIZE_MAX], size_t *ret_size);
