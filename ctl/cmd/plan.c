/*
 * plan update, plan rollback, plan rerandomize: what a command would do, with nothing begun. The exit
 * code is that of a refusal when some part would be refused, so that a script can ask first.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/plan.h"
#include "ctl/cmd/update.h"
#include "ctl/job/job.h"
#include "ctl/sign/pairing.h"

void plan_print_pairing(const char *name, const Control__Pairing *pairing)
{
	if (!pairing->possible) {
		printf("  %-12simpossible: %s (%s)\n", name, pairing->error, pairing->rule);
		return;
	}
	printf("  %-12s%s\n", name,
	        pairing->n_lost      ? "loses state"
	        : pairing->n_at_risk ? "loses state if it is in use"
	                             : "loses nothing");
	pairing_print(stdout, "              ", pairing, PAIRING_ALL);
}

/* Whose number and id change; a rerandomization keeps them, and what is not registered has neither. */
static void plan_print_release(const Control__PlanPart *part)
{
	char from[TEXT_SIZE], to[TEXT_SIZE];

	text_id(&part->from_release, from);
	text_id(&part->to_release, to);
	if (!part->from_release.len) {
		printf("  %-12s%u %s\n", "release", part->to_counter, to);
	} else if (!strcmp(from, to)) {
		printf("  %-12s%u %s stays\n", "release", part->to_counter, to);
	} else {
		printf("  %-12s%u %s -> %u %s\n", "release", part->from_counter, from,
		        part->to_counter, to);
	}
}

/*
 * Everything about one service, a line for each thing that is known: what was not found out, because it would be refused
 * before, has no line.
 */
static void plan_print_part(const Control__PlanPart *part)
{
	char text[TEXT_SIZE];

	/* One that the machine does not have is in no generation. */
	printf("%s", part->service);
	if (part->from_generation) {
		printf(", generation %" PRIu64, part->from_generation);
	}
	putchar('\n');
	if (part->to_release.len) {
		plan_print_release(part);
		printf("  %-12s%s\n", "layout", part->layout_why);
	}
	if (part->pairing) {
		plan_print_pairing("there", part->pairing);
	}
	if (part->back) {
		plan_print_pairing("back", part->back);
	}
	if (part->blackout_of) {
		printf("  %-12sabout %s, the median of the last %u\n", "blackout",
		        text_nsec(part->blackout_ns, text), part->blackout_of);
	}
	if (*part->held) {
		printf("  %-12s%s; %s%s\n", "held", part->held,
		        part->held_until_us ? "not before " : "nobody knows for how long",
		        part->held_until_us ? text_time(part->held_until_us, text) : "");
	}
	if (*part->warning) {
		printf("  %-12s%s\n", "warning", part->warning);
	}
	if (part->refused) {
		printf("  %-12s%s (%s)\n", part->skipped ? "skipped" : "refused",
		        part->refused->message, part->refused->name);
	}
	if (part->refused && *part->hint) {
		printf("  %-12s%s\n", "", part->hint);
	}
}

/* The hash comes last, alone on its line, so that it can be cut off and handed to --expect-plan. */
static void plan_print(const Control__Plan *plan)
{
	printf("%s on %s%s\n", job_kind_text(plan->kind), plan->machine,
	        plan->refused ? ": it would be refused" : "");
	if (*plan->order) {
		printf("one by one in this order, and back if one fails: %s\n", plan->order);
	}
	for (size_t i = 0; i < plan->n_parts; i++) {
		plan_print_part(plan->parts[i]);
	}
	if (plan->hash.len) {
		printf("plan ");
		for (size_t i = 0; i < plan->hash.len; i++) {
			printf("%02x", plan->hash.data[i]);
		}
		putchar('\n');
	}
}

/* The exit code of the first part that would be refused; the plan itself was printed. */
static int plan_judge(const Control__Plan *plan)
{
	for (size_t i = 0; plan->refused && i < plan->n_parts; i++) {
		const Control__PlanPart *part = plan->parts[i];

		if (part->refused && !part->skipped) {
			return ctl_fail_as(
			        &(struct ctl_fault){CTL_HELD, part->service, part->refused->message,
			                part->hint, part->refused->name, 0},
			        true);
		}
	}
	return plan->refused ? CTL_HELD : CTL_OK;
}

/* The three commands differ in what the request asks for; the machine is named outside of it. */
static int plan_ask(const struct options *options, Control__PlanRequest *plan)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	plan->machine = (char *)options->machine;
	request.body_case = CONTROL__REQUEST__BODY_PLAN;
	request.plan = plan;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code != CTL_OK || reply->body_case != CONTROL__REPLY__BODY_PLAN) {
		return code;
	}
	if (!options->json) {
		plan_print(reply->plan);
	}
	return plan_judge(reply->plan);
}

int cmd_plan_update(const struct options *options)
{
	Control__UpdateRequest update = update_request(options);
	Control__PlanRequest plan = CONTROL__PLAN_REQUEST__INIT;

	plan.asked_case = CONTROL__PLAN_REQUEST__ASKED_UPDATE;
	plan.update = &update;
	return plan_ask(options, &plan);
}

int cmd_plan_rollback(const struct options *options)
{
	Control__RollbackRequest rollback = rollback_request(options);
	Control__PlanRequest plan = CONTROL__PLAN_REQUEST__INIT;

	plan.asked_case = CONTROL__PLAN_REQUEST__ASKED_ROLLBACK;
	plan.rollback = &rollback;
	return plan_ask(options, &plan);
}

int cmd_plan_rerandomize(const struct options *options)
{
	Control__RerandomizeRequest rerandomize = rerandomize_request(options);
	Control__PlanRequest plan = CONTROL__PLAN_REQUEST__INIT;

	if (options->all == (options->n_args > 0)) {
		return ctl_fail(CTL_USAGE, "plan rerandomize", NULL,
		        "name services, or give --all, and not both");
	}
	plan.asked_case = CONTROL__PLAN_REQUEST__ASKED_RERANDOMIZE;
	plan.rerandomize = &rerandomize;
	return plan_ask(options, &plan);
}
