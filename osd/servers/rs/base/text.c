/* Short texts; see text.h. What is too long is cut off: a text is never a reason to fail. */
#include "osd/servers/rs/base/text.h"

struct text text_init(char *bytes, size_t size)
{
	bytes[0] = '\0';
	return (struct text){.bytes = bytes, .size = size};
}

static void text_add_char(struct text *text, char c)
{
	if (text->len + 1 < text->size) {
		text->bytes[text->len++] = c;
		text->bytes[text->len] = '\0';
	}
}

void text_add(struct text *text, const char *string)
{
	while (*string != '\0') {
		text_add_char(text, *string++);
	}
}

void text_add_field(struct text *text, const char *field, size_t size)
{
	for (size_t i = 0; i < size && field[i] != '\0'; i++) {
		text_add_char(text, field[i]);
	}
}

static void text_add_number(struct text *text, uint64_t value, unsigned int base)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value > 0);
	while (n > 0) {
		text_add_char(text, digits[--n]);
	}
}

void text_add_decimal(struct text *text, int64_t value)
{
	if (value < 0) {
		text_add_char(text, '-');
	}
	text_add_number(text, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

void text_add_hex(struct text *text, uint64_t value)
{
	text_add(text, "0x");
	text_add_number(text, value, 16);
}
