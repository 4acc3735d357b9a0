#pragma once
/*
 * Bytes as hexadecimal digits. Of those that a person or another program wrote nothing but digits is taken:
 * no sign, blank or 0x, and no length but the expected one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exactly n bytes, digits in either case; false: the text is something else, and nothing is read. */
bool hex_read(const char *text, uint8_t *ret_bytes, size_t n);
/* n bytes as 2 n digits in lower case, and the end of the text. Returns ret_text. */
char *hex_write(const void *bytes, size_t n, char *ret_text);
