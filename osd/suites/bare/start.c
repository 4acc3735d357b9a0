/*
 * Start code and printing of bare programs. Nothing here allocates or keeps state but the
 * start block and the gate's address.
 */
#include "osd/suites/bare/bare.h"

#include <stdarg.h>

#include "proto/image/image.h"

vaddr_t sys_gate;
const struct start_info *bare_start;

/* The kernel enters with the start block in rdi and the stack pointer at the stack's end. */
__attribute__((naked, used, section(".text.start"))) void _start(void)
{
	__asm__("xorl %ebp, %ebp\n\t"
	        "andq $-16, %rsp\n\t"
	        "call bare_enter\n\t"
	        "ud2");
}

__attribute__((used)) _Noreturn void bare_enter(const struct start_info *start)
{
	bare_start = start;
	sys_gate = start->gate;
	sys_exit(bare_main());
}

struct out {
	char *at, *end;
};

static void out_char(struct out *out, char c)
{
	if (out->at < out->end) {
		*out->at++ = c;
	}
}

static void out_number(struct out *out, uint64_t value, unsigned int base)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n > 0) {
		out_char(out, digits[--n]);
	}
}

static void out_signed(struct out *out, int64_t value)
{
	if (value < 0) {
		out_char(out, '-');
	}
	out_number(out, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

static void out_conversion(struct out *out, char kind, va_list *args)
{
	switch (kind) {
	case 's':
		for (const char *s = va_arg(*args, const char *); *s; s++) {
			out_char(out, *s);
		}
		break;
	case 'd':
		out_signed(out, va_arg(*args, int64_t));
		break;
	case 'u':
		out_number(out, va_arg(*args, uint64_t), 10);
		break;
	case 'x':
		out_char(out, '0');
		out_char(out, 'x');
		out_number(out, va_arg(*args, uint64_t), 16);
		break;
	default:
		out_char(out, kind);
	}
}

static size_t out_format(char *text, size_t size, const char *format, va_list *args)
{
	struct out out = {text, text + size - 1};

	for (; *format; format++) {
		if (*format == '%' && format[1]) {
			out_conversion(&out, *++format, args);
		} else {
			out_char(&out, *format);
		}
	}
	*out.at = '\0';
	return (size_t)(out.at - text);
}

size_t bare_format(char *out, size_t size, const char *format, ...)
{
	va_list args;
	size_t n;

	va_start(args, format);
	n = out_format(out, size, format, &args);
	va_end(args);
	return n;
}

void bare_print(const char *format, ...)
{
	char line[250];
	va_list args;
	size_t n;

	va_start(args, format);
	n = out_format(line, sizeof(line), format, &args);
	va_end(args);
	(void)sys_log_write(line, n);
}

_Noreturn void bare_die(const char *what, int64_t value)
{
	bare_print("Bail out! %s: %d", what, value);
	(void)sys_machine_off(3);
	for (;;) {
		(void)sys_exit(3);
	}
}

uint64_t bare_option(const char *key, uint64_t fallback)
{
	const struct boot_header *boot = (const void *)bare_start->boot_image;
	uint64_t value = 0;
	const char *at = boot->cmdline;

	for (; *at; at++) {
		size_t n = 0;

		while (key[n] && at[n] == key[n]) {
			n++;
		}
		if (!key[n] && at[n] == '=' && (at == boot->cmdline || at[-1] == ' ')) {
			for (at += n + 1; *at >= '0' && *at <= '9'; at++) {
				value = value * 10 + (uint64_t)(*at - '0');
			}
			return value;
		}
	}
	return fallback;
}

/* The compiler may call these. */
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
	return ret;
}

void *memset(void *to, int c, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return ret;
}
