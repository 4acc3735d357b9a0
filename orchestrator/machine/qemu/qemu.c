/*
 * QEMU's command line, and finding its process again. Everything of a machine lies in one
 * directory, whose path stands in the command line of the process that serves it: the pidfile
 * counts only if that process has it. The machine is a microvm without PCI, with one virtio
 * serial port, whose socket lud connects to, and files for its two logs.
 */
#include "orchestrator/machine/qemu/qemu.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/kvm/kvm.h"

#define QEMU_MIB (1u << 20)

/*
 * The environment wins, so that tests run alike everywhere. What is not `kvm` is `tcg`: the
 * configuration was checked before.
 */
const char *qemu_accel(const char *wanted)
{
	const char *forced = getenv("SAMSARA_ACCEL");

	if (forced && *forced) {
		wanted = forced;
	}
	if (!strcmp(wanted, "auto")) {
		return kvm_ask(KVM_CPUS, KVM_DEVICE) == KVM_READY ? "kvm" : "tcg";
	}
	return !strcmp(wanted, "kvm") ? "kvm" : "tcg";
}

/* Takes the word over. */
static void qemu_word(struct qemu_command *command, char *word)
{
	command->words = realloc(command->words, (command->n_words + 2) * sizeof(char *));
	if (!command->words) {
		abort();
	}
	command->words[command->n_words++] = word;
	command->words[command->n_words] = NULL;
}

static void qemu_option(struct qemu_command *command, const char *name, char *value)
{
	qemu_word(command, text_copy(name));
	qemu_word(command, value);
}

/* The board of tools/run: no PCI, virtio-mmio in its modern form, its eight slots on lines 16
 * to 23. */
static void qemu_board(struct qemu_command *command, const struct qemu_machine *machine)
{
	const char *accel = qemu_accel(machine->accel);

	qemu_option(command, "-M",
	        text_copy("microvm,acpi=on,ioapic2=off,rtc=off,pit=on,pic=on,isa-serial=on,"
	                  "auto-kernel-cmdline=off"));
	qemu_option(command, "-accel", text_copy(accel));
	qemu_option(command, "-cpu", text_copy(!strcmp(accel, "kvm") ? "host" : "max"));
	qemu_option(command, "-m",
	        text_format("%lluM", (unsigned long long)(machine->memory_bytes / QEMU_MIB)));
	qemu_option(command, "-smp", text_format("%llu", (unsigned long long)machine->n_cpus));
	qemu_option(command, "-global", text_copy("virtio-mmio.force-legacy=false"));
	qemu_word(command, text_copy("-nodefaults"));
	qemu_word(command, text_copy("-no-user-config"));
	qemu_word(command, text_copy("-no-reboot"));
	qemu_option(command, "-display", text_copy("none"));
}

/*
 * One port for the protocol, two files for what kernel and services log, and the register by
 * which the kernel ends QEMU with a code.
 */
static void qemu_devices(struct qemu_command *command, const char *dir)
{
	qemu_option(command, "-device", text_copy("virtio-serial-device"));
	qemu_option(command, "-chardev",
	        text_format("socket,id=port,path=%s/" QEMU_SOCKET ",server=on,wait=off", dir));
	qemu_option(command, "-device", text_copy("virtserialport,chardev=port,name=samsara"));
	qemu_option(command, "-serial", text_format("file:%s/" QEMU_SERIAL_LOG, dir));
	qemu_option(command, "-debugcon", text_format("file:%s/" QEMU_DEBUG_LOG, dir));
	qemu_option(command, "-device", text_copy("isa-debug-exit,iobase=0xf4,iosize=0x04"));
}

void qemu_command_init(struct qemu_command *command, const struct qemu_machine *machine)
{
	const char *dir = machine->dir;

	*command = (struct qemu_command){0};
	qemu_word(command, text_copy(machine->program));
	qemu_board(command, machine);
	qemu_devices(command, dir);
	qemu_option(command, "-kernel", text_copy(machine->kernel));
	qemu_option(command, "-initrd", text_format("%s/" QEMU_IMAGE, dir));
	qemu_option(command, "-pidfile", text_format("%s/" QEMU_PIDFILE, dir));
	qemu_word(command, text_copy("-daemonize"));
}

void qemu_command_fini(struct qemu_command *command)
{
	for (size_t i = 0; i < command->n_words; i++) {
		free(command->words[i]);
	}
	free(command->words);
	*command = (struct qemu_command){0};
}

/* Anybody can write these words behind a program's name: it must be ours, or root's. */
static bool qemu_is_own(FILE *process)
{
	struct stat st;

	return fstat(fileno(process), &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0);
}

/* Whether the process was started, by us, with a socket in this directory. */
static bool qemu_serves(pid_t pid, const char *dir)
{
	_cleanup_(freep) char *path = text_format("/proc/%d/cmdline", pid);
	_cleanup_(freep) char *want = text_format("path=%s/" QEMU_SOCKET ",", dir);
	_cleanup_(file_closep) FILE *file = fopen(path, "re");
	_cleanup_(freep) char *word = NULL;
	size_t size = 0;

	if (!file || !qemu_is_own(file)) {
		return false;
	}
	while (getdelim(&word, &size, '\0', file) > 0) {
		if (strstr(word, want)) {
			return true;
		}
	}
	return false;
}

/* A pidfile outlives its process, and a number is used again: only the command line tells. */
int qemu_find(const char *dir, pid_t *ret_pid)
{
	_cleanup_(freep) char *path = text_format("%s/" QEMU_PIDFILE, dir);
	_cleanup_(file_closep) FILE *file = fopen(path, "re");
	long pid;

	if (!file || fscanf(file, "%ld", &pid) != 1 || pid <= 1 || !qemu_serves(pid, dir)) {
		return err_raise(-ESRCH);
	}
	*ret_pid = pid;
	return 0;
}

/* By descriptor, which cannot come to mean another process as a number can. */
int qemu_watch(pid_t pid, int *ret_pidfd)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0) {
		return err_raise(-errno);
	}
	*ret_pidfd = fd;
	return 0;
}

int qemu_end(int pidfd)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0) {
		return err_raise(-errno);
	}
	return 0;
}
