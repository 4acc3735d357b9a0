/*
 * The process of a machine of ours: started, found again, watched, ended. QEMU makes itself a
 * daemon, so the child that lud starts ends as soon as the machine runs, and the process that
 * stays is known by its pidfile and its command line (qemu_find()) and watched by a pidfd. So
 * it outlives lud, and a new lud finds it in the same way. The boot image is deleted as soon
 * as QEMU has it, or is known not to start.
 *
 * An end that was asked for, or that the last line of the debug log says was ordered, is
 * STOPPED; any other is DOWN, with the panic that stands in that log.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/machine/priv.h"

#define MACHINE_DEBUG_TAIL 8192
/* What the kernel says when it switches the machine off (osd/kernel/call/do_machine_off.c). */
#define MACHINE_OFF_LINE "kernel: machine off, code 0"
/* How long a process may take to end when it is asked to. */
#define MACHINE_STOP_SEC 5

/* What the debug log ends with; "" where there is no such line. */
struct machine_words {
	char panic[120];
	char last[120];
};

/*
 * From the end of the log, whose beginning may be any length. A line longer than ->last is read
 * in pieces, of which the last counts.
 */
static void machine_last_words(const struct machine *machine, struct machine_words *ret)
{
	_cleanup_(freep) char *path = text_format("%s/" QEMU_DEBUG_LOG, machine->dir);
	_cleanup_(file_closep) FILE *file = fopen(path, "re");
	char line[sizeof(ret->last)];

	memset(ret, 0, sizeof(*ret));
	if (!file) {
		return;
	}
	if (fseek(file, -MACHINE_DEBUG_TAIL, SEEK_END) < 0) {
		rewind(file);
	}
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (*line) {
			memcpy(ret->last, line, sizeof(line));
		}
		if (strcasestr(line, "panic")) {
			memcpy(ret->panic, line, sizeof(line));
		}
	}
}

/*
 * The machine is off as soon as RS runs the order, so no answer may come of it: the kernel's
 * last line tells. Lines of services begin with their own names.
 */
bool machine_was_ordered_off(const struct machine *machine)
{
	struct machine_words words;

	machine_last_words(machine, &words);
	return !strcmp(words.last, MACHINE_OFF_LINE);
}

/* The process is gone, or was never ours: the machine is stopped. */
static void machine_stopped(struct machine *machine, const char *why)
{
	machine_stop_fn done = machine->stop_done;

	machine->stop_done = NULL;
	machine_set_phase(machine, MACHINE_IS_OFF, why);
	if (done) {
		done(machine->stop_arg);
	}
}

/*
 * The process ended: by machine_stop(), by a signed order, or by itself. Only the last is DOWN. A
 * machine that was to end is not wanted any more, so a lud that starts now does not look for it.
 */
static void machine_on_exit(evutil_socket_t fd, short what, void *arg)
{
	struct machine *machine = arg;
	struct machine_words words;
	bool asked = machine->phase == MACHINE_IS_ENDING;
	char why[160];
	bool ordered;

	machine_last_words(machine, &words);
	ordered = !asked && !strcmp(words.last, MACHINE_OFF_LINE);
	machine_process_fini(machine);
	machine_session_fini(machine);
	machine->row.pid = 0;
	machine->row.wanted = machine->row.wanted && !ordered;
	if (machine_save(machine) < 0) {
		log_error("machine %s: %s", machine->row.name, err_trace());
	}
	if (asked || !machine->row.wanted) {
		machine_stopped(machine, ordered ? MACHINE_BY_ORDER : "");
		return;
	}
	snprintf(why, sizeof(why), "its process ended%s%s", *words.panic ? ": " : "", words.panic);
	machine_set_phase(machine, MACHINE_IS_GONE, why);
}

/*
 * The image is in the process's memory from its start. It holds the seed of the machine's random
 * source and all layouts it boots with, and a new one is made at every start: it is not kept.
 */
static void machine_image_forget(const struct machine *machine)
{
	_cleanup_(freep) char *image = text_format("%s/" QEMU_IMAGE, machine->dir);

	if (unlink(image) < 0 && errno != ENOENT) {
		log_warn("machine %s: %s stays, with the seed of its random source: %s",
		        machine->row.name, image, strerror(errno));
	}
}

