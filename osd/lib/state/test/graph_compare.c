/* Compares the new side of a graph with what was meant. */
#include "osd/lib/state/test/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void graph_fail(const char *what, const void *old, const void *new)
{
	fprintf(stderr, "graph: %s differs: old %p new %p\n", what, old, new);
	abort();
}

static void compare_pointer(struct graph *g, struct model_place a, struct model_place b)
{
	const struct graph_link *link = graph_link_slot(g, a.addr);
	const struct graph_object *object = &g->objects[link->to.object];
	uint8_t *value = model_get_pointer(b);

	if (link->at == NULL) {
		if (value != NULL) {
			graph_fail("null pointer", a.addr, b.addr);
		}
	} else if (object->text != NULL) {
		if (strcmp((char *)value, object->text + link->to.old_off) != 0) {
			graph_fail("copied string", a.addr, b.addr);
		}
	} else if (value != object->new + link->to.new_off) {
		graph_fail("pointer", a.addr, b.addr);
	}
}

static void compare_value(struct graph *g, struct model_place a, struct model_place b);

static void compare_union(
        struct graph *g, struct model_place tag, struct model_place a, struct model_place b)
{
	static const char *const names[] = {".a", ".p", ".c", ".z"};
	int64_t alive = model_get(tag);

	if (alive >= 1 && alive <= 4) {
		compare_value(g, model_walk(a.type, a.addr, names[alive - 1]),
		        model_walk(b.type, b.addr, names[alive - 1]));
		return;
	}
	for (uint64_t i = 0; i < b.type->size; i++) {
		if (b.addr[i] != 0) {
			graph_fail("dead union", a.addr, b.addr);
		}
	}
}

static bool member_is_new(const struct model_type *old_type, struct model_type *new_type,
        const struct model_member *member)
{
	for (uint32_t i = 0; i < old_type->n; i++) {
		const struct model_member *old = &old_type->members[i];

		if (graph_partner(new_type, old->name) == member) {
			return graph_member_is_skipped(old, member);
		}
	}
	return true;
}

/* What is new or skipped must be as it was: zero. */
static void compare_new_members(struct model_place a, struct model_place b)
{
	for (uint32_t i = 0; i < b.type->n; i++) {
		struct model_place y = graph_member_place(b, &b.type->members[i]);

		if (!member_is_new(a.type, b.type, &b.type->members[i])) {
			continue;
		}
		for (uint64_t k = 0; y.n_bits == 0 && k < y.type->size; k++) {
			if (y.addr[k] != 0) {
				graph_fail("new member", a.addr, y.addr);
			}
		}
		if (y.n_bits != 0 && model_get(y) != 0) {
			graph_fail("new bitfield", a.addr, y.addr);
		}
	}
}

static void compare_record(struct graph *g, struct model_place a, struct model_place b)
{
	for (uint32_t i = 0; i < a.type->n; i++) {
		struct model_member *member = &a.type->members[i];
		struct model_member *partner = graph_partner(b.type, member->name);

		if (partner == NULL || graph_member_is_skipped(member, partner)) {
			continue;
		}
		if (member->type->kind == STATE_BTF_UNION) {
			compare_union(g, graph_member_place(a, member - 1),
			        graph_member_place(a, member), graph_member_place(b, partner));
		} else {
			compare_value(
			        g, graph_member_place(a, member), graph_member_place(b, partner));
		}
	}
	compare_new_members(a, b);
}

static double float_get(struct model_place place)
{
	float narrow;
	double wide;

	memcpy(&narrow, place.addr, sizeof(narrow));
	memcpy(&wide, place.addr, place.type->size == 8 ? sizeof(wide) : 0);
	return place.type->size == 8 ? wide : (double)narrow;
}

