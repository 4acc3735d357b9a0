/*
 * history and show: generations and how they came to be. history is a table, newest first, and
 * says when there is more; show prints one generation whole: release, layout, signature, steps
 * of its job, what was moved and lost.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/svg.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/graph.h"
#include "ctl/client/pages.h"
#include "ctl/job/job.h"
#include "ctl/sign/pairing.h"

#define HISTORY_GRAPH_MAX 20000 /* generations of a picture, where nobody says how many */

/*
 * Why it did not run, or what it cost: the cause of a failure goes before the consent to a loss.
 * Returns text, a string of the job or ""; so text must live as long as what is returned.
 */
static const char *history_cause(const Control__Job *job, char text[128])
{
	if (job && job->cause) {
		return job->cause->message;
	}
	if (!job || !job->consent.len) {
		return "";
	}
	consent_text(job, text);
	return text;
}

/* What the layout kept of the one before, in two cells. What never ran has nothing to tell. */
static void history_kept(
        const Control__Effect *effect, char kept[TEXT_SIZE], char gadgets[TEXT_SIZE])
{
	strcpy(kept, effect ? effect->found : "-");
	strcpy(gadgets, "-");
	if (effect && effect->pieces) {
		snprintf(kept, TEXT_SIZE, "%" PRIu64 " of %" PRIu64, effect->kept_address,
		        effect->pieces);
	}
	if (effect && !strcmp(effect->found, "compared")) {
		snprintf(gadgets, TEXT_SIZE, "%.2f%%", effect->known_mean);
	}
}

/*
 * What the machine said of it. A job may have drawn several layouts before one fitted; its result belongs to
 * the generation that ran, so one without a base address has none. NULL: none.
 */
static const Machine__Result *history_result(const Control__Generation *generation)
{
	bool by_machine = !strcmp(generation->layout, "machine");
	bool was_made = generation->base_address != 0 || (by_machine && generation->committed_us);

	return generation->job && was_made ? generation->job->result : NULL;
}

/* When it was decided: when it ran, or else when it was asked for. */
static int64_t history_when(const Control__Generation *generation)
{
	const Control__Job *job = generation->job;

	return generation->committed_us ? generation->committed_us
	       : job                    ? (job->ended_us ? job->ended_us : job->created_us)
	                                : 0;
}

/* One generation as a row of a log of decisions: when, who, why, what, and what came of it. */
static void history_row(struct table *table, const Control__Generation *generation)
{
	const Control__Job *job = generation->job;
	const Machine__Result *result = history_result(generation);
	char number[TEXT_SIZE], from[TEXT_SIZE], release[TEXT_SIZE], id[TEXT_SIZE];
	char when[TEXT_SIZE], blackout[TEXT_SIZE], job_id[TEXT_SIZE], consent[128];
	char kept[TEXT_SIZE], gadgets[TEXT_SIZE];

	history_kept(generation->effect, kept, gadgets);
	text_generation(generation->generation, generation->made, number);
	snprintf(from, TEXT_SIZE, "%" PRIu64, job ? job->from_generation : 0);
	snprintf(release, TEXT_SIZE, "%u %s", generation->counter,
	        text_id(&generation->release_id, id));
	snprintf(job_id, TEXT_SIZE, "%" PRIu64, job ? job->id : 0);
	table_row(
	        table, (const char *const[]){text_time(history_when(generation), when),
	                       generation->service, job ? job_kind_text(job->kind) : "?", from,
	                       number, release, generation->state,
	                       text_nsec(result ? result->blackout_ns : 0, blackout), kept, gadgets,
	                       generation->layout, generation->known_outside ? "yes" : "no", job_id,
	                       job ? job->identity : "-", job && *job->reason ? job->reason : "-",
	                       history_cause(job, consent)});
}

/* The list as far as it has come, and the request for its next page. */
struct history_list {
	Control__HistoryRequest ask;
	struct table *table;
	uint64_t removed; /* as the last page told */
	int64_t removed_us;
	bool is_graph;
	struct graph_point *points; /* --graph */
	size_t n_points;
};