/* Takes the process over, whoever started it: this lud, or one before. Once: it is watched then. */
int machine_process_find(struct machine *machine)
{
	pid_t pid;
	int r;

	assert(machine->pidfd < 0);
	r = qemu_find(machine->dir, &pid);
	if (!r) {
		r = qemu_watch(pid, &machine->pidfd);
	}
	if (r < 0) {
		return err_up(r);
	}
	machine->row.pid = pid;
	machine_image_forget(machine);
	machine->exit_event = event_new(
	        machine->machines->base, machine->pidfd, EV_READ, machine_on_exit, machine);
	if (!machine->exit_event || event_add(machine->exit_event, NULL) < 0) {
		abort();
	}
	machine_follow(machine);
	return 0;
}

/* Lets go of the process, which goes on. Its console is followed to its end first. */
void machine_process_fini(struct machine *machine)
{
	machine_follow_fini(machine);
	machine->launcher = child_worker_free(machine->launcher);
	if (machine->exit_event) {
		event_free(machine->exit_event);
		machine->exit_event = NULL;
	}
	evtimer_del(machine->stop_limit);
	fd_closep(&machine->pidfd);
	machine->pidfd = -1;
}

/*
 * SIGTERM ends QEMU at once unless it is stopped or stuck; then nothing is lost that was not lost
 * already.
 */
void machine_on_stop_limit(evutil_socket_t fd, short what, void *arg)
{
	struct machine *machine = arg;

	log_warn("machine %s: does not end, so it is killed", machine->row.name);
	if (syscall(SYS_pidfd_send_signal, machine->pidfd, SIGKILL, NULL, 0) < 0) {
		log_warn("machine %s: %s", machine->row.name, strerror(errno));
	}
}

/*
 * Tells who waits for the launch, once. A failure is the machine's reason for being down. Where it
 * is OPEN, HUNG or MUTE there is none: a launch in those phases found a machine that was taken back
 * meanwhile, and machine_connect() has nothing left to do that could fail.
 */
static void machine_launch_end(struct machine *machine, const struct failure *failure)
{
	machine_launch_fn done = machine->launch_done;

	machine->launch_done = NULL;
	if (failure) {
		machine_set_phase(machine, MACHINE_IS_GONE, failure->cause);
	}
	if (done) {
		done(failure, machine->launch_arg);
	}
}

/* The process is there: watch it and take up the channel. */
static void machine_launched(struct machine *machine)
{
	struct failure failure = {0};
	int r = machine_connect(machine);

	if (r < 0) {
		failure_set(&failure, "machine", machine->row.name,
		        "see the log of lud; the socket's path may be too long",
		        "cannot take up its channel: %s", strerror(-r));
	}
	machine_launch_end(machine, r < 0 ? &failure : NULL);
}

/* QEMU, made a daemon, has returned: its pidfile must lead to a process with our directory. */
static void machine_on_launched(const struct child_result *result, void *arg)
{
	struct machine *machine = arg;
	struct failure failure = {0};
	char status[64];
	int r = -ECHILD;

	if (!result->timed_out && WIFEXITED(result->status) && !WEXITSTATUS(result->status)) {
		r = machine_process_find(machine);
	}
	if (r < 0) {
		child_status_text(result->status, status, sizeof(status));
		failure_set(&failure, "qemu", machine->row.name,
		        "check programs.qemu and machine.accel (or SAMSARA_ACCEL) and the boot "
		        "image",
		        "QEMU did not start (%s): %.200s", status, result->errors);
	}
	machine->launcher = child_worker_free(machine->launcher);
	if (r < 0) {
		machine_image_forget(machine);
		machine_launch_end(machine, &failure);
		return;
	}
	machine_launched(machine);
}

/* QEMU, as a daemon, has a umask of its own, but keeps the mode of files that are there. */
static int machine_logs_make(const struct machine *machine)
{
	static const char *const names[] = {QEMU_SERIAL_LOG, QEMU_DEBUG_LOG};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_(freep) char *path = text_format("%s/%s", machine->dir, names[i]);

		r = file_write_unsynced(path, "", 0);
	}
	return err_up(r);
}

/*
 * The one that was moved for this start, which is not replaced by any other, or the one that was linked where none was
 * moved. NULL: the moved one is gone. The caller frees it.
 */
static char *machine_kernel(const struct machine *machine)
{
	char *moved;

	if (!machine->row.kernel) {
		return text_copy(machine->machines->config->kernel);
	}
	moved = text_format("%s/" QEMU_KERNEL, machine->dir);
	if (access(moved, F_OK) < 0) {
		free(moved);
		return NULL;
	}
	return moved;
}

