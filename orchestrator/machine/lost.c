/*
 * Machines that run although the record does not say so, because it was lost or is older
 * than they are. Such a machine is found by its directory: a process serves the socket
 * there, or somebody answers at it. A machine started in its place would have another
 * identity, and the one that runs would then obey nobody: so it is taken back.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/machine/priv.h"

/* A machine's directory by its name alone: none of these is in the record. */
static char *machine_own_dir(const struct machines *machines, const char *name)
{
	return text_format("%s/machines/%s", machines->config->state_dir, name);
}

char *machine_own_socket(const struct machines *machines, const char *name)
{
	return text_format("%s/machines/%s/" QEMU_SOCKET, machines->config->state_dir, name);
}

/* One who serves somebody else already answers with EAGAIN: it is there all the same. */
static bool machine_socket_answers(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd =
	        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
		return false;
	}
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN;
}

static bool machine_has_process(const struct machines *machines, const char *name)
{
	_cleanup_(freep) char *dir = machine_own_dir(machines, name);
	pid_t pid;
	int r = qemu_find(dir, &pid);

	err_forget();
	return r == 0;
}

bool machine_is_served(const struct machines *machines, const char *name)
{
	_cleanup_(freep) char *path = machine_own_socket(machines, name);

	return machine_has_process(machines, name) || machine_socket_answers(path);
}

/* By the file and not by its path: a link to the socket is the same machine. */
bool machine_owns_socket(const struct machines *machines, const char *name, const char *socket)
{
	_cleanup_(freep) char *path = machine_own_socket(machines, name);
	struct stat own, other;

	return machine_has_process(machines, name) && stat(path, &own) == 0 &&
	       stat(socket, &other) == 0 && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

static void machine_dir_closep(DIR **dir)
{
	if (*dir) {
		closedir(*dir);
	}
}

/*
 * One at a time: the caller takes it up and looks again. Names that do not fit were not made by
 * lud.
 */
bool machines_find_lost(struct machines *machines, char *ret_name, size_t size)
{
	_cleanup_(freep) char *path = text_format("%s/machines", machines->config->state_dir);
	_cleanup_(machine_dir_closep) DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name != '.' && strlen(entry->d_name) < size &&
		        !machines_by_name(machines, entry->d_name) &&
		        machine_is_served(machines, entry->d_name)) {
			snprintf(ret_name, size, "%s", entry->d_name);
			return true;
		}
	}
	return false;
}

/*
 * The channel tells who it is; a machine that turns out to be another is FOREIGN, and not talked
 * to. While its launch is under way nothing is to be taken back: the launch takes the process up.
 */
int machine_take_back(struct machine *machine)
{
	int r;

	machine_check(machine);
	if (machine->launcher) {
		return 0;
	}
	r = machine->pidfd < 0 ? machine_process_find(machine) : 0;
	if (!r) {
		r = machine_connect(machine);
	}
	if (!r) {
		log_info("machine %s, process %lld, is taken back", machine->row.name,
		        (long long)machine->row.pid);
	}
	return err_up(r);
}

/* Down has three meanings, and each has another way out. */
static void machine_remedy_down(const struct machine *machine, char *ret_text, size_t size)
{
	const char *name = machine->row.name;

	if (machine->phase == MACHINE_IS_FOREIGN && machine->row.attached) {
		snprintf(ret_text, size,
		        "`luctl machine stop %s`, then attach what answers there under another "
		        "name",
		        name);
	} else if (machine->phase == MACHINE_IS_FOREIGN) {
		snprintf(ret_text, size,
		        "end what runs there with `luctl machine stop %s --force`, then start it "
		        "with `luctl machine start %s`",
		        name, name);
	} else if (machine->row.attached) {
		snprintf(ret_text, size,
		        "see that it runs, then attach it again with `luctl machine start %s`",
		        name);
	} else {
		snprintf(ret_text, size,
		        "%.150s/" QEMU_DEBUG_LOG " may say why; `luctl machine start %s` starts it "
		        "afresh",
		        machine->dir, name);
	}
}

void machine_remedy(const struct machine *machine, char *ret_text, size_t size)
{
	const char *name = machine->row.name;
	bool attached = machine->row.attached;

	*ret_text = '\0';
	switch (machine_state(machine)) {
	case MACHINE_DOWN:
		machine_remedy_down(machine, ret_text, size);
		break;
	case MACHINE_STOPPED:
		snprintf(ret_text, size, "`luctl machine start %s` %s", name,
		        attached ? "attaches it again" : "starts it");
		break;
	case MACHINE_SILENT:
		snprintf(ret_text, size,
		        "wait until it answers, or %s it with `luctl machine stop %s --force`",
		        attached ? "detach" : "end", name);
		break;
	case MACHINE_UP:
	case MACHINE_STARTING:
	case MACHINE_CONNECTING:
	case _MACHINE_STATE_N:
		break;
	}
}
