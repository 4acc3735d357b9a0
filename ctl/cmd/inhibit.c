/*
 * inhibit: nothing is changed for as long as a command runs. The hold is a request that lud does not answer:
 * it ends with the connection, however luctl comes to its end. A lud that goes away and comes back keeps it
 * for a while, in which it is taken again by its token.
 *
 *     ask -> held -> command runs -> it ends: the connection, too, and with it the hold
 *                      |   ^
 *     lud is gone <----'   '---- lud is there: ask again
 *
 * The command's end counts, whatever becomes of the hold: it has been begun.
 */
#include "ctl/cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/client/client.h"

#define INHIBIT_AGAIN_MSEC 300
#define INHIBIT_NO_COMMAND 127

struct inhibit {
	const struct options *options;
	char token[33];
	pid_t pid; /* of the command; 0: it was not begun */
	int ended; /* readable when it has; -1: it was not begun */
	struct client *client;
};

/* In the child. Signals are what they were before luctl was asked. */
static void inhibit_become(char **argv)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	execvp(argv[0], argv);
	(void)ctl_fail(CTL_USAGE, argv[0], "give a command after --", "it cannot be run: %s",
	        strerror(errno));
	_exit(INHIBIT_NO_COMMAND);
}

/* Ctrl-C is for the command: luctl ends when it does. */
static int inhibit_begin(struct inhibit *inhibit)
{
	fflush(NULL);
	inhibit->pid = fork();
	if (inhibit->pid == 0) {
		inhibit_become(inhibit->options->args);
	}
	inhibit->ended = inhibit->pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, inhibit->pid, 0);
	if (inhibit->ended < 0) {
		return ctl_fail(CTL_FAILED, inhibit->options->args[0], "try again",
		        "it cannot be started: %s", strerror(errno));
	}
	return CTL_OK;
}

/* lud says that it holds: now, and not before, the command begins, and from here on Ctrl-C is for it. */
static void inhibit_on_news(const Control__FromLud *from, void *arg)
{
	struct inhibit *inhibit = arg;

	if (from->body_case != CONTROL__FROM_LUD__BODY_PROGRESS || inhibit->pid) {
		return;
	}
	(void)inhibit_begin(inhibit);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	client_stop_at(inhibit->client, inhibit->ended);
}

/*
 * Asks for the hold, and waits until it is over or the command is. CTL_OK: the command is, or somebody has
 * taken the hold away.
 */
static int inhibit_hold(struct inhibit *inhibit)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__HoldRequest hold = CONTROL__HOLD_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	char *services[] = {(char *)inhibit->options->service};
	const Control__Reply *reply;
	int code = client_open(inhibit->options->socket, &client);

	if (code != CTL_OK) {
		return code;
	}
	hold.machine = (char *)inhibit->options->machine;
	hold.all = inhibit->options->all;
	hold.services = services;
	hold.n_services = *inhibit->options->service != '\0';
	hold.while_connected = true;
	request.body_case = CONTROL__REQUEST__BODY_HOLD;
	request.hold = &hold;
	request.reason = (char *)inhibit->options->reason;
	request.request_id = inhibit->token;
	inhibit->client = client;
	if (inhibit->pid) {
		signal(SIGINT, SIG_IGN);
		client_stop_at(client, inhibit->ended);
	}
	return client_call(client, &request, inhibit_on_news, inhibit, &reply);
}

/* Whether the command has ended, waited for so long. */
static bool inhibit_is_over(const struct inhibit *inhibit, int msec)
{
	struct pollfd poll_fd = {.fd = inhibit->ended, .events = POLLIN};

	return poll(&poll_fd, 1, msec) > 0;
}

/* While the command runs. Whatever is in the way of the hold, the command is not ended for it. */
static void inhibit_keep(struct inhibit *inhibit)
{
	fputs("luctl: the command goes on; the hold is taken again when lud answers\n", stderr);
	while (!inhibit_is_over(inhibit, INHIBIT_AGAIN_MSEC)) {
		if (client_can_connect(inhibit->options->socket) &&
		        inhibit_hold(inhibit) == CTL_OK) {
			return;
		}
	}
}

/*
 * 0 to 255 of the command, 128 and its number after a signal, or our own where nothing was begun. A command
 * that ends with one of our numbers looks like us: so does any that is run by another.
 */
int cmd_inhibit(const struct options *options)
{
	struct inhibit inhibit = {.options = options, .ended = -1};
	uint64_t drawn[2] = {0};
	int status, code;

	if (options->all && *options->machine) {
		return ctl_fail(CTL_USAGE, "--all", NULL,
		        "--all is about all machines; leave --machine out, or --all");
	}
	if (getrandom(drawn, sizeof(drawn), 0) != sizeof(drawn)) {
		return ctl_fail(CTL_FAILED, "inhibit", "try again", "there is no randomness");
	}
	snprintf(inhibit.token, sizeof(inhibit.token), "%016" PRIx64 "%016" PRIx64, drawn[0],
	        drawn[1]);
	code = inhibit_hold(&inhibit);
	if (inhibit.ended < 0) {
		return code == CTL_OK ? CTL_FAILED : code;
	}
	if (code != CTL_OK) {
		inhibit_keep(&inhibit);
	}
	if (!inhibit_is_over(&inhibit, 0)) {
		fputs("luctl: somebody has taken the hold away; the command goes on without it\n",
		        stderr);
	}
	while (waitpid(inhibit.pid, &status, 0) < 0 && errno == EINTR) {
	}
	close(inhibit.ended);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
