/*
 * luctl: finds the command in one table (ctl/cmdline/commands.def), reads its options, runs it. With
 * --json an answer of lud is printed as it came, by its descriptor; only the commands that work
 * without lud write JSON of their own. Either is kept until the end (ctl/base/answer.h).
 *
 *     main_run: cmdline_find -> cmdline_read -> target_choose -> cmd_NAME -> command_call -> client_call
 *     main_end: answer_end, flush what was printed
 *
 * A command has succeeded only when its output is written: main_end() turns output that was lost
 * into an exit code, and never into success.
 */
#include <errno.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/tone.h"
#include "ctl/client/client.h"
#include "ctl/client/target.h"
#include "ctl/cmd/cmd.h"
#include "ctl/cmd/completion.h"
#include "ctl/cmdline/cmdline.h"

/*
 * All commands, in the order of `luctl --help`. The table is here and not in cmdline.c, so that the
 * parser and its test need no command.
 */
static const struct verb main_verbs[] = {
#define VERB(name, function, min, max, arguments, takes, summary)                                  \
	{name, cmd_##function, min, max, arguments, takes, summary},
#include "ctl/cmdline/commands.def"
};

#define MAIN_COLUMNS 100u
#define MAIN_N_VERBS (sizeof(main_verbs) / sizeof(main_verbs[0]))

/* Is the number of an exit code one of those in a text with blanks between? */
static bool main_is_among(const char *number, const char *codes)
{
	size_t len = strlen(number);

	for (const char *at = codes; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (n == len && !strncmp(at, number, len)) {
			return true;
		}
		at += n;
	}
	return false;
}

/* Ways to end, by their words (proto/words/exits.def), as many to a line as fit. codes: of which; NULL: of all. */
static void main_help_exits(FILE *to, const char *codes)
{
	static const struct {
		const char *number;
		const char *words;
	} exits[] = {
#define EXIT(NAME, number, word, sentence) {#number, #number " " word},
#include "proto/words/exits.def"
	};
	size_t used = (size_t)fprintf(to, "\nExit codes:");
	const char *comma = "";

	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		bool is_full = used + strlen(exits[i].words) + 3 > MAIN_COLUMNS;

		if (codes && !main_is_among(exits[i].number, codes)) {
			continue;
		}
		used = (is_full ? 0 : used) +
		       (size_t)fprintf(to, "%s%s%s", comma, is_full ? "\n" : " ", exits[i].words);
		comma = ",";
	}
	fputs(". See luctl(1).\n", to);
}

/* The exit codes of a command; NULL: it ends with those of what it runs. */
static const char *main_ends(const char *command)
{
	enum main_kind {
#define KIND(KIND, codes, what) MAIN_##KIND,
#include "ctl/cmdline/ends.def"
	};
	static const char *const codes[] = {
#define KIND(KIND, codes, what) [MAIN_##KIND] = codes,
#include "ctl/cmdline/ends.def"
	};
	static const struct {
		const char *command;
		enum main_kind kind;
	} ends[] = {
#define ENDS(command, KIND) {command, MAIN_##KIND},
#include "ctl/cmdline/ends.def"
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (!strcmp(ends[i].command, command)) {
			return codes[ends[i].kind];
		}
	}
	return NULL;
}

static void main_help(FILE *to)
{
	cmdline_help(to, main_verbs, MAIN_N_VERBS);
	main_help_exits(to, NULL);
}

/* The exit code of a command, or CTL_OUTPUT: a full disk must not look like success. */
static int main_end(int code)
{
	const char *why;
	bool lost;

	answer_end(code);
	lost = ferror(stdout) != 0;
	why = fflush(stdout) != 0 ? strerror(errno) : "it is closed";

	if (ferror(stdout) || lost) {
		(void)ctl_fail(CTL_OUTPUT, "standard output",
		        "free some space, or ask again; what the command did is not undone",
		        "the answer could not be written: %s", why);
		return code == CTL_OK ? CTL_OUTPUT : code;
	}
	return code;
}

/* Also of a command line that is wrong: its error is wanted as JSON, too. */
static bool main_wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!strcmp(argv[i], "--json")) {
			return true;
		}
	}
	return false;
}

/* Why the command works on lud's host alone; NULL: it works from anywhere. */
static const char *main_beside(const struct verb *verb)
{
	static const struct {
		const char *name, *why;
	} beside[] = {
#define BESIDE(name, why) {name, why},
#include "ctl/cmdline/commands.def"
	};

	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		if (!strcmp(beside[i].name, verb->name)) {
			return beside[i].why;
		}
	}
	return NULL;
}

