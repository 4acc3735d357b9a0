/*
 * One registered release: show, diff, block, clear, remove. Answered from lud's record and store. Rights are
 * read from the signed manifest as lud has it; whoever is about to sign compares under a root of their own
 * (release_new.c).
 */
#include "ctl/cmd/cmd.h"

#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/plan.h"
#include "ctl/cmd/rights.h"
#include "ctl/sign/pairing.h"
#include "host/kit/dir.h"

/* The manifest of a release; false: it cannot be shown, and why was printed. */
static bool release_manifest(
        const Control__ReleaseDetail *detail, struct kit_manifest *ret_manifest)
{
	struct kit_fault fault;

	if (!detail->manifest.len) {
		printf("  rights      not known: %s\n", detail->manifest_amiss);
		return false;
	}
	if (kit_signed_open(detail->manifest.data, detail->manifest.len, detail->release->service,
	            NULL, ret_manifest, &fault) < 0) {
		printf("  rights      not known: %s\n", fault.text);
		return false;
	}
	return true;
}

/* Lines of notes below each other. */
static void release_print_notes(const Control__ReleaseDetail *detail)
{
	for (size_t i = 0; i < detail->n_notes; i++) {
		printf("  %-12s%s\n", i ? "" : "notes", detail->notes[i]);
	}
}

static void release_print(const Control__Reply *reply)
{
	const Control__ReleaseDetail *detail = reply->release;
	const Control__Release *release = detail->release;
	static struct rights rights;
	struct kit_manifest manifest;
	char text[TEXT_SIZE];

	printf("release %u of %s, %s\n", release->counter, release->service,
	        text_id(&release->release_id, text));
	printf("  source      %s\n", *release->source ? release->source : "its kit does not say");
	printf("  added       %s, signed by key %s\n", text_seconds(release->added, text),
	        release->key_id);
	if (release->blocked) {
		printf("  blocked     since %s: %s\n", text_seconds(release->blocked, text),
		        release->blocked_why);
	}
	printf("  runs on     %s", detail->n_runs_on ? detail->runs_on[0] : "no machine");
	for (size_t i = 1; i < detail->n_runs_on; i++) {
		printf(", %s", detail->runs_on[i]);
	}
	printf("\n  floor       %u\n  kit         %s\n", release->floor,
	        *release->path ? release->path : "removed");
	release_print_notes(detail);
	if (release_manifest(detail, &manifest)) {
		rights_of(&manifest, NULL, &rights);
		puts("  it may do and use:");
		rights_print(&rights);
	}
}

int cmd_release_show(const struct options *options)
{
	Control__ReleaseShowRequest show = CONTROL__RELEASE_SHOW_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	show.service = options->args[0];
	show.release = options->n_args > 1 ? options->args[1] : "";
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_SHOW;
	request.release_show = &show;
	return command_show(options, &request, release_print);
}

static void release_print_diff(const Control__Reply *reply)
{
	const Control__ReleaseDiff *diff = reply->release_diff;
	const Control__Release *from = diff->from->release, *to = diff->to->release;
	static struct kit_manifest manifests[2];
	static struct rights rights;
	char ids[2][TEXT_SIZE];

	printf("%s, release %u (%s)%s%s%s -> %u (%s)\n", to->service, from->counter,
	        text_id(&from->release_id, ids[0]), *diff->machine ? ", which " : "", diff->machine,
	        *diff->machine ? " runs," : "", to->counter, text_id(&to->release_id, ids[1]));
	printf("  %-12s%s -> %s\n", "source", *from->source ? from->source : "?",
	        *to->source ? to->source : "?");
	release_print_notes(diff->to);
	if (release_manifest(diff->from, &manifests[0]) &&
	        release_manifest(diff->to, &manifests[1])) {
		rights_of(&manifests[1], &manifests[0], &rights);
		printf("  %-12s%s\n", "rights",
		        rights.added.n + rights.removed.n ? ""
		                                          : "no change of what it may do and use");
		rights_print_changes(&rights);
	}
	if (diff->forward) {
		plan_print_pairing("there", diff->forward);
	}
	if (diff->back) {
		plan_print_pairing("back", diff->back);
	}
}

int cmd_release_diff(const struct options *options)
{
	Control__ReleaseDiffRequest diff = CONTROL__RELEASE_DIFF_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	diff.machine = (char *)options->machine;
	diff.service = options->args[0];
	diff.from = options->n_args > 1 ? options->args[1] : "";
	diff.to = options->n_args > 2 ? options->args[2] : "";
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_DIFF;
	request.release_diff = &diff;
	return command_show(options, &request, release_print_diff);
}

/* Ask for it; lud answers with nothing but success, and `release list` shows it. */
static int release_change(
        const struct options *options, Control__Request *request, const char *done)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const Control__Reply *reply;
	int code = command_call(options, request, NULL, NULL, &client, &reply);

	if (code == CTL_OK && !options->json) {
		printf("release %s of %s is %s\n", options->args[1], options->args[0], done);
	}
	return code;
}

/* Plain updates and starts of machines pass it by from now on; who names it gets it. */
int cmd_release_block(const struct options *options)
{
	Control__ReleaseBlockRequest block = CONTROL__RELEASE_BLOCK_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	block.service = options->args[0];
	block.release = options->args[1];
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_BLOCK;
	request.release_block = &block;
	return release_change(options, &request, "blocked");
}

/* Also one that a rollback has blocked. */
int cmd_release_clear(const struct options *options)
{
	Control__ReleaseClearRequest clear = CONTROL__RELEASE_CLEAR_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	clear.service = options->args[0];
	clear.release = options->args[1];
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_CLEAR;
	request.release_clear = &clear;
	return release_change(options, &request, "cleared");
}

/* One after the other: the first that is needed ends it, and those before it are removed, and were told. */
int cmd_release_remove(const struct options *options)
{
	int code = CTL_OK;

	for (int i = 1; code == CTL_OK && i < options->n_args; i++) {
		_cleanup_(client_closep) struct client *client = NULL;
		char request_id[COMMAND_ID_SIZE];
		struct options one = command_one_of(options, i, options->n_args - 1, request_id);
		Control__ReleaseRemoveRequest removal = CONTROL__RELEASE_REMOVE_REQUEST__INIT;
		Control__Request request = CONTROL__REQUEST__INIT;
		const Control__Reply *reply;

		removal.service = options->args[0];
		removal.release = options->args[i];
		request.body_case = CONTROL__REQUEST__BODY_RELEASE_REMOVE;
		request.release_remove = &removal;
		code = command_call(&one, &request, NULL, NULL, &client, &reply);
		if (code == CTL_OK && !options->json) {
			printf("the kit of release %s of %s is removed\n", options->args[i],
			        options->args[0]);
		}
	}
	return code;
}
