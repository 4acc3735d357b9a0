/*
 * luctl: finds the command in one table, reads its options, runs it. A command's row lists the
 * letters of the options it takes, so an option that means nothing there is refused, as is one
 * that is given twice. With --json an answer of lud is printed as it came, by its descriptor;
 * only the commands that work without lud write JSON of their own.
 *
 * What was said counts only once it is written: main_end() turns output that was lost into an
 * exit code, and never into success.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/place.h"
#include "ctl/text.h"

/* Options by letter; a command's row lists those it takes. */
static const struct option main_options[] = {
        {"json", no_argument, NULL, 'j'},
        {"socket", required_argument, NULL, 'S'},
        {"machine", required_argument, NULL, 'm'},
        {"release", required_argument, NULL, 'r'},
        {"prepare-only", no_argument, NULL, 'p'},
        {"state", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'},
        {"hold", required_argument, NULL, 'H'},
        {"detach", no_argument, NULL, 'd'},
        {"to", required_argument, NULL, 'T'},
        {"all", no_argument, NULL, 'a'},
        {"limit", required_argument, NULL, 'n'},
        {"attach", required_argument, NULL, 'A'},
        {"force", no_argument, NULL, 'F'},
        {"keys", required_argument, NULL, 'k'},
        {"previous", required_argument, NULL, 'P'},
        {"follow", no_argument, NULL, 'f'},
        {"accept-loss", no_argument, NULL, 'L'},
        {"file", required_argument, NULL, 'i'},
        {"at", required_argument, NULL, 'w'},
        {"replace", required_argument, NULL, 'R'},
        {"help", no_argument, NULL, 'h'},
        {0},
};

struct command {
	const char *name; /* one or two words */
	int (*run)(const struct options *options);
	const char *takes; /* letters of main_options, beside -jh */
	int min_args;
	int max_args;
	const char *usage;
	const char *summary;
};

static const struct command commands[] = {
        {"status", cmd_status, "Sm", 0, 0, "", "what the machine runs"},
        {"update", cmd_update, "SmrpstHdLk", 1, 1,
                "SERVICE [--release R] [--prepare-only] [--state S] [--timeout D] [--hold D]\n"
                "                 [--accept-loss]",
                "replace a running service by a fresh variant of a release"},
        {"rollback", cmd_rollback, "SmsTtdLk", 1, 1,
                "SERVICE [--to GEN] [--state S] [--timeout D] [--accept-loss]",
                "live update to the release before, state kept"},
        {"rerandomize", cmd_rerandomize, "Smatd", 0, 64, "SERVICE... | --all [--timeout D]",
                "move running services to fresh layouts"},
        {"history", cmd_history, "Smn", 0, 1, "[SERVICE] [--limit N]", "generations, newest first"},
        {"jobs", cmd_jobs, "Smn", 0, 1, "[SERVICE] [--limit N]",
                "what was asked for and what became of it, newest first"},
        {"show", cmd_show, "Sm", 1, 2, "SERVICE GEN | SERVICE:GEN",
                "everything about one generation"},
        {"machine list", cmd_machine_list, "S", 0, 0, "", "machines that lud knows"},
        {"machine start", cmd_machine_start, "SA", 0, 1, "[NAME] [--attach SOCKET]",
                "start a machine, or attach to a running one"},
        {"restart", cmd_restart, "Smk", 1, 1, "SERVICE [--keys DIR]",
                "start a service afresh; its state is lost (control key)"},
        {"machine stop", cmd_machine_stop, "SFk", 0, 1, "[NAME] [--force] [--keys DIR]",
                "end a machine, or detach an attached one, which runs on"},
        {"machine default", cmd_machine_default, "S", 1, 1, "NAME",
                "the machine that is meant when none is named"},
        {"machine remove", cmd_machine_remove, "S", 1, 1, "NAME",
                "forget a machine that does not run; its history stays"},
        {"machine time", cmd_machine_time, "Ski", 0, 1, "[NAME] [--keys DIR | --file STATEMENT]",
                "set a machine's time by a signed statement (release key)"},
        {"release sign", cmd_release_sign, "kP", 1, 64, "KIT... [--keys DIR] [--previous KIT|DIR]",
                "sign release kits and show what they may do (offline)"},
        {"release add", cmd_release_add, "S", 1, 64, "KIT...", "register signed kits with lud"},
        {"release list", cmd_release_list, "S", 0, 1, "[SERVICE]", "registered releases"},
        {"release unblock", cmd_release_unblock, "S", 2, 2, "SERVICE R",
                "let plain updates take a release that was rolled back"},
        {"keys init", cmd_keys_init, "k", 0, 0, "[--keys DIR]",
                "make all keys and the first signed root (offline)"},
        {"keys renew", cmd_keys_renew, "kR", 0, 0, "[--keys DIR] [--replace ROLE,...]",
                "sign the next root, with the keys that are here (offline)"},
        {"keys unseal", cmd_keys_unseal, "k", 2, 2, "COMMITMENT SEALED [--keys DIR]",
                "open a layout seed of `luctl show` with the audit key (offline)"},
        {"keys time", cmd_keys_time, "kw", 3, 3, "MACHINE BOOT NONCE [--at UNIX] [--keys DIR]",
                "sign a time statement for `luctl machine time --file` (offline)"},
        {"keys list", cmd_keys_list, "k", 0, 0, "[--keys DIR]", "keys on this host (offline)"},
        {"log", cmd_log, "Smfn", 0, 0, "[-f] [--limit N]", "log lines of the machine"},
        {"version", cmd_version, "S", 0, 0, "", "versions of luctl, lud and the protocol"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void main_help(FILE *file)
{
	fputs("usage: luctl COMMAND [ARGUMENTS] [--json] [--socket PATH] [--machine NAME]\n\n",
	        file);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		fprintf(file, "  %-15s %s\n%18s%s\n", commands[i].name, commands[i].usage, "",
		        commands[i].summary);
	}
	fputs("\nExit codes: 0 done, 1 failed, 2 usage, 3 lud unreachable, 4 lud says no,\n"
	      "5 machine refused, 6 rolled back, 7 outcome unknown, 8 keys or kits unfit, "
	      "9 answer\nnot written, 130 interrupted.\n"
	      "luctl(1) tells the rest.\n",
	        file);
}

/* How many words of argv the command's name takes; 0: it is another one. */
static int main_match(const struct command *command, int argc, char **argv)
{
	const char *space = strchr(command->name, ' ');
	size_t first = space ? (size_t)(space - command->name) : strlen(command->name);

	if (argc < 2 || strlen(argv[1]) != first || strncmp(argv[1], command->name, first)) {
		return 0;
	}
	if (!space) {
		return 1;
	}
	return argc > 2 && !strcmp(argv[2], space + 1) ? 2 : 0;
}

static const struct command *main_find(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		*ret_words = main_match(&commands[i], argc, argv);
		if (*ret_words) {
			return &commands[i];
		}
	}
	return NULL;
}

static int main_bad_value(const char *option, const char *value, const char *remedy)
{
	return ctl_fail(CTL_USAGE, option, remedy, "`%s` makes no sense here", value);
}

/* One option with a number or a duration. */
static int main_quantity(struct options *ret, int letter, const char *value)
{
	static const char number[] = "give a whole number above 0";
	static const char duration[] = "give a time with its unit: 50ms, 5s, 2min";

	switch (letter) {
	case 't':
		return text_duration_msec(value, &ret->timeout_ms) < 0
		               ? main_bad_value("--timeout", value, duration)
		               : CTL_OK;
	case 'H':
		return text_duration_msec(value, &ret->hold_ms) < 0
		               ? main_bad_value("--hold", value, duration)
		               : CTL_OK;
	case 'T':
		return text_number(value, &ret->to) < 0 ? main_bad_value("--to", value, number)
		                                        : CTL_OK;
	default:
		return text_number(value, &ret->limit) < 0
		               ? main_bad_value("--limit", value, number)
		               : CTL_OK;
	}
}

static int main_option(struct options *ret, int letter, const char *value)
{
	switch (letter) {
	case 'j':
		ret->json = true;
		return CTL_OK;
	case 'S':
		ret->socket = value;
		return CTL_OK;
	case 'm':
		ret->machine = value;
		return CTL_OK;
	case 'r':
		ret->release = value;
		return CTL_OK;
	case 'p':
		ret->prepare_only = true;
		return CTL_OK;
	case 's':
		ret->state = value;
		return CTL_OK;
	case 'd':
		ret->detach = true;
		return CTL_OK;
	case 'a':
		ret->all = true;
		return CTL_OK;
	case 'A':
		ret->attach = value;
		return CTL_OK;
	case 'F':
		ret->force = true;
		return CTL_OK;
	case 'k':
		ret->keys = value;
		return CTL_OK;
	case 'P':
		ret->previous = value;
		return CTL_OK;
	case 'f':
		ret->follow = true;
		return CTL_OK;
	case 'L':
		ret->accept_loss = true;
		return CTL_OK;
	case 'i':
		ret->file = value;
		return CTL_OK;
	case 'w':
		ret->at = value;
		return CTL_OK;
	case 'R':
		ret->replace = value;
		return CTL_OK;
	default:
		return main_quantity(ret, letter, value);
	}
}

static int main_usage(const struct command *command)
{
	return ctl_fail(CTL_USAGE, command->name, "`luctl --help` lists all commands",
	        "usage: luctl %s %s", command->name, command->usage);
}

static const char *main_option_name(int letter)
{
	const struct option *option = main_options;

	while (option->name && option->val != letter) {
		option++;
	}
	return option->name ? option->name : "";
}

/* CTL_OK, CTL_USAGE, or -1 when help was asked for and given. */
static int main_parse(const struct command *command, int argc, char **argv, struct options *ret)
{
	bool given[UCHAR_MAX + 1] = {false};
	int letter, code;

	opterr = 0;
	while ((letter = getopt_long(argc, argv, "fhn:m:", main_options, NULL)) >= 0) {
		if (letter == 'h') {
			printf("usage: luctl %s %s\n  %s\n", command->name, command->usage,
			        command->summary);
			return -1;
		}
		if (letter == '?' || (letter != 'j' && !strchr(command->takes, letter))) {
			ctl_fail(CTL_USAGE, argv[optind - 1], NULL, "not an option of `luctl %s`",
			        command->name);
			return main_usage(command);
		}
		if (given[letter]) {
			return ctl_fail(CTL_USAGE, main_option_name(letter),
			        "give every option once", "is there twice");
		}
		given[letter] = true;
		code = main_option(ret, letter, optarg);
		if (code != CTL_OK) {
			return code;
		}
	}
	ret->args = argv + optind;
	ret->n_args = argc - optind;
	if (ret->n_args < command->min_args || ret->n_args > command->max_args) {
		return main_usage(command);
	}
	return CTL_OK;
}

/* The body of an answer, without its envelope. */
static void main_print_json(const Control__Reply *reply)
{
	json_t *json = json_of_message(&reply->base);
	const char *name;
	json_t *value;

	json_object_foreach(json, name, value)
	{
		if (strcmp(name, "id") != 0) {
			json_print(json_incref(value));
		}
	}
	json_decref(json);
}

int command_call(const struct options *options, Control__Request *request, client_news_fn news,
        void *arg, struct client **ret_client, const Control__Reply **ret_reply)
{
	int code = client_open(options->socket, ret_client);

	if (code == CTL_OK) {
		code = client_call(*ret_client, request, news, arg, ret_reply);
	}
	if (code == CTL_OK && options->json) {
		main_print_json(*ret_reply);
	}
	return code;
}

/* What a command said counts only once it is written: a full disk must not look like success. */
static int main_end(int code)
{
	bool lost = ferror(stdout) != 0;
	const char *why = fflush(stdout) != 0 ? strerror(errno) : "its end does not take it";

	if (ferror(stdout) || lost) {
		ctl_fail(CTL_OUTPUT, "standard output",
		        "make room where it goes, or read the answer again; what was asked for is "
		        "not undone",
		        "the answer could not be written: %s", why);
		return code == CTL_OK ? CTL_OUTPUT : code;
	}
	return code;
}

static int main_run(int argc, char **argv)
{
	struct options options = {.machine = "", .release = "", .state = ""};
	const struct command *command;
	int words, code;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
		main_help(stdout);
		return CTL_OK;
	}
	command = main_find(argc, argv, &words);
	if (!command) {
		if (argc > 1) {
			fprintf(stderr, "luctl: there is no command `%s`\n\n", argv[1]);
		}
		main_help(stderr);
		return CTL_USAGE;
	}
	code = main_parse(command, argc - words, argv + words, &options);
	if (code != CTL_OK) {
		return code < 0 ? CTL_OK : code;
	}
	if (options.json) {
		client_keep_raw();
	}
	return command->run(&options);
}

int main(int argc, char **argv)
{
	return main_end(main_run(argc, argv));
}
