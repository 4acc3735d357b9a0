/*
 * The machine's log lines: a ring of the newest MACHINE_LOG_KEPT, packed, and listeners that
 * get them as they come. The ring has room for what was said so far: most machines say little. Lines are not recorded: they are for people who watch. Listeners
 * belong to whoever listens; a machine that goes away only takes them off its list.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/machine/priv.h"

/* Doubles a ring that is full and may be larger. Until it is as large as it may be nothing has gone round. */
static void machine_log_room(struct machine *machine)
{
	size_t room = machine->log_room ? 2 * machine->log_room : MACHINE_LOG_FIRST;
	struct machine_log_line *log;

	if (machine->log_next < machine->log_room || machine->log_room == MACHINE_LOG_KEPT) {
		return;
	}
	room = room < MACHINE_LOG_KEPT ? room : MACHINE_LOG_KEPT;
	log = mem_zero(room * sizeof(*log));
	if (machine->log) {
		memcpy(log, machine->log, machine->log_room * sizeof(*log));
	}
	free(machine->log);
	machine->log = log;
	machine->log_room = room;
}

/* The oldest line gives its place. Packed, a line takes what it needs and no more. */
static void machine_log_keep(struct machine *machine, const Machine__LogLine *line)
{
	struct machine_log_line *slot;

	machine_log_room(machine);
	slot = &machine->log[machine->log_next++ % MACHINE_LOG_KEPT];
	free(slot->packed);
	slot->packed = mem_zero(machine__log_line__get_packed_size(line) + 1);
	slot->size = machine__log_line__pack(line, slot->packed);
}

/* A listener may free itself while it is called. */
void machine_log_lines(struct machine *machine, const Machine__LogLines *lines)
{
	struct machine_listener *listener = LIST_FIRST(&machine->listeners);

	for (size_t i = 0; i < lines->n_lines; i++) {
		machine_log_keep(machine, lines->lines[i]);
	}
	while (listener) {
		struct machine_listener *next = LIST_NEXT(listener, link);

		listener->fn(lines, listener->arg);
		listener = next;
	}
}

/* Tells one kept line, as a list of one. */
static void machine_log_replay(const struct machine_log_line *kept, machine_log_fn fn, void *arg)
{
	Machine__LogLines lines = MACHINE__LOG_LINES__INIT;
	Machine__LogLine *line = machine__log_line__unpack(NULL, kept->size, kept->packed);

	if (line) {
		lines.n_lines = 1;
		lines.lines = &line;
		fn(&lines, arg);
		machine__log_line__free_unpacked(line, NULL);
	}
}

struct machine_listener *machine_listen(
        struct machine *machine, uint32_t backlog, machine_log_fn fn, void *arg)
{
	struct machine_listener *listener = mem_zero(sizeof(*listener));
	size_t n = machine->log_next < MACHINE_LOG_KEPT ? machine->log_next : MACHINE_LOG_KEPT;

	n = n < backlog ? n : backlog;
	for (size_t i = machine->log_next - n; i < machine->log_next; i++) {
		machine_log_replay(&machine->log[i % MACHINE_LOG_KEPT], fn, arg);
	}
	listener->fn = fn;
	listener->arg = arg;
	LIST_INSERT_HEAD(&machine->listeners, listener, link);
	return listener;
}

struct machine_listener *machine_listener_free(struct machine_listener *listener)
{
	if (listener) {
		LIST_REMOVE(listener, link);
		free(listener);
	}
	return NULL;
}

void machine_log_fini(struct machine *machine)
{
	for (size_t i = 0; i < machine->log_room; i++) {
		free(machine->log[i].packed);
	}
	free(machine->log);
	machine->log = NULL;
	machine->log_room = machine->log_next = 0;
	/* Listeners belong to whoever listens; they only lose their list. */
	while (!LIST_EMPTY(&machine->listeners)) {
		LIST_REMOVE(LIST_FIRST(&machine->listeners), link);
	}
}
