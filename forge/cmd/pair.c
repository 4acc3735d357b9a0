/*
 * luforge pair: what an update between two kits carries over, loses and leaves, both ways, for
 * people or as JSON. The JSON is read by lud (orchestrator/job/pair/pairing.c), which takes
 * `format` 1 only. Names come out of the kits: for people they are escaped. The exit code is
 * that of the way forward.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/pair/pair.h"

/* The `what` of a notice in JSON: part of format 1. */
static const char *const pair_things[_STATE_THING_N] = {
        [STATE_THING_VARIABLE] = "variable",
        [STATE_THING_MEMBER] = "member",
        [STATE_THING_OBJECTS] = "objects",
        [STATE_THING_ELEMENTS] = "elements",
        [STATE_THING_ENUMERATOR] = "enumerator",
};

/* In front of a notice's text, which says by itself what elements and enumerators are. */
static const char *const pair_thing_words[_STATE_THING_N] = {
        [STATE_THING_VARIABLE] = "variable ",
        [STATE_THING_MEMBER] = "member ",
        [STATE_THING_OBJECTS] = "objects ",
        [STATE_THING_ELEMENTS] = "",
        [STATE_THING_ENUMERATOR] = "",
};

/* Kinds of notices, in the order in which both forms have them. Keys are part of format 1. */
static const struct {
	const char *key;   /* in JSON */
	const char *words; /* for people */
} pair_kinds[_STATE_NOTICE_N] = {
        [STATE_NOTICE_LOST] = {"loss", "lost"},
        [STATE_NOTICE_AT_RISK] = {"at_risk", "lost if in use"},
        [STATE_NOTICE_DROPPED] = {"dropped", "dropped on purpose"},
        [STATE_NOTICE_MOVED] = {"moved", "moved"},
};

/*
 * "FILE:NAME" or "FILE:FUNCTION:NAME", as state pairs; "" for UINT32_MAX, which stands for no
 * entry. Owned by the caller.
 */
static char *pair_entry_name(const struct state_desc *desc, uint32_t i)
{
	const struct state_entry *e;
	const char *scope;

	if (i == UINT32_MAX) {
		return mem_strdup("");
	}
	e = &desc->entries[i];
	scope = state_desc_string(desc, e->scope);
	return mem_printf("%s:%s%s%s", state_desc_string(desc, e->unit), scope, *scope ? ":" : "",
	        state_desc_string(desc, e->name));
}

/*
 * Would the update be refused without consent? What is dropped on purpose, moved, or only at
 * risk is no loss.
 */
static bool pair_is_lossy(const struct pair *pair)
{
	const struct state_notice *n = state_pair_notices(pair->pairing);

	while (n != NULL && n->kind != STATE_NOTICE_LOST) {
		n = n->next;
	}
	return n != NULL;
}

/*
 * The n-th handler that an annotation of the new release names, and what it is for: a variable, a
 * type or a member of one. NULL: there are not so many, and *ret_of is untouched. *ret_of is the
 * caller's; the name belongs to the description.
 */
static const char *pair_handler(const struct state_desc *desc, uint32_t n, char **ret_of)
{
	static const char prefix[] = STATE_TAG_PREFIX "handler=";

	for (uint32_t i = 0; i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];
		const char *text = state_desc_string(desc, tag->text);
		const char *type;

		if (strncmp(text, prefix, sizeof(prefix) - 1) != 0 || n-- > 0) {
			continue;
		}
		if (tag->scope == STATE_TAG_ENTRY) {
			*ret_of = pair_entry_name(desc, tag->owner);
		} else {
			type = state_type_name(desc, tag->owner);
			*ret_of = tag->member == STATE_TAG_SELF
			                  ? mem_strdup(type)
			                  : mem_printf("%s.%s", type,
			                            state_type_member(desc, tag->owner, tag->member)
			                                    .name);
		}
		return text + sizeof(prefix) - 1;
	}
	return NULL;
}

/*
 * Notices come newest first; they are put in front, so the list is in the order of the
 * pairing.
 */
