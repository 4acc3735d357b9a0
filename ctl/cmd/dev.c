/*
 * dev: from a saved line to the service that runs it. The steps are those of `release new` and
 * `update`, with their checks: what runs is a numbered, signed release, whose source is recorded, and
 * the state comes along. What runs already is left alone. Its releases are for trying: but for the newest and
 * those that something needs, their kits are removed behind the update.
 */
#include "ctl/cmd/cmd.h"

#include "ctl/base/base.h"
#include "ctl/base/answer.h"
#include "ctl/cmd/release.h"

/* Nothing to do is an answer, too. */
static int dev_tell_same(const struct options *options, const struct release_made *made)
{
	if (options->json) {
		answer_add(json_pack("{s:s, s:i, s:s, s:b}", "service", made->service, "counter",
		        (int)made->counter, "release_id", made->id, "unchanged", true));
	} else {
		printf("%s: release %u runs, and the source makes the same program\n",
		        made->service, made->counter);
	}
	return CTL_OK;
}

int cmd_dev(const struct options *options)
{
	_cleanup_(release_maker_closep) struct release_maker *maker = NULL;
	_cleanup_(release_made_finip) struct release_made made = {0};
	struct options update = *options;
	char *args[] = {made.service, NULL};
	int code = release_maker_open(options, true, &maker);

	if (code == CTL_OK) {
		code = release_make(maker, options->args[0], &made);
	}
	if (code != CTL_OK) {
		return code;
	}
	if (made.runs) {
		return dev_tell_same(options, &made);
	}
	if (!options->json) {
		printf("%s: release %u, %.12s\n", made.service, made.counter, made.id);
		fflush(stdout);
	}
	update.release = made.id;
	update.args = args;
	update.n_args = 1;
	code = cmd_update(&update);
	if (code != CTL_UNREACHABLE && code != CTL_WAITED && code != CTL_INTERRUPTED) {
		release_remove_old(maker, &made);
	}
	return code;
}
