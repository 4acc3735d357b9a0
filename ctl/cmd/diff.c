/*
 * diff: what two generations differ in, of one machine or of two. Both are asked for as `show` asks; what is
 * the same is left out. Under which policies one came to be is the newest version that was there when its
 * job was asked for.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/job/job.h"

#define DIFF_VERSIONS 100 /* of the policies, newest first, that are looked through */

/* One side: its words, the connection whose answer is read, and what is worked out of it. */
struct diff_side {
	struct client *client;
	const Control__Generation *generation;
	uint64_t policies; /* 0: none, or further back than is looked */
};

/* With the answer that it has. */
static void diff_side_fini(struct diff_side *side)
{
	client_closep(&side->client);
}

/* [MACHINE/]SERVICE[:GEN] */
static int diff_read(const struct options *options, const char *words,
        Control__ShowRequest *ret_show, char *ret_names, size_t size)
{
	char *slash, *colon;

	snprintf(ret_names, size, "%s", words);
	slash = strchr(ret_names, '/');
	ret_show->machine = slash ? ret_names : (char *)options->machine;
	ret_show->service = slash ? slash + 1 : ret_names;
	if (slash) {
		*slash = '\0';
	}
	colon = strchr(ret_show->service, ':');
	if (!colon) {
		return CTL_OK;
	}
	*colon = '\0';
	if (text_number(colon + 1, &ret_show->generation) < 0 || !ret_show->generation) {
		return ctl_fail(CTL_USAGE, words, "`luctl history` lists them",
		        "`%s` is no number of a generation", colon + 1);
	}
	return CTL_OK;
}

/* As the answers are written together here, neither is an answer of its own. */
static int diff_ask(const struct options *options, const char *words, struct diff_side *ret_side)
{
	Control__ShowRequest show = CONTROL__SHOW_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	struct options plain = *options;
	const Control__Reply *reply;
	char names[128];
	int code = diff_read(options, words, &show, names, sizeof(names));

	plain.json = false;
	request.body_case = CONTROL__REQUEST__BODY_SHOW;
	request.show = &show;
	if (code == CTL_OK) {
		code = command_call(&plain, &request, NULL, NULL, &ret_side->client, &reply);
	}
	if (code == CTL_OK) {
		ret_side->generation = reply->generation;
	}
	return code;
}

/* Of both sides at once. */
static int diff_policies(const struct options *options, struct diff_side *sides)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__PolicyHistoryRequest history = CONTROL__POLICY_HISTORY_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	struct options plain = *options;
	const Control__Reply *reply;
	int code;

	plain.json = false;
	history.limit = DIFF_VERSIONS;
	request.body_case = CONTROL__REQUEST__BODY_POLICY_HISTORY;
	request.policy_history = &history;
	code = command_call(&plain, &request, NULL, NULL, &client, &reply);
	for (size_t i = 0; code == CTL_OK && i < reply->policy_history->n_versions; i++) {
		const Control__PolicyVersion *version = reply->policy_history->versions[i];

		for (size_t side = 0; side < 2; side++) {
			const Control__Job *job = sides[side].generation->job;

			if (job && !sides[side].policies &&
			        version->created_us <= job->created_us) {
				sides[side].policies = version->version;
			}
		}
	}
	return code;
}

/* What differs, for the table and for JSON. */
struct diff {
	struct table *table;
	json_t *list;
};

/* One that is the same is left out. */
static void diff_row(struct diff *diff, const char *what, const char *from, const char *to)
{
	if (!strcmp(from, to)) {
		return;
	}
	table_row(diff->table, (const char *const[]){what, *from ? from : "-", *to ? to : "-"});
	json_array_append_new(
	        diff->list, json_pack("{s:s, s:s, s:s}", "what", what, "from", from, "to", to));
}

/* By its first digits; what is not there is told as nothing. */
static void diff_bytes(struct diff *diff, const char *what, const ProtobufCBinaryData *from,
        const ProtobufCBinaryData *to)
{
	char a[TEXT_SIZE] = "", b[TEXT_SIZE] = "";

	if (from->len != to->len || memcmp(from->data, to->data, from->len) != 0) {
		diff_row(diff, what, from->len ? text_id(from, a) : "",
		        to->len ? text_id(to, b) : "");
	}
}

/* As people count, with 0 for what there is none of. */
static void diff_number(struct diff *diff, const char *what, uint64_t from, uint64_t to)
{
	char a[TEXT_SIZE], b[TEXT_SIZE];

	snprintf(a, sizeof(a), "%" PRIu64, from);
	snprintf(b, sizeof(b), "%" PRIu64, to);
	diff_row(diff, what, a, b);
}