static json_t *pair_json_notices(const struct pair *pair, enum state_notice_kind kind)
{
	json_t *list = json_array();

	for (const struct state_notice *n = state_pair_notices(pair->pairing); n != NULL;
	        n = n->next) {
		MEM_FREE char *entry = pair_entry_name(&pair->side[0]->desc, n->entry);

		if (n->kind == kind) {
			(void)json_array_insert_new(list, 0,
			        json_pack("{ss ss ss ss}", "what", pair_things[n->thing], "entry",
			                entry, "member", n->member, "text", n->text));
		}
	}
	return list;
}

/*
 * Initial values, or rows of constant tables, that differ; named as in the new release. Values are
 * there only where they are numbers.
 */
static json_t *pair_json_initial(const struct pair *pair, const struct pair_initial *all, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct pair_initial *one = &all[i];
		MEM_FREE char *entry = pair_entry_name(&pair->side[1]->desc, one->entry[1]);
		json_t *row = json_pack("{ss ss}", "entry", entry, "member", one->member);

		if (one->is_number) {
			(void)json_object_set_new(row, "old", json_integer(one->value[0]));
			(void)json_object_set_new(row, "new", json_integer(one->value[1]));
		}
		(void)json_array_append_new(list, row);
	}
	return list;
}

/* Functions that annotations of the new release name as handlers, each with what it is for. */
static json_t *pair_json_handlers(const struct pair *pair)
{
	json_t *list = json_array();
	const char *function;
	char *of = NULL;

	for (uint32_t n = 0; (function = pair_handler(&pair->side[1]->desc, n, &of)) != NULL; n++) {
		(void)json_array_append_new(
		        list, json_pack("{ss ss}", "function", function, "of", of));
		free(of);
	}
	return list;
}

/* What the ids of both sides are: `lud` compares them with what it has. */
static json_t *pair_json_side(const struct pair_side *side)
{
	uint8_t id[64];
	char hash[129], release[129];

	kit_manifest_release_id(side->kit.manifest, id);
	args_hex(id, release);
	args_hex(side->kit.manifest->state_hash, hash);
	return json_pack("{ss ss si ss ss}", "kit", side->kit.path, "service",
	        side->kit.manifest->service, "release", (int)side->kit.manifest->counter,
	        "release_id", release, "state_hash", hash);
}

/*
 * One direction. An impossible one has error and rule, and no lists. Every list is there otherwise,
 * also an empty one, so that a reader need not tell "none" from "unknown".
 */
static json_t *pair_json(const struct pair *pair)
{
	bool is_possible = pair->result.code == STATE_OK;
	json_t *object;
	char id[129];

	args_hex(pair->id, id);
	object = json_pack("{so so ss sb}", "old", pair_json_side(pair->side[0]), "new",
	        pair_json_side(pair->side[1]), "pairing_id", id, "possible", is_possible);
	if (!is_possible) {
		(void)json_object_set_new(object, "error", json_string(pair->result.error));
		(void)json_object_set_new(
		        object, "rule", json_string(state_code_text(pair->result.code)));
		return object;
	}
	for (int kind = 0; kind < _STATE_NOTICE_N; kind++) {
		(void)json_object_set_new(object, pair_kinds[kind].key,
		        pair_json_notices(pair, (enum state_notice_kind)kind));
	}
	(void)json_object_set_new(
	        object, "initial", pair_json_initial(pair, pair->initial, pair->n_initial));
	(void)json_object_set_new(
	        object, "tables", pair_json_initial(pair, pair->tables, pair->n_tables));
	(void)json_object_set_new(object, "handlers", pair_json_handlers(pair));
	return object;
}

/* As pair_json_initial(), a line each; words say which of the two lists it is. */
static void pair_print_initial(const struct pair *pair, const char *words,
        const struct pair_initial *all, size_t n, FILE *to)
{
	for (size_t i = 0; i < n; i++) {
		const struct pair_initial *one = &all[i];
		MEM_FREE char *entry = pair_entry_name(&pair->side[1]->desc, one->entry[1]);

		fprintf(to, "  %s: %s%s", words, entry, one->member);
		if (one->is_number) {
			fprintf(to, " (%" PRId64 " -> %" PRId64 ")", one->value[0], one->value[1]);
		}
		fprintf(to, "\n");
	}
}

