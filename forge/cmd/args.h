#pragma once
/*
 * Command lines: "--name value" options and plain operands. Each command states
 * its options in a table; the same table makes the usage text.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORGE_USAGE 1 /* returned by a command whose command line is wrong */

struct args_option {
	const char *name;         /* without dashes */
	const char *what;         /* of the value, for the usage text */
	const char **ret_value;   /* NULL before; given twice is an error; or */
	const char ***ret_values; /* all of them, NULL-terminated, owned */
};

/*
 * Parse argv[1..]. Operands are moved to the front of argv (argv[0] being the
 * command) and counted. Return 0, or FORGE_USAGE after saying what is wrong.
 */
int args_parse(int argc, char **argv, const struct args_option *options, int *ret_n_operands);

/* Take an option without a value out of argv, wherever it stands. Was it there? */
bool args_take_flag(int *argc, char **argv, const char *flag);

/* Say what is wrong with the command line; return FORGE_USAGE. */
[[gnu::format(printf, 1, 2)]] int args_wrong(const char *fmt, ...);

/* Parse a number in C notation; `name` is the option, for the message. */
int args_number(const char *name, const char *text, uint64_t max, uint64_t *ret_value);

/* 64 bytes, a hash or an id, in hexadecimal. */
void args_hex(const uint8_t bytes[64], char ret_text[129]);
