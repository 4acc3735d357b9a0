/* Which process is taken for a machine's. */
#undef NDEBUG
#include "orchestrator/machine/qemu/qemu.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/qemu_test.XXXXXX";

/*
 * A program with the words that QEMU would have; it runs as uid, or as we do. It has no child and
 * reads from a pipe that ends with this test, so that nothing of it outlives the test.
 */
static pid_t start(uid_t uid, const char *words)
{
	int ready[2], input[2];
	pid_t pid;
	char byte;

	assert(pipe2(ready, O_CLOEXEC) == 0 && pipe2(input, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		if ((uid == 0 || setresuid(uid, uid, uid) == 0) &&
		        dup2(input[0], STDIN_FILENO) == 0) {
			execl("/bin/sh", "sh", "-c", "read -r line", words, (char *)NULL);
		}
		_exit(1);
	}
	close(ready[1]);
	close(input[0]);
	assert(read(ready[0], &byte, 1) == 0); /* it is the program now */
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	struct pollfd watch = {.events = POLLIN};
	int status;

	assert(qemu_watch(pid, &watch.fd) == 0 && qemu_end(watch.fd) == 0);
	assert(poll(&watch, 1, 100000) == 1);
	assert(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGTERM);
	assert(qemu_end(watch.fd) < 0);
	close(watch.fd);
}

/* Whether a process that is named by the pidfile is found. */
static bool is_found(uid_t uid, const char *words)
{
	pid_t pid = start(uid, words), found = 0;
	char path[64];
	FILE *file;
	int r;

	snprintf(path, sizeof(path), "%s/" QEMU_PIDFILE, dir);
	file = fopen(path, "w");
	assert(file && fprintf(file, "%d\n", pid) > 0 && fclose(file) == 0);
	r = qemu_find(dir, &found);
	assert(r ? r == -ESRCH : found == pid);
	end(pid);
	assert(unlink(path) == 0);
	return r == 0;
}

/*
 * The whole of it: a word that is missing is a machine that starts and has no port, no CPU that
 * the kernel can use, or devices that nobody asked for.
 */
static void test_command(void)
{
	static const char *const expected[] = {"qemu", "-M",
	        ("microvm,acpi=on,ioapic2=off,rtc=off,pit=on,pic=on,isa-serial=on,"
	         "auto-kernel-cmdline=off"),
	        "-accel", "tcg", "-cpu", "max", "-m", "64M", "-smp", "2", "-global",
	        "virtio-mmio.force-legacy=false", "-nodefaults", "-no-user-config", "-no-reboot",
	        "-display", "none", "-device", "virtio-serial-device", "-chardev",
	        "socket,id=port,path=/d/port.sock,server=on,wait=off", "-device",
	        "virtserialport,chardev=port,name=samsara", "-serial", "file:/d/serial.log",
	        "-debugcon", "file:/d/debug.log", "-device",
	        "isa-debug-exit,iobase=0xf4,iosize=0x04", "-kernel", "samsara", "-initrd",
	        "/d/boot.img", "-pidfile", "/d/qemu.pid", "-daemonize"};
	const size_t n = sizeof(expected) / sizeof(expected[0]);
	const struct qemu_machine machine = {.program = "qemu",
	        .kernel = "samsara",
	        .dir = "/d",
	        .accel = "tcg",
	        .memory_bytes = 64u << 20,
	        .n_cpus = 2};
	struct qemu_command command;

	assert(unsetenv("SAMSARA_ACCEL") == 0);
	qemu_command_init(&command, &machine);
	for (size_t i = 0; i < n && i < command.n_words; i++) {
		assert(!strcmp(command.words[i], expected[i]));
	}
	assert(command.n_words == n && command.words[n] == NULL);
	qemu_command_fini(&command);
}

int main(void)
{
	char words[96];
	pid_t pid;

	test_command();
	assert(mkdtemp(dir));
	assert(qemu_find(dir, &pid) == -ESRCH);
	snprintf(words, sizeof(words), "socket,path=%s/" QEMU_SOCKET ",server=on", dir);
	assert(is_found(0, words));
	assert(!is_found(0, "socket,path=/tmp/" QEMU_SOCKET ",server=on"));
	if (geteuid() == 0) {
		assert(!is_found(60999, words)); /* anybody can have such words */
	}
	assert(rmdir(dir) == 0);
	return 0;
}