/* What is meant to have run and did not: its job is over, and it was no rehearsal. */
static bool history_is_incident(const Control__Generation *generation)
{
	const Control__Job *job = generation->job;

	return !generation->committed_us && job && job->ended_us &&
	       job->state != CONTROL__JOB_STATE__JOB_STATE_PREPARED;
}

static void history_point(struct history_list *list, const Control__Generation *generation)
{
	const Control__Job *job = generation->job;
	const Machine__Result *result = history_result(generation);
	struct graph_point *points = realloc(list->points, (list->n_points + 1) * sizeof(*points));
	char when[TEXT_SIZE];

	if (!points) {
		abort();
	}
	list->points = points;
	points[list->n_points] = (struct graph_point){.number = generation->generation,
	        .when_us = history_when(generation),
	        .blackout_ns = result ? result->blackout_ns : 0,
	        .is_incident = history_is_incident(generation)};
	snprintf(
	        points[list->n_points].service, sizeof(points->service), "%s", generation->service);
	snprintf(points[list->n_points].text, sizeof(points->text),
	        "%s %" PRIu64 ": %s, %s, %s%s%s", generation->service, generation->generation,
	        generation->state, text_time(history_when(generation), when),
	        job ? job->identity : "", job && job->cause ? ": " : "",
	        job && job->cause ? job->cause->message : "");
	/* One that is planned is neither. */
	list->n_points += generation->committed_us || history_is_incident(generation);
}

/* Rows as they come; the cursor is lud\'s, and says where the next page begins. */
static size_t history_page(const Control__Reply *reply, bool print, void *arg, char *cursor)
{
	const Control__History *history = reply->history;
	struct history_list *list = arg;

	for (size_t i = 0; print && i < history->n_generations; i++) {
		if (list->is_graph) {
			history_point(list, history->generations[i]);
		} else {
			history_row(list->table, history->generations[i]);
		}
	}
	list->removed = history->removed;
	list->removed_us = history->removed_us;
	if (history->next) {
		snprintf(cursor, PAGES_CURSOR_SIZE, "%" PRIu64, history->next);
	}
	return history->n_generations;
}

static void history_draw_on(FILE *to, void *arg)
{
	const struct history_list *list = arg;
	char title[160];

	snprintf(title, sizeof(title), "%zu generations of %s%s%s", list->n_points,
	        *list->ask.service ? list->ask.service : "all services",
	        *list->ask.machine ? " on " : "", list->ask.machine);
	graph_write(to, title, list->points, list->n_points);
}

/* The picture is whole, or there is an error; a file that is there is written anew. */
static int history_draw(const struct options *options, struct history_list *list)
{
	int code = svg_file(options->graph, history_draw_on, list);

	if (code == CTL_OK && options->json) {
		answer_add(json_pack("{s:s, s:I}", "graph", options->graph, "generations",
		        (json_int_t)list->n_points));
	}
	return code;
}

/*
 * All that is wanted, as a picture in place of a table. Without --limit that is more than a page: a picture of the
 * newest few would show no life.
 */
static int history_graph(
        const struct options *options, const struct pages *pages, struct history_list *list)
{
	struct options all = *options;
	char cursor[PAGES_CURSOR_SIZE];
	int code;

	all.json = false;
	all.limit = options->limit ? options->limit : HISTORY_GRAPH_MAX;
	code = pages_call(&all, pages, cursor);
	if (code == CTL_OK) {
		code = history_draw(options, list);
	}
	free(list->points);
	return code;
}

/*
 * Without a service, the generations of all services, in one order of time. How many come without
 * --limit is lud's decision, and so is the order: rows are printed as they came. What was left out is
 * announced behind the table, because a list that silently ends looks like the whole history.
 */