/* What image and kernel were made for; the configuration may have another value by now. */
static uint64_t machine_memory(const struct machine *machine)
{
	_cleanup_(freep) char *path = text_format("%s/" QEMU_MEMORY, machine->dir);
	_cleanup_(file_closep) FILE *file = fopen(path, "re");
	unsigned long long bytes;

	return file && fscanf(file, "%llu", &bytes) == 1
	               ? bytes
	               : machine->machines->config->machine_memory_bytes;
}

/* The child ends when the daemon runs, or after machine.boot_timeout. */
static int machine_spawn(struct machine *machine)
{
	const struct config *config = machine->machines->config;
	_cleanup_(freep) char *kernel = machine_kernel(machine);
	struct qemu_machine qemu = {
	        .program = config->qemu,
	        .kernel = kernel,
	        .dir = machine->dir,
	        .accel = config->machine_accel,
	        .memory_bytes = machine_memory(machine),
	        .n_cpus = config->machine_cpus,
	};
	struct qemu_command command;
	struct child_job job = {
	        .timeout_usec = config->boot_timeout_usec,
	        .done = machine_on_launched,
	        .arg = machine,
	};
	int r;

	if (!kernel) {
		return MACHINE_E_NO_KERNEL;
	}
	r = machine_logs_make(machine);
	if (r < 0) {
		return err_up(r);
	}
	qemu_command_init(&command, &qemu);
	job.argv = (const char *const *)command.words;
	r = child_worker_new(machine->machines->base, &job, &machine->launcher);
	qemu_command_fini(&command);
	return err_up(r);
}

/*
 * A launch may be repeated: one under way whose asker was let go of (machine_forget()) gets
 * another, and a process that is there already, after a lud that died between its start and the
 * record of it, is taken over.
 */
int machine_launch(struct machine *machine, machine_launch_fn done, void *arg)
{
	int r;

	machine_check(machine);
	if (machine->row.attached || machine->launch_done || machine->phase == MACHINE_IS_ENDING) {
		return err_raise(-EBUSY);
	}
	machine->launch_done = done;
	machine->launch_arg = arg;
	if (machine->launcher) {
		return 0;
	}
	if (machine->pidfd >= 0 || machine_process_find(machine) == 0) {
		machine_launched(machine);
		return 0;
	}
	err_forget();
	r = machine_spawn(machine);
	if (r) {
		machine->launch_done = NULL;
		machine_image_forget(machine);
		return r < 0 ? err_up(r) : r;
	}
	machine_set_phase(machine, MACHINE_IS_LAUNCHED, "");
	return 0;
}

/*
 * Recorded before it ends: a lud that dies now finds no process, and no reason to call that a
 * crash.
 */
void machine_expect_end(struct machine *machine)
{
	machine->row.wanted = false;
	if (machine_save(machine) < 0) {
		log_error("machine %s: %s", machine->row.name, err_trace());
	}
}

/*
 * Ends in this order: it is not wanted any more (recorded), the launch if one is under way, the
 * session, the process. done is called here where there is no process, else when it has ended.
 */
int machine_stop(struct machine *machine, machine_stop_fn done, void *arg)
{
	static const struct failure stopped = {
	        "stopped", "machine", "the machine was stopped", "start it again"};
	static const struct timeval limit = {.tv_sec = MACHINE_STOP_SEC};
	int r;

	machine_check(machine);
	if (machine->phase == MACHINE_IS_ENDING) {
		return err_raise(-EBUSY);
	}
	machine->row.wanted = false;
	r = err_fold(machine_save(machine));
	if (r < 0) {
		return err_up(r);
	}
	machine->stop_done = done;
	machine->stop_arg = arg;
	if (machine->launcher) {
		machine->launcher = child_worker_free(machine->launcher);
		machine_image_forget(machine);
	}
	if (machine->launch_done) {
		machine_launch_end(machine, &stopped);
	}
	machine_session_fini(machine);
	if (machine->pidfd < 0 || qemu_end(machine->pidfd) < 0) {
		machine_process_fini(machine);
		machine_stopped(machine, "");
	} else {
		machine_set_phase(machine, MACHINE_IS_ENDING, "");
		evtimer_add(machine->stop_limit, &limit);
	}
	return 0;
}
