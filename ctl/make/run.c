/*
 * A child whose output goes to files without a name, so that a program that writes much to both of
 * them never waits for us. Both are read when it has ended.
 */
#include "ctl/make/run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void run_finip(struct run *run)
{
	free(run->out);
	free(run->errors);
}

static void run_closep(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
}

/* All of a file, up to the limit. */
static char *run_read(int fd, size_t *ret_len)
{
	char *text = ctl_zero(RUN_OUTPUT_MAX + 1);
	size_t len = 0;
	ssize_t n;

	while (len < RUN_OUTPUT_MAX &&
	        (n = pread(fd, text + len, RUN_OUTPUT_MAX - len, (off_t)len)) > 0) {
		len += (size_t)n;
	}
	*ret_len = len;
	return text;
}

/* In the child: only what is safe between fork() and exec(). in: -1: nothing is to be read */
static void run_become(const char *const *argv, const char *dir, int in, int out, int errors)
{
	in = in >= 0 ? in : open("/dev/null", O_RDONLY);
	if (in >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(errors, 2) == 2 &&
	        (!dir || chdir(dir) == 0)) {
		execvp(argv[0], (char *const *)argv);
	}
	dprintf(errors, "%s cannot be run: %s", argv[0], strerror(errno));
	_exit(127);
}

/* Runs it to its end; what it wrote is in the two files. */
static int run_to_end(
        const char *const *argv, const char *dir, int in, int out, int errors, struct run *ret_run)
{
	pid_t pid = out < 0 || errors < 0 ? -1 : fork();
	size_t len;
	int status;

	if (pid == 0) {
		run_become(argv, dir, in, out, errors);
	}
	if (pid < 0) {
		return ctl_fail(
		        CTL_FAILED, argv[0], "try again", "cannot be started: %s", strerror(errno));
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	ret_run->out = run_read(out, &ret_run->len);
	ret_run->errors = run_read(errors, &len);
	ret_run->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return CTL_OK;
}

int run_program(const char *const *argv, const char *dir, bool together, struct run *ret_run)
{
	_cleanup_(run_closep) int out = memfd_create("out", MFD_CLOEXEC);
	_cleanup_(run_closep) int errors = memfd_create("errors", MFD_CLOEXEC);

	return run_to_end(argv, dir, -1, out, together ? out : errors, ret_run);
}

int run_fed(const char *const *argv, const void *input, size_t len, struct run *ret_run)
{
	_cleanup_(run_closep) int in = memfd_create("in", MFD_CLOEXEC);
	_cleanup_(run_closep) int out = memfd_create("out", MFD_CLOEXEC);
	_cleanup_(run_closep) int errors = memfd_create("errors", MFD_CLOEXEC);

	if (in < 0 || pwrite(in, input, len, 0) != (ssize_t)len) {
		return ctl_fail(
		        CTL_FAILED, argv[0], "try again", "cannot be asked: %s", strerror(errno));
	}
	return run_to_end(argv, NULL, in, out, errors, ret_run);
}
