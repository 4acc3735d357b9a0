/*
 * Groups and labels of a machine. Policies match machines by them, so whoever sets one decides which
 * policies hold: that is for an admin, and the log says who did and why. All words of a request count,
 * or none does.
 */
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/policy/subject.h"

/* Both lists as they are to be. */
struct control_marks {
	char groups[sizeof((struct machine_row){0}.groups)];
	char labels[sizeof((struct machine_row){0}.labels)];
};

/* The failure of one word; the place is the word. */
static void control_mark_failure(int r, enum subject_kind kind, const struct machine *machine,
        const char *word, struct failure *ret_failure)
{
	const char *name = machine_row(machine)->name;
	bool is_label = kind == SUBJECT_LABEL;

	if (r == SUBJECT_E_ABSENT) {
		failure_set(ret_failure, "no-mark", word,
		        "`luctl machine list` shows groups and labels",
		        is_label ? "machine %s has no label of this key"
		                 : "machine %s is not in this group",
		        name);
	} else if (r == SUBJECT_E_FULL) {
		failure_set(ret_failure, "too-many", word, "take others away with --remove",
		        "machine %s has no room for more", name);
	} else {
		failure_set(ret_failure, "invalid", word,
		        "names have 1 to 64 letters, digits and . _ - : / [ ]; a label is "
		        "KEY=VALUE",
		        is_label ? "machine %s: this is not a label"
		                 : "machine %s: this is not the name of a group",
		        name);
	}
}

static void control_mark(struct control_client *client, const Control__Request *request,
        const Control__MachineMarkRequest *mark, enum subject_kind kind)
{
	struct machine *machine = control_machine(client, request->id, mark->machine);
	struct control_marks marks;
	char *list = kind == SUBJECT_LABEL ? marks.labels : marks.groups;
	struct failure failure;

	if (!machine) {
		return;
	}
	memcpy(marks.groups, machine_row(machine)->groups, sizeof(marks.groups));
	memcpy(marks.labels, machine_row(machine)->labels, sizeof(marks.labels));
	for (size_t i = 0; i < mark->n_words; i++) {
		int r = mark->remove
		                ? subject_remove(list, mark->words[i])
		                : subject_add(list, sizeof(marks.groups), kind, mark->words[i]);

		if (r) {
			control_mark_failure(r, kind, machine, mark->words[i], &failure);
			control_refuse(
			        client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &failure);
			return;
		}
	}
	if (machine_set_marks(machine, marks.groups, marks.labels)) {
		control_refuse_change(client, request->id);
		return;
	}
	log_info("machine %s has groups %s and labels %s from now on, says %s%s%s",
	        machine_row(machine)->name, *marks.groups ? marks.groups : "none",
	        *marks.labels ? marks.labels : "none", client->who.name,
	        *request->reason ? ": " : "", request->reason);
	engine_rules_changed(control_engine(client));
	control_machines_answer(client, request->id);
	control_look(client->control);
}

void control_on_machine_group(struct control_client *client, const Control__Request *request)
{
	control_mark(client, request, request->machine_group, SUBJECT_GROUP);
}

void control_on_machine_label(struct control_client *client, const Control__Request *request)
{
	control_mark(client, request, request->machine_label, SUBJECT_LABEL);
}