/* "3 of 17 kept, gadgets 0.02%" */
static const char *diff_entropy(const Control__Effect *effect, char text[TEXT_SIZE])
{
	if (!effect || !effect->pieces) {
		return effect ? effect->found : "";
	}
	if (strcmp(effect->found, "compared") != 0) {
		snprintf(text, TEXT_SIZE, "%" PRIu64 " of %" PRIu64 " kept", effect->kept_address,
		        effect->pieces);
	} else {
		snprintf(text, TEXT_SIZE, "%" PRIu64 " of %" PRIu64 " kept, gadgets %.2f%%",
		        effect->kept_address, effect->pieces, effect->known_mean);
	}
	return text;
}

/* Which release in which layout. */
static void diff_layout(
        struct diff *diff, const Control__Generation *a, const Control__Generation *b)
{
	char from[TEXT_SIZE], to[TEXT_SIZE];

	diff_row(diff, "machine", a->machine, b->machine);
	diff_row(diff, "service", a->service, b->service);
	diff_row(diff, "generation", text_generation(a->generation, a->made, from),
	        text_generation(b->generation, b->made, to));
	diff_number(diff, "release", a->counter, b->counter);
	diff_bytes(diff, "release id", &a->release_id, &b->release_id);
	diff_row(diff, "layout by", a->layout, b->layout);
	diff_bytes(diff, "layout id", &a->build_id, &b->build_id);
	diff_bytes(diff, "payload", &a->payload_hash, &b->payload_hash);
	diff_bytes(diff, "seed", &a->seed_commit, &b->seed_commit);
	diff_row(diff, "known outside", a->known_outside ? "yes" : "no",
	        b->known_outside ? "yes" : "no");
	/* Nobody outside knows the size of what a machine made. */
	diff_row(diff, "size", a->payload_len ? text_bytes(a->payload_len, from) : "",
	        b->payload_len ? text_bytes(b->payload_len, to) : "");
	diff_row(diff, "entropy", diff_entropy(a->effect, from), diff_entropy(b->effect, to));
}

/* How they came to be, and what that cost. */
static void diff_job(struct diff *diff, const struct diff_side *sides)
{
	const Control__Generation *a = sides[0].generation, *b = sides[1].generation;
	const Control__Job *x = a->job, *y = b->job;
	char from[TEXT_SIZE], to[TEXT_SIZE];

	diff_row(diff, "state", a->state, b->state);
	diff_row(diff, "since", text_time(a->committed_us, from), text_time(b->committed_us, to));
	diff_number(diff, "root", a->epoch, b->epoch);
	diff_number(diff, "policies", sides[0].policies, sides[1].policies);
	if (!x || !y) {
		return;
	}
	diff_number(diff, "job", x->id, y->id);
	diff_row(diff, "by", job_kind_text(x->kind), job_kind_text(y->kind));
	diff_row(diff, "who", x->identity, y->identity);
	diff_row(diff, "why", x->reason, y->reason);
	diff_row(diff, "blackout", text_nsec(x->result ? x->result->blackout_ns : 0, from),
	        text_nsec(y->result ? y->result->blackout_ns : 0, to));
}

/*
 * Three answers on three connections: the first two must live until all is printed. Differences alone are no
 * failure: it is asked for them.
 */
int cmd_diff(const struct options *options)
{
	static const struct table_column columns[] = {
	        {"WHAT", false}, {"FROM", false}, {"TO", false}};
	_cleanup_(diff_side_fini) struct diff_side from = {0};
	_cleanup_(diff_side_fini) struct diff_side to = {0};
	struct diff_side sides[2];
	struct diff diff;
	int code = diff_ask(options, options->args[0], &from);

	if (code == CTL_OK) {
		code = diff_ask(options, options->args[1], &to);
	}
	if (code != CTL_OK) {
		return code;
	}
	sides[0] = from;
	sides[1] = to;
	code = diff_policies(options, sides);
	if (code != CTL_OK) {
		return code;
	}
	diff = (struct diff){table_new(columns, 3), json_array()};
	diff_layout(&diff, from.generation, to.generation);
	diff_job(&diff, sides);
	if (options->json) {
		answer_add(json_pack("{s:O}", "differences", diff.list));
		table_free(diff.table);
	} else if (json_array_size(diff.list)) {
		table_print(diff.table);
	} else {
		puts("they are the same");
		table_free(diff.table);
	}
	json_decref(diff.list);
	return CTL_OK;
}
