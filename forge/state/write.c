/*
 * Putting a state description together: entries, types and annotations are collected, equal
 * types merged, and the parts filled and joined. Every text is stored once. The symbol of each
 * entry goes into a list of its own, line by line in the same order; by it the addresses of a
 * variant find their entries. A handler that is named and not in the program is refused here,
 * because it would only be missed in the middle of an update; and the machine's own reader
 * must accept what was written.
 */
#include "forge/state/write.h"

#include <stdio.h>
#include <string.h>

#include "forge/base/names.h"
#include "forge/base/report.h"
#include "forge/debug/info.h"
#include "forge/debug/type_btf.h"
#include "forge/debug/type_graph.h"
#include "forge/state/entry.h"
#include "proto/state/state_desc.h"

struct state_tables {
	struct entry_list entries;
	struct type_graph graph;
	struct buf part[_STATE_PART_N];
	struct names texts; /* text -> offset in the string part; keys borrowed */
};

static void state_tables_fini(struct state_tables *t)
{
	int i;

	for (i = 0; i < _STATE_PART_N; i++) {
		buf_fini(&t->part[i]);
	}
	names_fini(&t->texts);
	entry_list_fini(&t->entries);
	type_graph_fini(&t->graph);
}

/*
 * The offset of a text, stored once. Keys of the map are the graph's and the entries' own
 * strings.
 */
static uint32_t state_put_text(struct state_tables *t, const char *text)
{
	struct buf *b = &t->part[STATE_PART_STRINGS];
	const uint64_t *known = names_find(&t->texts, text);
	const size_t at = b->len;

	if (known) {
		return (uint32_t)*known;
	}
	(void)names_add(&t->texts, text, at);
	buf_add(b, text, strlen(text) + 1);
	return (uint32_t)at;
}

/* A literal's bytes, NULs included; not shared: names_find() would stop at the first. */
static uint32_t state_put_content(struct state_tables *t, const struct entry *e)
{
	struct buf *b = &t->part[STATE_PART_STRINGS];
	const size_t at = b->len;

	buf_add(b, e->content, e->size);
	return (uint32_t)at;
}

/* Entries are written in the list's order, which is the order that readers search in. */
static void state_put_entry(struct state_tables *t, const struct entry *e)
{
	const bool string = e->kind == STATE_STRING;
	const struct state_entry out = {
	        .kind = e->kind,
	        .flags = e->readonly ? STATE_ENTRY_READONLY : 0,
	        .unit = state_put_text(t, e->unit),
	        .scope = state_put_text(t, e->scope),
	        .name = string ? state_put_content(t, e) : state_put_text(t, e->name),
	        .type = t->graph.class[e->type],
	        .align = (uint32_t)e->align,
	        .size = e->size,
	};

	buf_add(&t->part[STATE_PART_ENTRIES], &out, sizeof(out));
}

static void state_put_tags(struct state_tables *t, struct type_range tags,
        enum state_tag_scope scope, uint32_t owner, uint32_t member)
{
	uint32_t i;

	for (i = 0; i < tags.n; i++) {
		const struct state_tag out = {
		        .scope = scope,
		        .owner = owner,
		        .member = member,
		        .text = state_put_text(t, t->graph.tags[tags.first + i]),
		};

		buf_add(&t->part[STATE_PART_TAGS], &out, sizeof(out));
	}
}

/*
 * One node of each class; classes are numbered as their first nodes come, so this is in order
 * of type, then member, as readers expect.
 */
static void state_put_type_tags(struct state_tables *t)
{
	const struct type_graph *g = &t->graph;
	uint32_t i, k, next = 1;

	for (i = 1; i < g->n_nodes; i++) {
		if (g->class[i] != next) {
			continue;
		}
		for (k = 0; k < g->nodes[i].members.n; k++) {
			state_put_tags(t, g->members[g->nodes[i].members.first + k].tags,
			        STATE_TAG_TYPE, next, k);
		}
		state_put_tags(t, g->nodes[i].tags, STATE_TAG_TYPE, next, STATE_TAG_SELF);
		next++;
	}
}