/* Which lud is meant. What can be done beside lud alone is refused here, before anything is asked or written. */
static int main_choose(const struct verb *verb, const struct options *options)
{
	const char *why = main_beside(verb);
	int code;

	if (!cmdline_takes(verb, "host")) {
		return CTL_OK;
	}
	code = target_choose(options);
	return code == CTL_OK && why && !options->offline ? target_must_be_here(verb->name, why)
	                                                  : code;
}

/*
 * `luctl --host NAME COMMAND` is `luctl COMMAND --host NAME`: takes the two words out of argv. NULL: they are not there. A
 * command that asks no lud has no such option, and says so.
 */
static char *main_take_host(int *argc, char ***argv)
{
	char *host;

	if (*argc < 3 || strcmp((*argv)[1], "--host") != 0) {
		return NULL;
	}
	host = (*argv)[2];
	*argc -= 2;
	*argv += 2;
	return host;
}

/* With --host before it or behind it, not both. */
static int main_put_host(const struct verb *verb, const char *host, struct options *options)
{
	if (host && !cmdline_takes(verb, "host")) {
		return ctl_fail(CTL_USAGE, "--host", "leave --host out",
		        "`luctl %s` asks no lud: it works with what is on this host", verb->name);
	}
	if (host && *options->host) {
		return ctl_fail(
		        CTL_USAGE, "--host", "give every option once", "the option is given twice");
	}
	options->host = host ? host : options->host;
	return CTL_OK;
}

/* Whether it is the first of a command's words. */
static bool main_begins(const struct verb *verb, const char *word)
{
	size_t len = strlen(word);

	return len && !strncmp(verb->name, word, len) && verb->name[len] == ' ';
}

/* Where the first word is one of a family of commands, these are all that may have been meant. */
static int main_unknown(int argc, char *argv[])
{
	size_t n = 0;

	for (size_t i = 0; argc > 1 && i < MAIN_N_VERBS; i++) {
		if (main_begins(&main_verbs[i], argv[1])) {
			if (!n++) {
				(void)ctl_fail(CTL_USAGE, "", NULL,
				        "there is no command `%s%s%s`, but these:", argv[1],
				        argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
			}
			fprintf(stderr, "       luctl %s %s\n", main_verbs[i].name,
			        main_verbs[i].args);
		}
	}
	if (!n && argc > 1) {
		(void)ctl_fail(CTL_USAGE, "", "`luctl --help` lists all commands",
		        "there is no command `%s`", argv[1]);
	} else if (!n) {
		main_help(stderr);
	}
	return CTL_USAGE;
}

/*
 * Everything but the end: find the command, read its options, run it. Help is output, not
 * failure, so it goes to stdout; the list of commands after a wrong one goes to stderr.
 */
static int main_run(int argc, char **argv)
{
	const char *host = main_take_host(&argc, &argv);
	const struct verb *verb;
	struct options options;
	int words, code;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	                        !strcmp(argv[1], "help"))) {
		main_help(stdout);
		return CTL_OK;
	}
	if (argc > 1 && !strcmp(argv[1], "__complete")) {
		return completion_answer(main_verbs, MAIN_N_VERBS, argc - 2, argv + 2);
	}
	verb = cmdline_find(main_verbs, MAIN_N_VERBS, argc, argv, &words);
	if (main_wants_json(argc, argv)) {
		answer_begin(verb ? verb->name : "");
	}
	if (!verb) {
		return main_unknown(argc, argv);
	}
	cmdline_init(&options);
	code = cmdline_read(verb, argc - words, argv + words, &options);
	if (code != CTL_OK) {
		return code;
	}
	if (options.help) {
		cmdline_help_verb(stdout, verb);
		main_help_exits(stdout, main_ends(verb->name));
		return CTL_OK;
	}
	if (!tone_choose(options.color)) {
		return ctl_fail(CTL_USAGE, "--color", "give auto, always or never",
		        "`%s` is none of them", options.color);
	}
	if (options.json) {
		client_keep_raw();
	}
	code = main_put_host(verb, host, &options);
	if (code == CTL_OK) {
		code = main_choose(verb, &options);
	}
	return code == CTL_OK ? verb->run(&options) : code;
}

int main(int argc, char **argv)
{
	return main_end(main_run(argc, argv));
}