int cmd_history(const struct options *options)
{
	static const struct table_column columns[] = {
	        {"WHEN", false},
	        {"SERVICE", false},
	        {"WHAT", false},
	        {"FROM", true},
	        {"GEN", true},
	        {"RELEASE", false},
	        {"RESULT", false},
	        {"BLACKOUT", true},
	        {"KEPT", true},
	        {"GADGETS", true},
	        {"LAYOUT", false},
	        {"KNOWN", false},
	        {"JOB", true},
	        {"WHO", false},
	        {"WHY", false},
	        {"CAUSE", false},
	};
	struct history_list list = {
	        .ask = CONTROL__HISTORY_REQUEST__INIT, .is_graph = options->graph != NULL};
	Control__Request request = CONTROL__REQUEST__INIT;
	const struct pages pages = {
	        .request = &request,
	        .limit = &list.ask.limit,
	        .list = "generations",
	        .page = history_page,
	        .at = &list.ask.before,
	        .arg = &list,
	};
	struct pages_table words = {.command = "history",
	        .option = "--before",
	        .none = "no generation",
	        .is = "is recorded"};
	char cursor[PAGES_CURSOR_SIZE];
	int code;

	list.ask.before = options->before;
	list.ask.machine = (char *)options->machine;
	list.ask.service = options->n_args ? options->args[0] : "";
	request.body_case = CONTROL__REQUEST__BODY_HISTORY;
	request.history = &list.ask;
	if (list.is_graph) {
		return history_graph(options, &pages, &list);
	}
	words.table = list.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	code = pages_show(options, &pages, &words, cursor);
	if (code == CTL_OK && !options->json) {
		pages_removed(cursor, list.removed, list.removed_us);
	}
	return code;
}

/*
 * A line with an id or a hash in hex, whole: it is there to be copied. Only this command prints
 * hashes in full; tables have the first digits (text_id()).
 */
static void history_show_bytes(const char *name, const ProtobufCBinaryData *bytes)
{
	printf("%-14s", name);
	for (size_t i = 0; i < bytes->len; i++) {
		printf("%02x", bytes->data[i]);
	}
	putchar('\n');
}

/* What it was let pass; nothing of most. */
static void history_show_override(uint32_t set)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} known[] = {
#define OVERRIDE(name, bit, word, sentence) {bit, word},
#include "proto/words/access.def"
	};
	const char *comma = "";

	if (set) {
		printf("%-14s", "override");
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			if (set & known[i].bit) {
				printf("%s%s", comma, known[i].word);
				comma = ", ";
			}
		}
		putchar('\n');
	}
}

/*
 * The steps of a job in the order in which it took them, each with its time. A step that did
 * not end, or whose clock was set back meanwhile, took 0.
 */
static void history_show_steps(const Control__Job *job)
{
	static const struct table_column columns[] = {
	        {"STEP", false},
	        {"STATE", false},
	        {"TOOK", true},
	        {"DETAIL", false},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < job->n_steps; i++) {
		const Control__JobStep *step = job->steps[i];
		uint64_t usec = step->ended_us > step->started_us
		                        ? (uint64_t)step->ended_us - (uint64_t)step->started_us
		                        : 0;
		char took[TEXT_SIZE];

		table_row(table, (const char *const[]){step->name, step->state,
		                         text_nsec(usec * 1000, took), step->detail});
	}
	table_print(table);
}

/*
 * What the machine measured and moved, in the units of the last transfer: the phases are its
 * own words.
 */
static void history_show_result(const Machine__Result *result)
{
	char text[TEXT_SIZE];

	printf("%-14s%s\n", "blackout", text_nsec(result->blackout_ns, text));
	printf("%-14s%s\n", "longest gap", text_nsec(result->longest_gap_ns, text));
	printf("%-14s%" PRIu64 " bytes in %" PRIu64 " objects, %" PRIu64 " pages, arena %s\n",
	        "transferred", result->bytes, result->objects, result->pages,
	        text_bytes(result->arena_bytes, text));
	for (size_t i = 0; i < result->n_phases; i++) {
		printf("%-14s%-10s %s\n", i ? "" : "phases", result->phases[i]->name,
		        text_nsec(result->phases[i]->ns, text));
	}
	pairing_print_removed("              ", result);
}

