/* The kernel's log: formatted text to the debug console. */
#include "osd/kernel/base/log.h"
#include "osd/arch/arch.h"

#define LINE_MAX 256

struct line {
	char text[LINE_MAX];
	size_t n;
};

/* One conversion, read from the format. */
struct conversion {
	uint32_t width;
	uint32_t precision; /* of strings; UINT32_MAX: none */
	bool is_zero_padded, is_left, is_long;
	char kind;
};

void log_bytes(const char *text, size_t n)
{
	arch_log_write(text, n);
}

static void log_put(struct line *line, char c)
{
	if (line->n == LINE_MAX) {
		arch_log_write(line->text, line->n);
		line->n = 0;
	}
	line->text[line->n++] = c;
}

static void log_put_padded(
        struct line *line, const struct conversion *conversion, const char *text, size_t n)
{
	size_t n_pad = n < conversion->width ? conversion->width - n : 0;

	for (size_t i = 0; i < n_pad && !conversion->is_left; i++) {
		log_put(line, conversion->is_zero_padded ? '0' : ' ');
	}
	for (size_t i = 0; i < n; i++) {
		log_put(line, text[i]);
	}
	for (size_t i = 0; i < n_pad && conversion->is_left; i++) {
		log_put(line, ' ');
	}
}

static void log_put_number(
        struct line *line, const struct conversion *conversion, uint64_t value, bool is_negative)
{
	uint32_t base = conversion->kind == 'x' || conversion->kind == 'p' ? 16 : 10;
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	if (is_negative) {
		digits[--at] = '-';
	}
	log_put_padded(line, conversion, digits + at, sizeof(digits) - at);
}

static void log_put_string(struct line *line, const struct conversion *conversion, const char *text)
{
	size_t n = 0;

	while (n < conversion->precision && text[n] != '\0') {
		n++;
	}
	log_put_padded(line, conversion, text, n);
}

static uint32_t log_number_parse(const char **format)
{
	uint32_t value = 0;

	for (; **format >= '0' && **format <= '9'; (*format)++) {
		value = value * 10 + (uint32_t)(**format - '0');
	}
	return value;
}

/* `at` is behind the percent sign; afterwards behind the conversion. */
static struct conversion log_conversion_parse(const char **at, va_list *args)
{
	struct conversion c = {.precision = UINT32_MAX};

	for (; **at == '-' || **at == '0'; (*at)++) {
		c.is_left |= **at == '-';
		c.is_zero_padded |= **at == '0';
	}
	c.width = log_number_parse(at);
	if (**at == '.') {
		(*at)++;
		if (**at == '*') {
			c.precision = (uint32_t)va_arg(*args, int);
			(*at)++;
		} else {
			c.precision = log_number_parse(at);
		}
	}
	for (; **at == 'l' || **at == 'z'; (*at)++) {
		c.is_long = true;
	}
	c.kind = **at;
	*at += c.kind != '\0';
	return c;
}

static void log_convert(struct line *line, const struct conversion *c, va_list *args)
{
	int64_t value;

	switch (c->kind) {
	case 's':
		log_put_string(line, c, va_arg(*args, const char *));
		break;
	case 'c':
		log_put(line, (char)va_arg(*args, int));
		break;
	case 'd':
		value = c->is_long ? va_arg(*args, int64_t) : va_arg(*args, int);
		log_put_number(line, c, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
		break;
	case 'u':
	case 'x':
		log_put_number(line, c,
		        c->is_long ? va_arg(*args, uint64_t) : va_arg(*args, uint32_t), false);
		break;
	case 'p':
		log_put_number(line, c, (uint64_t)va_arg(*args, void *), false);
		break;
	default:
		log_put(line, c->kind);
	}
}

void log_vprintf(const char *format, va_list *args)
{
	struct line line = {.n = 0};

	while (*format != '\0') {
		if (*format != '%') {
			log_put(&line, *format++);
			continue;
		}
		format++;
		struct conversion conversion = log_conversion_parse(&format, args);
		log_convert(&line, &conversion, args);
	}
	arch_log_write(line.text, line.n);
}

void log_printf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vprintf(format, &args);
	va_end(args);
}
