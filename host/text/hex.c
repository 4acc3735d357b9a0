/*
 * Hexadecimal digits. Written out because the C library's conversions take more than digits: with
 * sscanf() "+f" and " f" are bytes, so a text that was damaged on its way would be read as another.
 */
#include "host/text/hex.h"

#include <string.h>

/* Of a digit. */
static uint8_t hex_value(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | ' ') - 'a' + 10);
}

bool hex_read(const char *text, uint8_t *ret_bytes, size_t n)
{
	if (strlen(text) != 2 * n || strspn(text, "0123456789abcdefABCDEF") != 2 * n) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		ret_bytes[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	}
	return true;
}

char *hex_write(const void *bytes, size_t n, char *ret_text)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = ((const uint8_t *)bytes)[i];

		ret_text[2 * i] = "0123456789abcdef"[byte >> 4];
		ret_text[2 * i + 1] = "0123456789abcdef"[byte & 15];
	}
	ret_text[2 * n] = '\0';
	return ret_text;
}
