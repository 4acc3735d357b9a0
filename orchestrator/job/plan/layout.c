/*
 * Who makes the layout of an update, a rollback or a rerandomization: the machine, of the signed kit
 * and with a seed that nobody else ever has, or this host. It is decided once, when the job is
 * planned, by the first of these that says something:
 *
 *   1. the person (`--layout`)
 *   2. the configuration, for this service of this machine, for the service, for the machine
 *   3. the configuration, for all (update.layout)
 *
 * `machine` and `host` are orders; `auto`, which is what an empty configuration says, leaves it to
 * what can be done: the machine makes it if it can, else the host does. A machine can if its agent says
 * so in its Hello, and if it has the kit or room for it. An order that cannot be carried out is
 * refused and never carried out in the other way: a layout of the host's is known outside, and somebody
 * did not want that.
 *
 * A machine that was started to keep no kits makes none, and takes those of the host that a second signer
 * has signed, too: without one there is nothing that it would take.
 *
 * What is not found out here: whether the signer's rules let the machine make it. The signer says that,
 * with its remedy.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/file.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/plan/priv.h"
#include "orchestrator/work/kit.h"
#include "proto/image/link.h"

/*
 * Whether the machine has the kit of the release, or has room for it. What a service runs the machine
 * was booted with, or was sent. A file that is not there is a matter of the step that reads it.
 */
static bool layout_kit_fits(const struct machine *machine, const Machine__Service *service,
        const struct release_row *target, struct failure *ret_failure)
{
	const Machine__Status *status = machine_status(machine);
	_cleanup_(freep) char *path = text_format("%s/%s", target->path, KIT_FLAT);
	uint64_t limit = status->resources ? status->resources->stage_limit : 0;
	struct stat file;
	char what[80];

	if (service->release_id.len == sizeof(target->release_id) &&
	        !memcmp(service->release_id.data, target->release_id, sizeof(target->release_id))) {
		return true;
	}
	if (!limit || stat(path, &file) < 0 ||
	        (uint64_t)(file.st_size + target->state_len) <= limit) {
		return true;
	}
	snprintf(what, sizeof(what), "%" PRId64 " bytes, and the machine stages at most %" PRIu64,
	        (int64_t)file.st_size + target->state_len, limit);
	failure_set(ret_failure, "kit-too-large", "",
	        "start the machine with the release, or with more memory", "the kit has %s", what);
	return false;
}

/* Code, cause and remedy without the place, which depends on who asks. */
static bool layout_can_make(const struct machine *machine, const Machine__Service *service,
        const struct release_row *target, struct failure *ret_failure)
{
	if (!machine_makes_layouts(machine)) {
		failure_set(ret_failure, "no-layouts", "",
		        "start it with a newer agent, or let the host make it: --layout host",
		        "machine %s makes no layouts", machine_row(machine)->name);
		return false;
	}
	if (machine_status(machine)->no_kits) {
		failure_set(ret_failure, "no-kits", "",
		        "let the host make it: --layout host; or take the machine out of `kits` in "
		        "lud's "
		        "configuration, and start it anew",
		        "machine %s was started to keep no kits, of which layouts are made",
		        machine_row(machine)->name);
		return false;
	}
	if (!layout_kit_fits(machine, service, target, ret_failure)) {
		return false;
	}
	return true;
}

static int layout_unknown(const struct job_order *order, struct failure *ret_failure)
{
	failure_set(ret_failure, "no-layout", order->service,
	        "give --layout machine or --layout host",
	        "a layout is made by the machine or by the host, not by %s", order->layout);
	return ENGINE_E_REFUSED;
}

/* The recipes that layouts are drawn by, newest first: those of our linker. Their names are their numbers. */
static const uint32_t layout_recipes[] = {LINK_RECIPE};

/* Unknown ones are refused by name, with those that there are. */
static int layout_recipe_check(const struct job_order *order, struct failure *ret_failure)
{
	char known[64] = "", name[16];
	size_t len = 0;

	if (!order->recipe || !*order->recipe) {
		return 0;
	}
	for (size_t i = 0; i < sizeof(layout_recipes) / sizeof(layout_recipes[0]); i++) {
		snprintf(name, sizeof(name), "%" PRIu32, layout_recipes[i]);
		if (!strcmp(order->recipe, name)) {
			return 0;
		}
		len += (size_t)snprintf(
		        known + len, sizeof(known) - len, "%s%s", i ? ", " : "", name);
	}
	failure_set(ret_failure, "no-recipe", order->service,
	        "leave --recipe out, or name one that is known",
	        "no recipe of layouts is called %.40s; known: %s", order->recipe, known);
	return ENGINE_E_REFUSED;
}

void plan_no_second(const struct machine *machine, struct failure *ret_failure)
{
	failure_set(ret_failure, "no-second-signer", machine_row(machine)->name,
	        "name its socket as signer.second in lud's configuration; lusign(1) says how one "
	        "is "
	        "set up; or start the machine with room for kits",
	        "machine %s keeps no kits, and takes layouts that two variant keys have signed; "
	        "lud "
	        "has no second signer",
	        machine_row(machine)->name);
}

int layout_choose(struct engine *engine, const struct job_order *order,
        const Machine__Service *service, const struct release_row *target,
        struct layout_choice *ret_choice, struct failure *ret_failure)
{
	char said_by[CONFIG_NAME_SIZE];
	const char *wanted = order->layout;
	struct failure failure = {0};
	bool can = layout_can_make(order->machine, service, target, &failure);

	if (layout_recipe_check(order, ret_failure) != 0) {
		return ENGINE_E_REFUSED;
	}
	snprintf(said_by, sizeof(said_by), "%s",
	        order->parent ? order->asked->who.name : "--layout");
	if (!*wanted) {
		wanted = config_layout(engine->parts.config, machine_row(order->machine)->name,
		        order->service, said_by);
	} else if (strcmp(wanted, "machine") != 0 && strcmp(wanted, "host") != 0) {
		return layout_unknown(order, ret_failure);
	}
	if (!strcmp(wanted, "machine") && !can) {
		*ret_failure = failure;
		snprintf(ret_failure->place, sizeof(ret_failure->place), "%s", order->service);
		return ENGINE_E_REFUSED;
	}
	if (!strcmp(wanted, "auto")) {
		ret_choice->machine_made = can;
		snprintf(ret_choice->why, sizeof(ret_choice->why), "layout by the %s: %.120s",
		        can ? "machine" : "host", can ? "it can make it" : failure.cause);
	} else {
		ret_choice->machine_made = !strcmp(wanted, "machine");
		snprintf(ret_choice->why, sizeof(ret_choice->why),
		        "layout by the %s: %.120s says so", wanted, said_by);
	}
	if (!ret_choice->machine_made && machine_status(order->machine)->no_kits &&
	        !engine->parts.second) {
		plan_no_second(order->machine, ret_failure);
		return ENGINE_E_REFUSED;
	}
	return 0;
}
