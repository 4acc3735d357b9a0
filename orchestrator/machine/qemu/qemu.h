#pragma once
/*
 * The QEMU process of a machine: its command line, its start as a daemon of its
 * own, finding it again after lud was away, and its end. Everything about one
 * machine lies in one directory: socket, pidfile, logs, boot image.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/base/err.h"
#include "host/base/failure.h"

/* Names inside a machine's directory. */
#define QEMU_SOCKET "port.sock"
#define QEMU_PIDFILE "qemu.pid"
#define QEMU_IMAGE "boot.img"
#define QEMU_KERNEL                                                                                \
	"kernel" /* moved for this start; absent: the machine has the one that was linked */
#define QEMU_MEMORY "memory" /* bytes for which both were made */
#define QEMU_SERIAL_LOG "serial.log"
#define QEMU_DEBUG_LOG "debug.log"

struct qemu_machine {
	const char *program; /* qemu-system-x86_64 */
	const char *kernel;  /* ELF */
	const char *dir;
	const char *accel; /* auto, kvm, tcg */
	uint64_t memory_bytes;
	uint64_t n_cpus;
};

/* The words of a command line; owned. */
struct qemu_command {
	char **words; /* NULL terminated */
	size_t n_words;
};

void qemu_command_init(struct qemu_command *command, const struct qemu_machine *machine);
void qemu_command_fini(struct qemu_command *command);

/* "kvm" or "tcg" for what the configuration, SAMSARA_ACCEL and the CPU allow. */
const char *qemu_accel(const char *wanted);

/*
 * Finds the process that serves this directory, by its pidfile, and makes sure that
 * it is QEMU with this directory's socket, and no other user's. -ESRCH: there is none.
 */
int __must_check qemu_find(const char *dir, pid_t *ret_pid);
/* Opens a descriptor that becomes readable when the process ends. */
int __must_check qemu_watch(pid_t pid, int *ret_pidfd);
/* Asks the process of such a descriptor to end at once. */
int __must_check qemu_end(int pidfd);