/* What was found out before the update, and who consented to which loss by which key. */
static void history_show_pairing(const Control__Job *job)
{
	char id[TEXT_SIZE], consent[128];

	if (job->pairing) {
		printf("%-14s%s, release %u -> %u\n", "pairing", text_id(&job->pairing->id, id),
		        job->pairing->from_counter, job->pairing->to_counter);
		pairing_print(stdout, "              ", job->pairing, PAIRING_ALL);
	}
	if (job->consent.len) {
		consent_text(job, consent);
		printf("%-14s%s, for %s\n", "consent", consent, job->identity);
	}
}

/* Whether whoever has the audit key can make the layout again; --json has the bytes. */
static void history_show_sealed(const ProtobufCBinaryData *sealed)
{
	printf("%-14s%s\n", "sealed seed",
	        sealed->len ? "yes, for the audit key: luforge verify makes the layout again"
	                    : "no");
}

static void history_show_count(const char *what, uint64_t n, uint64_t of, const char *where)
{
	printf("%-14s%" PRIu64 " of %" PRIu64 " %s %s\n", "", n, of, what, where);
}

static void history_show_compared(const Control__Effect *effect)
{
	static const char *const kinds[] = {"at the same address", "as far from the base"};

	history_show_count(
	        "pieces", effect->kept_before, effect->pieces, "as far from the piece before");
	history_show_count("return addresses", effect->returns_address, effect->returns, kinds[0]);
	history_show_count("return addresses", effect->returns_base, effect->returns, kinds[1]);
	printf("%-14sgadgets known: %.2f%%; after one leaked code pointer %.2f%%, worst piece "
	       "%.2f%%\n",
	        "", effect->known_none, effect->known_mean, effect->known_worst);
}

/* What who knows the layout before knows of this one. */
static void history_show_effect(const Control__Effect *effect)
{
	if (!effect->pieces) {
		printf("%-14s%s%s%s\n", "kept", effect->found, *effect->why ? ": " : "",
		        *effect->why ? effect->why : "");
		return;
	}
	printf("%-14s%s, against generation %" PRIu64 "\n", "kept",
	        !strcmp(effect->found, "counted") ? "counted by the machine" : effect->found,
	        effect->against);
	history_show_count("pieces", effect->kept_address, effect->pieces, "at the same address");
	history_show_count("pieces", effect->kept_base, effect->pieces, "as far from the base");
	if (!strcmp(effect->found, "compared")) {
		history_show_compared(effect);
	}
}

/* When the first and the last of a run of the machine's own layouts were made, and what proves all of them. */
static void history_show_made(const Control__Generation *generation)
{
	char first[TEXT_SIZE], last[TEXT_SIZE];

	if (!generation->made_last_us) {
		return;
	}
	printf("%-14s%" PRIu64 ", the first %s, the last %s\n", "made", generation->made,
	        text_time(generation->made_first_us, first),
	        text_time(generation->made_last_us, last));
	history_show_bytes("head", &generation->made_head);
}

/*
 * Of a layout that the machine made there is the commitment to its seed, the seed sealed to the audit
 * key where the root names one, and nothing else. Where it
 * made one by itself since (after a crash, by a standing order), the one that was ordered was another:
 * its seed is a line of its own.
 */
