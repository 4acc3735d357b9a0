/*
 * Running tools by absolute path, with an environment of our own and no shell, so that who
 * starts luforge cannot have another tool run or its words changed. What a tool prints is kept
 * and shown only if it fails.
 */
#include "forge/base/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <openssl/evp.h>

#include "forge/base/mem.h"
#include "forge/base/report.h"

const char tool_llc[] = LLVM_BIN "/llc";
const char tool_lld[] = LLVM_BIN "/ld.lld";
const char tool_objcopy[] = LLVM_BIN "/llvm-objcopy";

/* To the end of the pipe: when all that hold it have ended. */
static void tool_collect(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno != EINTR) {
			return;
		}
		if (n > 0) {
			buf_add(out, chunk, (size_t)n);
		}
	}
}

/*
 * Both outputs go to err_fd; input is inherited. The environment is one fixed locale, so that
 * words and sorting are the same everywhere.
 */
static int tool_spawn(const char *const argv[], int err_fd, pid_t *ret_pid)
{
	static char locale[] = "LC_ALL=C", *const env[] = {locale, NULL};
	posix_spawn_file_actions_t actions;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0) {
		return -ENOMEM;
	}
	r = posix_spawn_file_actions_adddup2(&actions, err_fd, 1);
	if (r == 0) {
		r = posix_spawn_file_actions_adddup2(&actions, err_fd, 2);
	}
	if (r == 0) {
		r = posix_spawn(ret_pid, argv[0], &actions, NULL, (char *const *)argv, env);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* 0, or a report with all that the tool has said. */
static int tool_wait(const char *name, pid_t pid, const struct buf *out)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return report_errno(name, errno, "cannot wait for the tool");
		}
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		return 0;
	}
	if (WIFSIGNALED(status)) {
		return report_failed(name, "killed by signal %d\n%s", WTERMSIG(status),
		        out->len ? (char *)out->bytes : "");
	}
	return report_failed(name, "failed with code %d\n%s", WEXITSTATUS(status),
	        out->len ? (char *)out->bytes : "");
}

int tool_run(const char *const argv[])
{
	BUF_CLEANUP struct buf out = {0};
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		return report_errno(argv[0], errno, "cannot make a pipe");
	}
	r = tool_spawn(argv, fds[1], &pid);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return report_errno(
		        argv[0], -r, "cannot start; install the packages of tools/deps");
	}
	tool_collect(fds[0], &out);
	close(fds[0]);
	return tool_wait(argv[0], pid, &out);
}

int tool_hash(const void *bytes, size_t len, uint8_t ret_hash[TOOL_HASH_SIZE])
{
	if (EVP_Digest(bytes, len, ret_hash, NULL, EVP_blake2b512(), NULL) != 1) {
		return report_failed("OpenSSL", "BLAKE2b-512 is not available");
	}
	return 0;
}
