/*
 * Parsing command lines; see args.h. Every option has a value and is written --name value;
 * options and operands may be mixed. A table of a command is short, so it is searched line by
 * line. Nothing is copied: values are argv's own strings.
 */
#include "forge/cmd/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "forge/base/mem.h"

int args_wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("luforge: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("; try luforge --help\n", stderr);
	va_end(ap);
	return FORGE_USAGE;
}

/*
 * Append to a NULL-terminated array; there are few, so it is counted each time. The array is the
 * caller's to free; its strings are argv's.
 */
static void args_push(const char ***values, const char *value)
{
	size_t n = 0;

	while (*values && (*values)[n]) {
		n++;
	}
	*values = reallocarray(*values, n + 2, sizeof(**values));
	if (!*values) {
		abort();
	}
	(*values)[n] = value;
	(*values)[n + 1] = NULL;
}

/* The row of a name, given without its dashes; NULL: the command has no such option. */
static const struct args_option *args_find(const struct args_option *options, const char *name)
{
	for (; options->name; options++) {
		if (strcmp(options->name, name) == 0) {
			return options;
		}
	}
	return NULL;
}

/*
 * Operands move to the front in their order. One that begins with -- cannot be written; "-"
 * alone is an operand.
 */
int args_parse(int argc, char **argv, const struct args_option *options, int *ret_n_operands)
{
	const struct args_option *o;
	unsigned int given = 0; /* a bit for each option of the table */
	int i, n = 0;

	for (i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) != 0) {
			argv[++n] = argv[i];
			continue;
		}
		o = args_find(options, argv[i] + 2);
		if (!o) {
			return args_wrong("%s has no option %s", argv[0], argv[i]);
		}
		if (i + 1 == argc) {
			return args_wrong("%s needs a value: %s", argv[i], o->what);
		}
		i++;
		if (o->ret_value && (given & 1u << (o - options))) {
			return args_wrong("%s is there twice", argv[i - 1]);
		}
		given |= 1u << (o - options);
		if (o->ret_value) {
			*o->ret_value = argv[i];
		} else {
			args_push(o->ret_values, argv[i]);
		}
	}
	*ret_n_operands = n;
	return 0;
}

/* What follows moves up. Flags are taken before args_parse(), which knows options with values. */
bool args_take_flag(int *argc, char **argv, const char *flag)
{
	bool was_there = false;
	int i, n = 1;

	for (i = 1; i < *argc; i++) {
		if (strcmp(argv[i], flag) == 0) {
			was_there = true;
		} else {
			argv[n++] = argv[i];
		}
	}
	*argc = n;
	return was_there;
}

/* Decimal, hexadecimal or octal, as in C. A sign is rejected: strtoull() would wrap it around. */
int args_number(const char *name, const char *text, uint64_t max, uint64_t *ret_value)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || v > max) {
		return args_wrong("--%s: '%s' is not a number up to %llu", name, text,
		        (unsigned long long)max);
	}
	*ret_value = v;
	return 0;
}

void args_hex(const uint8_t bytes[64], char ret_text[129])
{
	for (int i = 0; i < 64; i++) {
		(void)snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
	}
}
