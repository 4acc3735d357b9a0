/*
 * What luforge said, in words for the person who reads why a task failed. A worker knows what it was handed only as descriptors,
 * and a file only by its name on the bench: those are turned back into paths. What helps is told by the nearest reason that
 * fits; nothing follows from it but words.
 */
#include <errno.h>
#include <libgen.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/work/priv.h"

/* Writes what is found as itself; the names of descriptors mean nothing to people. */
static void said_names(char *text, size_t size, const char *name, const char *path)
{
	char *at = strstr(text, name);

	while (path && at) {
		_cleanup_(freep) char *rest = text_copy(at + strlen(name));

		snprintf(at, size - (at - text), "%s%s", path, rest);
		at = strstr(at + strlen(path) < text + size ? at + strlen(path) : at + strlen(at),
		        name);
	}
}

/*
 * By the words of the system's errors, which are all that a worker's text has; one in another
 * language is only less well explained.
 */
static bool said_lacks_room(const char *said)
{
	static const int errors[] = {ENOSPC, EDQUOT, EROFS};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strstr(said, strerror(errors[i]))) {
			return true;
		}
	}
	return false;
}

/* Where the worker writes, and where what it makes is put: beside the file that it is to become, or into the store. */
static void said_remedy_room(const struct forge_task *task, char *ret_text, size_t size)
{
	_cleanup_(freep) char *out = text_copy(task->out ? task->out : "");

	snprintf(ret_text, size,
	        "make room for %.68s and %.68s, bytes or inodes (`df -h`, `df -i`), and see that "
	        "they are writable; then ask again",
	        task->forge->benches, task->out ? dirname(out) : task->forge->store);
}

/* What a person can do, by the nearest reason that fits; the last is for all else. */
static void said_remedy(
        const struct forge_task *task, const char *said, char *ret_text, size_t size)
{
	const struct forge *forge = task->forge;

	if (said_lacks_room(said)) {
		said_remedy_room(task, ret_text, size);
	} else if (strstr(said, forge->root)) {
		snprintf(ret_text, size, "`luctl keys list` says what is wrong with the keyring");
	} else if (task->source && forge->user.separate && strstr(said, strerror(EACCES))) {
		snprintf(ret_text, size,
		        "forge workers have a user of their own: let others read the kit "
		        "(`chmod -R a+rX KIT`)");
	} else if (task->kernel && strstr(said, task->kernel)) {
		snprintf(ret_text, size,
		        "let `kernel` in lud's configuration name samsara-kernel as it was built, "
		        "or set `machine.kernel_place: linked`; then ask again");
	} else if (strstr(said, forge->store)) {
		snprintf(ret_text, size,
		        "make lud's copy whole: add the release again with `luctl release add "
		        "KIT`; "
		        "then ask again");
	} else {
		snprintf(ret_text, size,
		        *said ? "mend what is named, and ask again; `luforge inspect KIT` looks "
		                "into a kit"
		              : "see the log of lud, and try again");
	}
}

void forge_explain(const struct forge_task *task, const char *what, const char *errors,
        struct failure *ret_failure)
{
	char said[1024], remedy[sizeof(ret_failure->remedy)];

	snprintf(said, sizeof(said), "%s", errors);
	said_names(said, sizeof(said), FORGE_STORE, task->forge->store);
	said_names(said, sizeof(said), FORGE_SOURCE, task->source);
	said_names(said, sizeof(said), FORGE_LINKED, task->kernel);
	said_remedy(task, said, remedy, sizeof(remedy));
	failure_set(ret_failure, "forge", task->words[1], remedy, "luforge %s: %s%s%.280s",
	        task->words[1], what, *said ? ": " : "", said);
}

int forge_answer_invalid(struct failure *ret_failure, const char *command, const char *kit)
{
	failure_set(ret_failure, command, kit,
	        "use the luforge of lud's version; `luctl release list` shows where the kits are",
	        "luforge %s gave an invalid answer, or one of other releases", command);
	return err_raise(-EBADMSG);
}
