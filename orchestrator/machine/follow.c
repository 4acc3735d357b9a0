/*
 * The log of a machine that was started here. Kernel and services log to the debug console, which
 * QEMU writes to a file; it is read as it grows, woken by inotify. A line is "NAME: text". What was
 * there before is read from near its end only.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/machine/priv.h"

#define FOLLOW_TAIL_BYTES (64 * 1024)
#define FOLLOW_NAME_MAX 24
#define FOLLOW_LEVEL 6 /* info: the console does not say */

/* Splits "NAME: text"; a line without a name is the kernel's. */
/*
 * A service logs under its own name. Text of a service that looks like another's name is
 * believed: this is for people to read, and nothing is decided by it.
 */
static void follow_line(struct machine *machine, char *text)
{
	Machine__LogLines lines = MACHINE__LOG_LINES__INIT;
	Machine__LogLine line = MACHINE__LOG_LINE__INIT;
	Machine__LogLine *list[] = {&line};
	char *colon = strstr(text, ": ");

	line.level = FOLLOW_LEVEL;
	line.service = "kernel";
	line.text = text;
	if (colon && colon - text < FOLLOW_NAME_MAX && !memchr(text, ' ', colon - text)) {
		*colon = '\0';
		line.service = text;
		line.text = colon + 2;
	}
	lines.n_lines = 1;
	lines.lines = list;
	machine_log_lines(machine, &lines);
}

/* Text of a guest goes into messages: protobuf strings are UTF-8. */
static void follow_clean(char *text)
{
	for (; *text; text++) {
		if ((*text < ' ' && *text != '\t') || *text == 0x7f) {
			*text = '?';
		}
	}
}

/* To the end of what is there, which may be in the middle of a line. */
static void follow_read(struct machine *machine)
{
	char bytes[4096];
	char *text;
	ssize_t n;

	while ((n = read(machine->log_file, bytes, sizeof(bytes))) > 0) {
		evbuffer_add(machine->log_rest, bytes, n);
		while ((text = evbuffer_readln(machine->log_rest, NULL, EVBUFFER_EOL_CRLF))) {
			follow_clean(text);
			follow_line(machine, text);
			free(text);
		}
		/* A line without end is cut. */
		if (evbuffer_get_length(machine->log_rest) > FOLLOW_TAIL_BYTES) {
			evbuffer_drain(machine->log_rest, FOLLOW_TAIL_BYTES);
		}
	}
}

/* What changed does not matter, there is one file; the events are only taken away. */
static void follow_on_change(evutil_socket_t fd, short what, void *arg)
{
	_Alignas(struct inotify_event) char events[4096];

	while (read(fd, events, sizeof(events)) > 0) {
	}
	follow_read(arg);
}

/* From the first whole line of the tail on. */
static void follow_seek(struct machine *machine)
{
	off_t size = lseek(machine->log_file, 0, SEEK_END);
	char byte = '\0';

	if (size <= FOLLOW_TAIL_BYTES) {
		(void)lseek(machine->log_file, 0, SEEK_SET);
		return;
	}
	(void)lseek(machine->log_file, size - FOLLOW_TAIL_BYTES, SEEK_SET);
	while (read(machine->log_file, &byte, 1) == 1 && byte != '\n') {
	}
}

/* On an error what was opened stays for machine_follow_fini(). */
static int follow_open(struct machine *machine)
{
	_cleanup_(freep) char *path = text_format("%s/" QEMU_DEBUG_LOG, machine->dir);

	machine->log_file = open(path, O_RDONLY | O_CLOEXEC);
	if (machine->log_file < 0) {
		return err_raise(-errno);
	}
	machine->log_watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (machine->log_watch < 0 || inotify_add_watch(machine->log_watch, path, IN_MODIFY) < 0) {
		return err_raise(-errno);
	}
	machine->log_rest = evbuffer_new();
	machine->log_event = event_new(machine->machines->base, machine->log_watch,
	        EV_READ | EV_PERSIST, follow_on_change, machine);
	if (!machine->log_rest || !machine->log_event || event_add(machine->log_event, NULL) < 0) {
		abort();
	}
	follow_seek(machine);
	return 0;
}

/*
 * Begins to read, with the tail of what is there. A log that cannot be followed is no reason to
 * do without the machine.
 */
void machine_follow(struct machine *machine)
{
	machine_follow_fini(machine);
	if (follow_open(machine) < 0) {
		log_warn("machine %s: its log cannot be followed: %s", machine->row.name,
		        err_trace());
		err_forget();
		machine_follow_fini(machine);
		return;
	}
	follow_read(machine);
}

/* Reads what came last, a panic perhaps, before it lets go. */
void machine_follow_fini(struct machine *machine)
{
	if (machine->log_event) {
		follow_read(machine);
		event_free(machine->log_event);
		machine->log_event = NULL;
	}
	if (machine->log_rest) {
		evbuffer_free(machine->log_rest);
		machine->log_rest = NULL;
	}
	fd_closep(&machine->log_file);
	fd_closep(&machine->log_watch);
	machine->log_file = machine->log_watch = -1;
}
