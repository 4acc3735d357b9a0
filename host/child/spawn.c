/*
 * Fork, pipes, and what the child does before it becomes its program. Our ends of the pipes do
 * not block. A child dies with lud: it asks for that and then looks whether lud is still its
 * parent, since that may have ended in between. A guarded child takes the handed-over
 * directories to fixed descriptors, closes everything else, enters the guard and runs its
 * program by a descriptor that was opened before: where the program lies, its new user need
 * not have access.
 *
 * What goes wrong in the child is a line on its stderr and exit 127; nobody else can be told.
 */
#include "host/child/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "host/child/guard.h"

/* The program's own descriptor, behind those that are handed over. */
#define CHILD_FD_PROGRAM (CHILD_FD_FIRST + CHILD_FDS)

struct child_pipes {
	int fd[3][2];
};

static void child_pipes_close(struct child_pipes *pipes)
{
	for (int i = 0; i < 3; i++) {
		fd_closep(&pipes->fd[i][0]);
		fd_closep(&pipes->fd[i][1]);
	}
}

static int child_pipes_open(struct child_pipes *pipes)
{
	for (int i = 0; i < 3; i++) {
		if (pipe2(pipes->fd[i], O_CLOEXEC) < 0) {
			return err_raise(-errno);
		}
	}
	return 0;
}

/*
 * The copies first go above all places, because a descriptor may already lie where another
 * belongs; then everything above is closed, lud's own sockets and databases included.
 */
static int child_hand_over(const struct child_guard *guard, int program)
{
	int from[CHILD_FDS + 1];

	memcpy(from, guard->fds, sizeof(guard->fds));
	from[CHILD_FDS] = program;
	for (int i = 0; i < CHILD_FDS + 1; i++) {
		from[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD, CHILD_FD_PROGRAM + 1);
	}
	if (fchdir(guard->dir) < 0) {
		return -1;
	}
	for (int i = 0; i < CHILD_FDS + 1; i++) {
		if (from[i] < 0) {
			close(CHILD_FD_FIRST + i);
		} else if (dup2(from[i], CHILD_FD_FIRST + i) < 0) {
			return -1;
		}
	}
	return close_range(CHILD_FD_PROGRAM + 1, ~0u, 0);
}

/*
 * Opens the program while lud's user still may: where it lies, others need not have
 * access. It stays open over exec, since the interpreter of a script reads it by that.
 */
static void child_exec_guarded(const char *const *argv, const struct child_guard *guard)
{
	bool by_path = !strchr(argv[0], '/');
	int program = by_path ? -1 : open(argv[0], O_RDONLY | O_CLOEXEC);
	const char *what = "open its program";

	if (!by_path && program < 0) {
		return;
	}
	if (child_hand_over(guard, program) < 0) {
		what = "take its directories";
	} else if (child_guard_enter(guard, &what) == 0) {
		if (by_path) {
			execvpe(argv[0], (char *const *)argv, child_guard_environment);
		} else {
			fexecve(CHILD_FD_PROGRAM, (char *const *)argv, child_guard_environment);
		}
		return;
	}
	dprintf(2, "%s cannot %s: %s\n", argv[0], what, strerror(errno));
	_exit(127);
}

/*
 * In the child. Never returns. Signals are as a program expects them: nothing blocked,
 * SIGPIPE ends it.
 */
static void child_exec(const char *const *argv, const struct child_guard *guard,
        struct child_pipes *pipes, pid_t parent)
{
	sigset_t none;

	/* Ours for stdin is the reading end, for stdout and stderr the writing one. */
	if (dup2(pipes->fd[0][0], 0) < 0 || dup2(pipes->fd[1][1], 1) < 0 ||
	        dup2(pipes->fd[2][1], 2) < 0) {
		_exit(127);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(127);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (guard) {
		child_exec_guarded(argv, guard);
	} else {
		execvp(argv[0], (char *const *)argv);
	}
	dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int child_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		return err_raise(-errno);
	}
	return 0;
}

/*
 * *ret_process is set on success only. The child is known by a pidfd from the start: its
 * number could be another's by the time it is used.
 */
int child_spawn(
        const char *const *argv, const struct child_guard *guard, struct child_process *ret_process)
{
	_cleanup_(child_pipes_close) struct child_pipes pipes = {{{-1, -1}, {-1, -1}, {-1, -1}}};
	struct child_process process = {.pidfd = -1};
	pid_t parent = getpid();
	int r;

	r = child_pipes_open(&pipes);
	if (!r) {
		r = child_nonblocking(pipes.fd[0][1]);
	}
	if (!r) {
		r = child_nonblocking(pipes.fd[1][0]);
	}
	if (!r) {
		r = child_nonblocking(pipes.fd[2][0]);
	}
	if (r < 0) {
		return err_up(r);
	}
	process.pid = fork();
	if (process.pid < 0) {
		return err_raise(-errno);
	}
	if (!process.pid) {
		child_exec(argv, guard, &pipes, parent);
	}
	process.pidfd = syscall(SYS_pidfd_open, process.pid, 0);
	if (process.pidfd < 0) {
		r = err_raise(-errno);
		child_process_fini(&process);
		return r;
	}
	process.input = fd_steal(&pipes.fd[0][1]);
	process.output = fd_steal(&pipes.fd[1][0]);
	process.errors = fd_steal(&pipes.fd[2][0]);
	*ret_process = process;
	return 0;
}

/* Kills what still runs and waits for it: no child outlives its handle. */
int child_process_end(struct child_process *process)
{
	int status = -1;

	fd_closep(&process->input);
	fd_closep(&process->output);
	fd_closep(&process->errors);
	fd_closep(&process->pidfd);
	if (process->pid > 0) {
		kill(process->pid, SIGKILL);
		waitpid(process->pid, &status, 0);
	}
	*process = (struct child_process){0, -1, -1, -1, -1};
	return status;
}

void child_process_fini(struct child_process *process)
{
	(void)child_process_end(process);
}

void child_status_text(int status, char *ret_text, size_t size)
{
	if (WIFSIGNALED(status)) {
		snprintf(ret_text, size, "killed by signal %d (%s)", WTERMSIG(status),
		        strsignal(WTERMSIG(status)));
	} else {
		snprintf(ret_text, size, "exit status %d", WEXITSTATUS(status));
	}
}