static void history_show_layout(const Control__Generation *generation)
{
	char text[TEXT_SIZE];

	printf("%-14s%s, known outside: %s\n", "layout", generation->layout,
	        generation->known_outside ? "yes" : "no");
	if (generation->known_outside) {
		printf("%-14s0x%" PRIx64 ", payload %" PRIu64 " bytes\n", "base",
		        generation->base_address, generation->payload_len);
		history_show_bytes("build id", &generation->build_id);
		history_show_bytes("payload", &generation->payload_hash);
	}
	if (generation->made) {
		printf("%-14sthe machine made it by itself since; another one was ordered\n", "");
		history_show_made(generation);
		history_show_bytes("commitment", &generation->commitment);
		history_show_sealed(&generation->sealed);
	}
	history_show_bytes("seed commit", &generation->seed_commit);
	history_show_sealed(&generation->seed_sealed);
	if (generation->known_outside) {
		printf("%-14s%s", "signed", text_seconds(generation->issued, text));
		printf(", expires %s\n", text_seconds(generation->expires, text));
	}
	for (size_t i = 0; i < generation->n_signed_by; i++) {
		printf("%-14s%s\n", i ? "" : "signed by", text_id(&generation->signed_by[i], text));
	}
}

/*
 * One generation, from what it is to how it came to be. What was not made or not signed has
 * zeros, which print as `-`.
 */
static void history_show_print(const Control__Generation *generation)
{
	const Control__Job *job = generation->job;
	char text[TEXT_SIZE], wait[JOB_WAIT_SIZE];

	printf("%-14s%s on %s, generation %s\n", "service", generation->service,
	        generation->machine,
	        text_generation(generation->generation, generation->made, text));
	printf("%-14s%s\n", "state", generation->state);
	printf("%-14s%u %s\n", "release", generation->counter,
	        text_id(&generation->release_id, text));
	history_show_layout(generation);
	if (generation->effect) {
		history_show_effect(generation->effect);
	}
	printf("%-14s%s\n", "committed", text_time(generation->committed_us, text));
	if (!job) {
		return;
	}
	printf("%-14s%" PRIu64 " %s, %s, for %s\n", "job", job->id, job_kind_text(job->kind),
	        job_state_text(job->state), job->identity);
	if (*job->role) {
		printf("%-14s%s, by the way %s\n", "role", job->role, job->way);
	}
	if (*job->reason) {
		printf("%-14s%s\n", "reason", job->reason);
	}
	if (*job->waits_for) {
		printf("%-14s%s\n", "waiting", job_wait_text(job, wait));
	}
	history_show_override(job->override);
	if (job->cause) {
		printf("%-14s%s in step %s: %s (%s)\n", "cause", job->cause->component,
		        job->cause->step, job->cause->message, job->cause->name);
	}
	history_show_pairing(job);
	if (job->result) {
		history_show_result(job->result);
	}
	/*
	 * What nothing in the record says any more is not shown as if it were empty: a recovery lost the
	 * rows that said it.
	 */
	for (size_t i = 0; i < job->n_lost; i++) {
		printf("%-14s%s of the result: unknown (lost in recovery)\n", i ? "" : "lost",
		        job->lost[i]);
	}
	history_show_steps(job);
}

/*
 * `show ds 5`, or `show ds:5`. The second form is cut at the colon in argv itself, so ret's service
 * stays a string of argv. CTL_OK, or CTL_USAGE after the
 * reason was printed; 0 is no generation.
 */
static int history_show_which(const struct options *options, Control__ShowRequest *ret)
{
	char *colon = strchr(options->args[0], ':');
	const char *number = options->n_args == 2 ? options->args[1] : colon ? colon + 1 : NULL;

	if (!number || text_number(number, &ret->generation) < 0) {
		return ctl_fail(CTL_USAGE, "show", "`luctl history` lists the generations",
		        "name a service and a generation: `luctl show ds 5`");
	}
	if (options->n_args == 1) {
		*colon = '\0';
	}
	ret->service = options->args[0];
	return CTL_OK;
}

/*
 * One generation, whole: the request asks for what a list leaves out (the envelope, the sealed
 * seed), which --json prints.
 */
int cmd_show(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__ShowRequest show = CONTROL__SHOW_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code = history_show_which(options, &show);

	if (code != CTL_OK) {
		return code;
	}
	show.machine = (char *)options->machine;
	request.body_case = CONTROL__REQUEST__BODY_SHOW;
	request.show = &show;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK && !options->json) {
		history_show_print(reply->generation);
	}
	return code;
}
