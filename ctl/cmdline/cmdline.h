#pragma once
/*
 * The command line: which command is meant, what its options say, and how it is called. Options and
 * commands are rows of ctl/cmdline/commands.def; nothing here knows one of them by name.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTION_TYPE_FLAG bool
#define OPTION_TYPE_TEXT const char *
#define OPTION_TYPE_FIELD const char *
#define OPTION_TYPE_NUMBER uint64_t
#define OPTION_TYPE_DURATION uint32_t
#define OPTION_TYPE_WAIT uint32_t

/* What --wait means alone; and how long a job is waited for where it is not given. */
#define CMDLINE_WAIT_MSEC (30u * 60 * 1000)

/*
 * What was said, one field for each row of OPTION. Strings belong to argv. A command may rely on it
 * that options which its row does not name have the value of "not given".
 */
struct options {
#define OPTION(name, letter, kind, field, scope, argument, help) OPTION_TYPE_##kind field;
#include "ctl/cmdline/commands.def"
	char **args; /* what is no option, behind the command's name */
	int n_args;
};

/* A command: a row of VERB. The rows are main.c's, since only it knows the functions. */
struct verb {
	const char *name; /* one or two words */
	int (*run)(const struct options *options);
	int min_args;
	int max_args;
	const char *args;    /* for the usage */
	const char *options; /* names with spaces between */
	const char *summary;
};

/* Nothing given: numbers 0, texts as their kind says. */
void cmdline_init(struct options *ret_options);

/* The command that argv[1], or argv[1] and argv[2], name; NULL: there is none. */
const struct verb *cmdline_find(
        const struct verb *verbs, size_t n_verbs, int argc, char **argv, int *ret_words);

/*
 * Read what stands behind a command's name (argv[0] is the name's last word). CTL_OK; or CTL_USAGE,
 * and the reason was printed: an unknown option or one of another command, an invalid or repeated
 * value, the wrong number of arguments. With ->help set, nothing behind it was checked.
 */
int cmdline_read(const struct verb *verb, int argc, char **argv, struct options *ret_options);

/* How all commands are called; how one is, with what its options mean. */
void cmdline_help(FILE *to, const struct verb *verbs, size_t n_verbs);
void cmdline_help_verb(FILE *to, const struct verb *verb);

/* Does the command take the option of this name? False also for options that do not exist. */
bool cmdline_takes(const struct verb *verb, const char *option);
/* Does the option take a value as the word behind it? False also for options that do not exist. */
bool cmdline_has_value(const char *option);
/* Is there an option of the name that stands at the beginning, up to a space or the end? */
bool cmdline_has_option(const char *name);
