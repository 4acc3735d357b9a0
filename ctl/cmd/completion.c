/*
 * completion: scripts by which bash, zsh and fish complete command lines of luctl. A script only hands the words over to
 * `luctl __complete` and takes its lines, so that it stays right when luctl gets another command: what is known is in
 * ctl/cmdline/complete.c, and names of machines, services, releases and jobs come from lud, which answers from memory.
 * A lud that is not there completes no names, and nobody is told while he types.
 */
#include "ctl/cmd/completion.h"

#include <string.h>
#include <unistd.h>

#include "ctl/base/answer.h"
#include "ctl/client/client.h"
#include "ctl/client/target.h"
#include "ctl/client/wait.h"
#include "ctl/cmd/cmd.h"
#include "ctl/cmdline/complete.h"

/* How long a shell may be kept waiting for a name. */
#define COMPLETION_WAIT_MSEC 1000u

/* A shell, and how it asks. Where nothing comes back each completes files by itself. */
static const struct {
	const char *shell;
	const char *script;
} completion_scripts[] = {
        {"bash", "# luctl: eval \"$(luctl completion bash)\"\n"
                 "_luctl()\n"
                 "{\n"
                 "\tlocal IFS=$'\\n'\n"
                 "\tCOMPREPLY=($(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
                 "2>/dev/null))\n"
                 "}\n"
                 "complete -o default -F _luctl luctl\n"},
        {"zsh", "#compdef luctl\n"
                "# luctl: eval \"$(luctl completion zsh)\", behind compinit\n"
                "_luctl()\n"
                "{\n"
                "\tlocal -a found\n"
                "\tfound=(${(f)\"$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" "
                "2>/dev/null)\"})\n"
                "\tif (( $#found )); then\n"
                "\t\tcompadd -a found\n"
                "\telse\n"
                "\t\t_files\n"
                "\tfi\n"
                "}\n"
                "compdef _luctl luctl\n"},
        {"fish", "# luctl: luctl completion fish | source\n"
                 "function __luctl_complete\n"
                 "\tset -l words (commandline -opc)\n"
                 "\t$words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null\n"
                 "end\n"
                 "complete -c luctl -a '(__luctl_complete)'\n"},
};

/* Only prints: where a script goes is the person's, and the manual says where. */
int cmd_completion(const struct options *options)
{
	for (size_t i = 0; i < sizeof(completion_scripts) / sizeof(completion_scripts[0]); i++) {
		if (strcmp(options->args[0], completion_scripts[i].shell) != 0) {
			continue;
		}
		if (options->json) {
			answer_add(json_pack("{s:s, s:s}", "shell", completion_scripts[i].shell,
			        "script", completion_scripts[i].script));
		} else {
			fputs(completion_scripts[i].script, stdout);
		}
		return CTL_OK;
	}
	return ctl_fail(CTL_USAGE, "completion", "give bash, zsh or fish",
	        "`%s` is no shell that luctl knows", options->args[0]);
}

/* The kinds of the protocol, by those of the command line; files are the shell's. */
static const char *completion_kind(enum complete_kind kind)
{
	static const char *const names[_COMPLETE_KIND_N] = {
	        [COMPLETE_MACHINES] = "machine",
	        [COMPLETE_SERVICES] = "service",
	        [COMPLETE_RELEASES] = "release",
	        [COMPLETE_JOBS] = "job",
	};

	return names[kind];
}

/* Names that begin with what is typed, as lud has them. */
static void completion_ask(const struct complete *what, const char *typed)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__NamesRequest names = CONTROL__NAMES_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	struct options options;

	cmdline_init(&options);
	names.kind = (char *)completion_kind(what->kind);
	names.machine = (char *)what->machine;
	names.service = (char *)what->service;
	request.body_case = CONTROL__REQUEST__BODY_NAMES;
	request.names = &names;
	wait_limit(COMPLETION_WAIT_MSEC);
	options.socket = what->socket;
	options.host = what->host;
	if (target_choose(&options) != CTL_OK || client_open(what->socket, &client) != CTL_OK ||
	        client_call(client, &request, NULL, NULL, &reply) != CTL_OK) {
		return;
	}
	for (size_t i = 0; i < reply->names->n_names; i++) {
		if (!strncmp(reply->names->names[i], typed, strlen(typed))) {
			puts(reply->names->names[i]);
		}
	}
}

/* Of both files, as far as they can be read. */
static void completion_hosts(const char *typed)
{
	struct hosts hosts = {0};

	(void)hosts_read(&hosts);
	for (size_t i = 0; i < hosts.n_entries; i++) {
		if (!strncmp(hosts.entries[i].name, typed, strlen(typed))) {
			puts(hosts.entries[i].name);
		}
	}
	if (!strncmp(HOSTS_LOCAL, typed, strlen(typed))) {
		puts(HOSTS_LOCAL);
	}
	hosts_fini(&hosts);
}

int completion_answer(const struct verb *verbs, size_t n_verbs, int n, char **words)
{
	struct complete what;

	/* Complaints would land in the middle of what somebody types. */
	if (n < 1 || !freopen("/dev/null", "w", stderr)) {
		return CTL_OK;
	}
	complete_words(verbs, n_verbs, n, words, stdout, &what);
	if (what.kind == COMPLETE_HOSTS) {
		completion_hosts(words[n - 1]);
	} else if (completion_kind(what.kind)) {
		completion_ask(&what, words[n - 1]);
	}
	return CTL_OK;
}