/* By name alone, as the machine will look for it. */
static bool state_has_function(const struct state_tables *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->entries.n; i++) {
		if (t->entries.items[i].kind == STATE_FUNCTION &&
		        strcmp(t->entries.items[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

/* A handler that is missing would only be noticed in the middle of an update. */
static int state_check_handlers(const struct state_tables *t)
{
	static const char key[] = STATE_TAG_PREFIX "handler=";
	const size_t len = sizeof(key) - 1;
	size_t i;

	for (i = 0; i < t->graph.n_tags; i++) {
		const char *tag = t->graph.tags[i];

		if (strncmp(tag, key, len) == 0 && !state_has_function(t, tag + len)) {
			return report_refuse(tag + len,
			        "named as a handler of state, but not in the program; mark its "
			        "definition STATE_HANDLER_USED");
		}
	}
	return 0;
}

/*
 * Strings first: offset 0 is "". Every part refers to strings by offset and to types by
 * class.
 */
static int state_fill(struct state_tables *t)
{
	size_t i;

	buf_add_zero(&t->part[STATE_PART_STRINGS], 1);
	(void)names_add(&t->texts, "", 0);
	for (i = 0; i < t->entries.n; i++) {
		state_put_entry(t, &t->entries.items[i]);
	}
	state_put_type_tags(t);
	for (i = 0; i < t->entries.n; i++) {
		state_put_tags(
		        t, t->entries.items[i].tags, STATE_TAG_ENTRY, (uint32_t)i, STATE_TAG_SELF);
	}
	return type_btf_write(&t->graph, &t->part[STATE_PART_BTF], &t->part[STATE_PART_TYPES]);
}

/* Header, then the parts, each 8-byte aligned; places and lengths go into the header. */
static void state_join(struct state_tables *t, const struct state_request *q, struct buf *out)
{
	struct state_header h = {.magic = STATE_MAGIC,
	        .format = STATE_FORMAT,
	        .header_size = sizeof(h),
	        .n_entries = (uint32_t)t->entries.n};
	int i;

	(void)snprintf(h.service, sizeof(h.service), "%s", q->service);
	buf_add_zero(out, sizeof(h));
	for (i = 0; i < _STATE_PART_N; i++) {
		buf_align(out, 8);
		h.part[i] = (struct state_part){out->len, t->part[i].len};
		buf_add(out, t->part[i].bytes, t->part[i].len);
	}
	h.total_size = out->len;
	memcpy(out->bytes, &h, sizeof(h));
}

/* The reader in the machine must accept what was written, now rather than there. */
static int state_verify(const struct buf *out)
{
	struct state_desc desc;
	enum state_desc_error error = state_desc_check(out->bytes, out->len, &desc);

	if (error != STATE_DESC_OK) {
		return report_failed("state description", "the reader refuses it: %s",
		        state_desc_error_text(error));
	}
	return 0;
}

/*
 * ret_symbols has a line for each entry of ret_state, in its order; what was appended on
 * failure is the caller's to throw away.
 */
int state_write(const struct state_request *request, struct buf *ret_state, struct buf *ret_symbols)
{
	MEM_CLEANUP(debug_info_fini) struct debug_info debug = {0};
	MEM_CLEANUP(state_tables_fini) struct state_tables t = {0};
	size_t i;
	int r;

	type_graph_init(&t.graph);
	r = debug_info_init(&debug, request->linked);
	if (r == 0) {
		r = entry_list_init(&t.entries, request, &debug, &t.graph);
	}
	if (r == 0) {
		r = state_check_handlers(&t);
	}
	if (r < 0) {
		return r;
	}
	type_graph_merge(&t.graph);
	r = state_fill(&t);
	if (r < 0) {
		return r;
	}
	state_join(&t, request, ret_state);
	buf_add(ret_symbols, "", 0);
	for (i = 0; i < t.entries.n; i++) {
		buf_printf(ret_symbols, "%s\n", t.entries.items[i].symbol);
	}
	return state_verify(ret_state);
}
