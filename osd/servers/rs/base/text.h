#pragma once
/* Building short texts for events and the log: bounded, always terminated, cut off when full. */
#include <stddef.h>
#include <stdint.h>

struct text {
	char *bytes;
	size_t size, len; /* len < size */
};

/* bytes: the caller's, size > 0. */
struct text text_init(char *bytes, size_t size);
void text_add(struct text *text, const char *string);
/* A field that may lack its NUL. */
void text_add_field(struct text *text, const char *field, size_t size);
void text_add_decimal(struct text *text, int64_t value);
void text_add_hex(struct text *text, uint64_t value);
