/*
 * Reads the command line by the rows of ctl/cmdline/commands.def. A command's row names the options
 * it takes, so an option that means nothing there is rejected, as is one that is given twice: the
 * second would win in silence. Values are checked here by their kind, and nothing else is: what a
 * name or a path means is for the command to find out.
 *
 * The usage is made from the same rows. Options of scope COMMON are left out there; the first line
 * of `luctl --help` has them.
 */
#include "ctl/cmdline/cmdline.h"

#include <getopt.h>
#include <string.h>

#include "ctl/base/base.h"
#include "ctl/base/text.h"

#define CMDLINE_COLUMNS 100u
#define CMDLINE_INDENT 17u /* of the usage, behind the names of commands; a space follows */
/* What getopt returns for the n-th row; above all letters. */
#define CMDLINE_ROW(n) (256 + (int)(n))

/* As in commands.def; a kind decides the type of the field and what is a valid value. */
enum option_kind {
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_FIELD,
	OPTION_NUMBER,
	OPTION_DURATION,
	OPTION_WAIT,
	_OPTION_KIND_N
};

/* COMMON: almost all commands take it, so only the first line of `luctl --help` shows it. */
enum option_scope { OPTION_COMMON, OPTION_OWN, _OPTION_SCOPE_N };

/* A row of OPTION, with the place of its value. */
struct option_row {
	const char *name;
	char letter;
	enum option_kind kind;
	size_t offset; /* of its field in struct options */
	enum option_scope scope;
	const char *argument;
	const char *help;
};

/* All options, in the order of --help. getopt_long() gets a copy in its own form. */
static const struct option_row cmdline_rows[] = {
#define OPTION(name, letter, kind, field, scope, argument, help)                                   \
	{name, letter, OPTION_##kind, offsetof(struct options, field), OPTION_##scope, argument,   \
	        help},
#include "ctl/cmdline/commands.def"
};
#define CMDLINE_N_ROWS (sizeof(cmdline_rows) / sizeof(cmdline_rows[0]))

/* Is the word one of the words in a list? */
static bool cmdline_is_listed(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, " ");

		if (n == len && !strncmp(list, word, n)) {
			return true;
		}
		list += n + strspn(list + n, " ");
	}
	return false;
}

bool cmdline_takes(const struct verb *verb, const char *option)
{
	return !strcmp(option, "help") || !strcmp(option, "json") || !strcmp(option, "color") ||
	       cmdline_is_listed(verb->options, option);
}

/*
 * The row of an option by its name, which ends at a space or at the end of the string: names
 * are looked up in lists, too.
 */
static const struct option_row *cmdline_row(const char *name)
{
	size_t len = strcspn(name, " ");

	for (size_t i = 0; i < CMDLINE_N_ROWS; i++) {
		if (strlen(cmdline_rows[i].name) == len &&
		        !strncmp(cmdline_rows[i].name, name, len)) {
			return &cmdline_rows[i];
		}
	}
	return NULL;
}

bool cmdline_has_option(const char *name)
{
	return cmdline_row(name) != NULL;
}

bool cmdline_has_value(const char *option)
{
	const struct option_row *row = cmdline_row(option);

	return row && row->kind != OPTION_FLAG && row->kind != OPTION_WAIT;
}

void cmdline_init(struct options *ret_options)
{
	memset(ret_options, 0, sizeof(*ret_options));
	for (size_t i = 0; i < CMDLINE_N_ROWS; i++) {
		if (cmdline_rows[i].kind == OPTION_FIELD) {
			*(const char **)((char *)ret_options + cmdline_rows[i].offset) = "";
		}
	}
}

/*
 * How many words of argv the command's name takes; 0: it is another one. Of a name of two words
 * both must be there: the first alone names no command.
 */
static int cmdline_match(const struct verb *verb, int argc, char **argv)
{
	const char *space = strchr(verb->name, ' ');
	size_t first = space ? (size_t)(space - verb->name) : strlen(verb->name);

	if (argc < 2 || strlen(argv[1]) != first || strncmp(argv[1], verb->name, first) != 0) {
		return 0;
	}
	if (!space) {
		return 1;
	}
	return argc > 2 && !strcmp(argv[2], space + 1) ? 2 : 0;
}