/* Names of the old value that are names of the new one. */
static void compare_enum(struct model_place a, struct model_place b)
{
	const struct model_type *x = a.type;
	const struct model_type *y = b.type;

	for (uint32_t i = 0; i < x->n; i++) {
		for (uint32_t k = 0; k < y->n; k++) {
			if (x->values[i] == model_get(a) && strcmp(x->names[i], y->names[k]) == 0 &&
			        y->values[k] == model_get(b)) {
				return;
			}
		}
	}
	graph_fail("enumerator", a.addr, b.addr);
}

static void compare_number(struct graph *g, struct model_place a, struct model_place b)
{
	(void)g;
	if (graph_type_is_enum(a.type)) {
		compare_enum(a, b);
	} else if (a.type->kind == STATE_BTF_FLOAT) {
		if (float_get(a) != float_get(b)) {
			graph_fail("float", a.addr, b.addr);
		}
	} else if (model_get(a) != model_get(b)) {
		graph_fail("number", a.addr, b.addr);
	}
}

static void compare_array(struct graph *g, struct model_place a, struct model_place b)
{
	for (uint32_t i = 0; i < a.type->n && i < b.type->n; i++) {
		struct model_place x = {.type = a.type->to, .addr = a.addr + i * a.type->to->size};
		struct model_place y = {.type = b.type->to, .addr = b.addr + i * b.type->to->size};

		compare_value(g, x, y);
	}
	for (uint64_t i = a.type->n * b.type->to->size; i < b.type->size; i++) {
		if (b.addr[i] != 0) {
			graph_fail("new part of an array", a.addr, b.addr);
		}
	}
}

static void compare_value(struct graph *g, struct model_place a, struct model_place b)
{
	if (a.type->kind == STATE_BTF_PTR) {
		compare_pointer(g, a, b);
	} else if (a.type->kind == STATE_BTF_STRUCT) {
		compare_record(g, a, b);
	} else if (a.type->kind == STATE_BTF_ARRAY) {
		compare_array(g, a, b);
	} else {
		compare_number(g, a, b);
	}
}

/* Names that were taken away and given to something new. */
static void compare_new_variables(struct graph *g)
{
	for (unsigned k = 0; k < 4; k++) {
		char name[8];
		struct model_symbol *b;
		uint32_t n = 1;

		snprintf(name, sizeof(name), "w%u", k);
		for (uint32_t i = 0; i < n; i++) {
			b = model_symbol_at(g->world->new, i, &n);
			if (strcmp(b->name, name) == 0 && b->n_notes == 0 &&
			        graph_variable_partner(g->world->new, name) != b &&
			        model_get((struct model_place){.type = b->type, .addr = b->addr}) !=
			                0) {
				graph_fail("new variable", NULL, b->addr);
			}
		}
	}
}

void graph_compare(struct graph *g)
{
	for (uint32_t k = 0; k < g->n_heap; k++) {
		char path[16];

		snprintf(path, sizeof(path), "all[%u]", k);
		g->objects[k].new = model_get_pointer(model_var(g->world->new, path));
		if (g->objects[k].new == NULL || g->objects[k].new == g->objects[k].old) {
			graph_fail("object", g->objects[k].old, g->objects[k].new);
		}
	}
	for (uint32_t k = 0; k < g->n_objects; k++) {
		const struct graph_object *object = &g->objects[k];

		for (uint64_t i = 0; object->old_type != NULL && i < object->count; i++) {
			struct model_place a = {.type = object->old_type,
			        .addr = object->old + i * object->old_type->size};
			struct model_place b = {.type = object->new_type,
			        .addr = object->new + i * object->new_type->size};

			compare_value(g, a, b);
		}
	}
	graph_each_plain(g, compare_value);
	compare_new_variables(g);
	if (model_get_pointer(model_var(g->world->new, "y2")) !=
	        model_var(g->world->new, "y0").addr) {
		graph_fail("pointer to a renamed type", NULL, NULL);
	}
	if (g->world->result.n_objects != g->n_heap) {
		graph_fail("number of objects", NULL, NULL);
	}
}