static void pair_print_handlers(const struct pair *pair, FILE *to)
{
	const char *function;
	char *of = NULL;

	for (uint32_t n = 0; (function = pair_handler(&pair->side[1]->desc, n, &of)) != NULL; n++) {
		fprintf(to, "  handler: %s for %s\n", function, of);
		free(of);
	}
}

/* The same for people, in the same order. */
static void pair_write(const struct pair *pair, FILE *to)
{
	uint32_t n_variables = 0;
	uint32_t entry[2];
	char id[129];

	args_hex(pair->id, id);
	fprintf(to, "%s -> %s\n  pairing %s\n", pair->side[0]->kit.path, pair->side[1]->kit.path,
	        id);
	if (pair->result.code != STATE_OK) {
		fprintf(to, "  impossible (%s): %s\n", state_code_text(pair->result.code),
		        pair->result.error);
		return;
	}
	while (state_pair_variable(pair->pairing, n_variables, entry)) {
		n_variables++;
	}
	fprintf(to, "  %u variables are carried over%s\n", n_variables,
	        pair_is_lossy(pair) ? "; state would be lost" : "");
	for (int kind = 0; kind < _STATE_NOTICE_N; kind++) {
		for (const struct state_notice *n = state_pair_notices(pair->pairing); n != NULL;
		        n = n->next) {
			if (n->kind == (enum state_notice_kind)kind) {
				fprintf(to, "  %s: %s%s\n", pair_kinds[kind].words,
				        pair_thing_words[n->thing], n->text);
			}
		}
	}
	pair_print_initial(pair, "initial value changed, the running value stays", pair->initial,
	        pair->n_initial, to);
	pair_print_initial(pair, "constant table changed, pointers to rows follow their content",
	        pair->tables, pair->n_tables, to);
	pair_print_handlers(pair, to);
}

/*
 * Print it for people. Names of both releases are their authors' words, so the text is collected
 * first and escaped as a whole. Without memory nothing is printed; the exit code is the same.
 */
static void pair_print(const struct pair *pair)
{
	MEM_FREE char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (to == NULL) {
		return;
	}
	pair_write(pair, to);
	(void)fclose(to);
	report_text(stdout, text);
}

/* Only the way forward decides; the way back is told for who may have to roll back. */
static int pair_exit(const struct pair *forward)
{
	if (forward->result.code != STATE_OK) {
		return FORGE_EXIT_NO_PAIR;
	}
	return pair_is_lossy(forward) ? FORGE_EXIT_LOSS : 0;
}

/* Both ways, whatever the first one says: 4 and 5 are exit codes, not failures. */
static int pair_show(const char *old_path, const char *new_path, bool is_json)
{
	MEM_CLEANUP(pair_side_fini) struct pair_side old = {0};
	MEM_CLEANUP(pair_side_fini) struct pair_side new = {0};
	MEM_CLEANUP(pair_fini) struct pair forward = {0};
	MEM_CLEANUP(pair_fini) struct pair back = {0};
	json_t *both;
	int r = pair_side_read(&old, old_path);

	if (r == 0) {
		r = pair_side_read(&new, new_path);
	}
	if (r == 0) {
		r = pair_make(&forward, &old, &new);
	}
	if (r == 0) {
		r = pair_make(&back, &new, &old);
	}
	if (r < 0) {
		return r;
	}
	if (is_json) {
		both = json_pack("{si so so}", "format", 1, "forward", pair_json(&forward), "back",
		        pair_json(&back));
		(void)json_dumpf(both, stdout, JSON_INDENT(2));
		(void)putchar('\n');
		json_decref(both);
	} else {
		pair_print(&forward);
		pair_print(&back);
	}
	return pair_exit(&forward);
}

int cmd_pair(int argc, char **argv)
{
	const struct args_option options[] = {{0}};
	const bool is_json = args_take_flag(&argc, argv, "--json");
	int n_operands, r;

	r = args_parse(argc, argv, options, &n_operands);
	if (r != 0) {
		return r;
	}
	if (n_operands != 2) {
		return args_wrong("pair needs two kits, the old and the new one");
	}
	return pair_show(argv[1], argv[2], is_json);
}