const struct verb *cmdline_find(
        const struct verb *verbs, size_t n_verbs, int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < n_verbs; i++) {
		int words = cmdline_match(&verbs[i], argc, argv);

		if (words) {
			*ret_words = words;
			return &verbs[i];
		}
	}
	return NULL;
}

/* A line that wraps: pieces that are not cut, each behind a space. */
struct cmdline_line {
	FILE *to;
	size_t used;
	size_t indent;
};

/* Print a piece and a space before it, on a new line when this one is full. */
static void cmdline_put(struct cmdline_line *line, const char *piece)
{
	size_t len = strlen(piece);

	if (!len) {
		return;
	}
	if (line->used + 1 + len > CMDLINE_COLUMNS) {
		fprintf(line->to, "\n%*s", (int)line->indent, "");
		line->used = line->indent;
	}
	fprintf(line->to, " %s", piece);
	line->used += 1 + len;
}

/* Arguments and own options of a command, behind what the line has. */
static void cmdline_put_usage(struct cmdline_line *line, const struct verb *verb)
{
	char piece[64];

	cmdline_put(line, verb->args);
	for (const char *at = verb->options; *at; at += strspn(at, " ")) {
		const struct option_row *row = cmdline_row(at);

		if (row && row->scope == OPTION_OWN) {
			snprintf(piece, sizeof(piece),
			        row->kind == OPTION_WAIT ? "[--%s%s[=%s]]" : "[--%s%s%s]",
			        row->name, *row->argument && row->kind != OPTION_WAIT ? " " : "",
			        row->argument);
			cmdline_put(line, piece);
		}
		at += strcspn(at, " ");
	}
	fputc('\n', line->to);
}

/* "usage: luctl NAME ARGUMENTS [OPTIONS]", for --help and for a command line that is rejected. */
static void cmdline_usage(FILE *to, const struct verb *verb)
{
	struct cmdline_line line = {to, 0, CMDLINE_INDENT};

	line.used += fprintf(to, "usage: luctl %s", verb->name);
	cmdline_put_usage(&line, verb);
}

void cmdline_help(FILE *to, const struct verb *verbs, size_t n_verbs)
{
	fputs("usage: luctl [--host NAME] COMMAND [ARGUMENTS] [--json] [--socket PATH] [--machine "
	      "NAME]\n\n",
	        to);
	for (size_t i = 0; i < n_verbs; i++) {
		struct cmdline_line line = {to, 0, CMDLINE_INDENT};

		line.used += fprintf(to, "  %-15s", verbs[i].name);
		cmdline_put_usage(&line, &verbs[i]);
		fprintf(to, "%*s %s\n", (int)CMDLINE_INDENT, "", verbs[i].summary);
	}
}

void cmdline_help_verb(FILE *to, const struct verb *verb)
{
	char name[64];

	cmdline_usage(to, verb);
	fprintf(to, "  %s\n\n", verb->summary);
	for (size_t i = 0; i < CMDLINE_N_ROWS; i++) {
		const struct option_row *row = &cmdline_rows[i];
		char letter[8] = "";

		if (!cmdline_takes(verb, row->name)) {
			continue;
		}
		if (row->letter) {
			snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		}
		snprintf(name, sizeof(name), row->kind == OPTION_WAIT ? "%s--%s[=%s]" : "%s--%s %s",
		        letter, row->name, row->argument);
		fprintf(to, "  %-24s %s\n", name, row->help);
	}
}

/* CTL_USAGE, after the usage was printed. what: for --json; NULL: it was told. */
static int cmdline_wrong(const struct verb *verb, const char *what)
{
	if (what) {
		(void)ctl_fail_as(&(struct ctl_fault){CTL_USAGE, verb->name, what,
		                          "see its usage: `--help`", "", 0},
		        true);
	}
	cmdline_usage(stderr, verb);
	fputs("luctl: `luctl --help` lists all commands\n", stderr);
	return CTL_USAGE;
}

/* CTL_USAGE, after the reason was printed. */
static int cmdline_reject(const struct option_row *row, const char *remedy, const char *why)
{
	_cleanup_(ctl_freep) char *where = ctl_format("--%s", row->name);

	return ctl_fail(CTL_USAGE, where, remedy, "%s", why);
}

