#pragma once
/*
 * Bytes that a person or another program wrote as hexadecimal digits. Nothing but digits is taken:
 * no sign, blank or 0x, and no length but the expected one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exactly n bytes, digits in either case; false: the text is something else, and nothing is read. */
bool hex_read(const char *text, uint8_t *ret_bytes, size_t n);