/* Write the value of an option into its field. */
static int cmdline_set(const struct option_row *row, const char *value, struct options *ret)
{
	static const char *const remedies[_OPTION_KIND_N] = {
	        [OPTION_NUMBER] = "give a whole number above 0",
	        [OPTION_DURATION] = "give a time with its unit: 50ms, 5s, 2min",
	        [OPTION_WAIT] = "give a time with its unit behind `=`: --wait=5min",
	};
	void *field = (char *)ret + row->offset;
	int r = 0;

	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		break;
	case OPTION_TEXT:
	case OPTION_FIELD:
		*(const char **)field = value;
		break;
	case OPTION_NUMBER:
		r = text_number(value, field);
		break;
	case OPTION_DURATION:
		r = text_duration_msec(value, field);
		break;
	case OPTION_WAIT:
		*(uint32_t *)field = CMDLINE_WAIT_MSEC;
		r = value ? text_duration_msec(value, field) : 0;
		break;
	case _OPTION_KIND_N:
		break;
	}
	if (r < 0) {
		_cleanup_(ctl_freep) char *why = ctl_format("`%s` is not a valid value", value);

		return cmdline_reject(row, remedies[row->kind], why);
	}
	return CTL_OK;
}

/*
 * The rows in the form of getopt_long(). ret_short has room for each letter with a colon behind it,
 * and the end; getopt returns CMDLINE_ROW(i) for a long name and the letter for a short one.
 */
static void cmdline_getopt(struct option ret_long[CMDLINE_N_ROWS + 1], char *ret_short)
{
	size_t n = 0;

	for (size_t i = 0; i < CMDLINE_N_ROWS; i++) {
		const struct option_row *row = &cmdline_rows[i];
		int has_value = row->kind == OPTION_FLAG   ? no_argument
		                : row->kind == OPTION_WAIT ? optional_argument
		                                           : required_argument;

		ret_long[i] = (struct option){row->name, has_value, NULL, CMDLINE_ROW(i)};
		if (row->letter) {
			ret_short[n++] = row->letter;
			ret_short[n] = ':';
			n += has_value == required_argument;
		}
	}
	ret_long[CMDLINE_N_ROWS] = (struct option){0};
	ret_short[n] = '\0';
}

/* The row of what getopt_long() returned; NULL: it is no option, or its value is missing. */
static const struct option_row *cmdline_found(int result)
{
	for (size_t i = 0; i < CMDLINE_N_ROWS; i++) {
		if (result == CMDLINE_ROW(i) ||
		        (cmdline_rows[i].letter && result == cmdline_rows[i].letter)) {
			return &cmdline_rows[i];
		}
	}
	return NULL;
}

int cmdline_read(const struct verb *verb, int argc, char **argv, struct options *ret_options)
{
	struct option long_options[CMDLINE_N_ROWS + 1];
	char short_options[2 * CMDLINE_N_ROWS + 1];
	bool given[CMDLINE_N_ROWS] = {false};
	int result, code;

	cmdline_getopt(long_options, short_options);
	opterr = 0;
	while ((result = getopt_long(argc, argv, short_options, long_options, NULL)) >= 0) {
		const struct option_row *row = cmdline_found(result);

		if (!row || !cmdline_takes(verb, row->name)) {
			_cleanup_(ctl_freep) char *known = ctl_format("--%s", row ? row->name : "");

			/* A value may stand behind one that this command does not take. */
			(void)ctl_fail(CTL_USAGE, row ? known : argv[optind - 1], NULL,
			        "not an option of `luctl %s`", verb->name);
			return cmdline_wrong(verb, NULL);
		}
		if (given[row - cmdline_rows]) {
			return cmdline_reject(
			        row, "give every option once", "the option is given twice");
		}
		given[row - cmdline_rows] = true;
		code = cmdline_set(row, optarg, ret_options);
		if (code != CTL_OK || ret_options->help) {
			return code;
		}
	}
	ret_options->args = argv + optind;
	ret_options->n_args = argc - optind;
	return ret_options->n_args < verb->min_args || ret_options->n_args > verb->max_args
	               ? cmdline_wrong(verb, "too few or too many arguments")
	               : CTL_OK;
}
