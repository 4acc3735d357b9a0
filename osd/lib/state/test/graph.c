/* Fills the old side of a graph, and remembers what was meant. */
#include "osd/lib/state/test/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *note_find(const struct model_note *notes, unsigned n, const char *key)
{
	size_t len = strlen(key);

	for (unsigned i = 0; i < n; i++) {
		if (strncmp(notes[i].text, key, len) == 0) {
			return notes[i].text + len;
		}
	}
	return NULL;
}

static const char *member_note(const struct model_member *member, const char *key)
{
	return note_find(member->notes, member->n_notes, key);
}

/* Who says that it was called so, else who is still. */
struct model_member *graph_partner(struct model_type *new_type, const char *name)
{
	struct model_member *same = NULL;

	for (uint32_t i = 0; i < new_type->n; i++) {
		struct model_member *member = &new_type->members[i];
		const char *renamed = member_note(member, "renamed=");

		if (renamed != NULL && strcmp(renamed, name) == 0) {
			return member;
		}
		if (renamed == NULL && strcmp(member->name, name) == 0) {
			same = member;
		}
	}
	return same;
}

/* The old variable of the first file. */
static struct model_symbol *variable_old(struct model *old, const char *name)
{
	uint32_t n = 1;

	for (uint32_t i = 0; i < n; i++) {
		struct model_symbol *symbol = model_symbol_at(old, i, &n);

		if (strcmp(symbol->name, name) == 0 && strcmp(symbol->unit, "a.c") == 0) {
			return symbol;
		}
	}
	return NULL;
}

/* The same for variables. */
struct model_symbol *graph_variable_partner(struct model *new, const char *name)
{
	struct model_symbol *same = NULL;
	uint32_t n = 1;

	for (uint32_t i = 0; i < n; i++) {
		struct model_symbol *symbol = model_symbol_at(new, i, &n);
		const char *renamed = note_find(symbol->notes, symbol->n_notes, "renamed=");

		if (renamed != NULL && strcmp(renamed, name) == 0) {
			return symbol;
		}
		if (renamed == NULL && strcmp(symbol->name, name) == 0) {
			same = symbol;
		}
	}
	return same;
}

bool graph_member_is_skipped(const struct model_member *old, const struct model_member *new)
{
	return member_note(old, "skip") != NULL || member_note(new, "skip") != NULL;
}

static void spot_add(struct graph *g, unsigned want, uint32_t object, uint64_t old, uint64_t new)
{
	if (g->n_spots[want] < GRAPH_SPOTS) {
		g->spots[want][g->n_spots[want]++] =
		        (struct graph_spot){.object = object, .old_off = old, .new_off = new};
	}
}

static void spots_find(struct graph *g, uint32_t object, struct model_type *a, struct model_type *b,
        uint64_t old, uint64_t new);

static void spots_of_array(struct graph *g, uint32_t object, struct model_type *a,
        struct model_type *b, uint64_t old, uint64_t new)
{
	uint32_t n = a->n < b->n ? a->n : b->n;
	bool is_char = strcmp(a->to->name, "char") == 0;

	for (uint32_t i = 0; i < n + (a->n == b->n); i++) {
		uint64_t x = old + i * a->to->size;
		uint64_t y = new + i * b->to->size;

		if (is_char || strcmp(a->to->name, "i32") == 0) {
			spot_add(g, is_char ? GRAPH_CHARS : GRAPH_INTS, object, x, y);
		} else if (a->to->name[0] == 'S' && i == n) {
			spot_add(g, (unsigned)(a->to->name[1] - '0'), object, x, y);
		}
		if (i < n) {
			spots_find(g, object, a->to, b->to, x, y);
		}
	}
}

/* Every place inside a value that both sides have. */
static void spots_find(struct graph *g, uint32_t object, struct model_type *a, struct model_type *b,
        uint64_t old, uint64_t new)
{
	if (a->kind == STATE_BTF_ARRAY) {
		spots_of_array(g, object, a, b, old, new);
	}
	if (a->kind != STATE_BTF_STRUCT) {
		return;
	}
	if (a->name[0] == 'S') {
		spot_add(g, (unsigned)(a->name[1] - '0'), object, old, new);
	}
	for (uint32_t i = 0; i < a->n; i++) {
		struct model_member *member = &a->members[i];
		struct model_member *partner = graph_partner(b, member->name);

		if (partner != NULL && member->n_bits == 0 && partner->n_bits == 0 &&
		        !graph_member_is_skipped(member, partner)) {
			spots_find(g, object, member->type, partner->type, old + member->off,
			        new + partner->off);
		}
	}
}

static void object_spots(struct graph *g, uint32_t k)
{
	const struct graph_object *object = &g->objects[k];
	struct model_type *a = object->old_type;

	for (uint64_t i = 0; i < object->count; i++) {
		uint64_t old = i * a->size;
		uint64_t new = i * object->new_type->size;

		spots_find(g, k, a, object->new_type, old, new);
		if (strcmp(a->name, "char") == 0 || strcmp(a->name, "i32") == 0) {
			spot_add(g, a->name[0] == 'c' ? GRAPH_CHARS : GRAPH_INTS, k, old, new);
		}
		if (object->is_heap) {
			spot_add(g, GRAPH_WHOLE, k, old, new);
		}
	}
	if (a->kind == STATE_BTF_STRUCT && object->is_heap) {
		spot_add(g, (unsigned)(a->name[1] - '0'), k, object->count * a->size,
		        object->count * object->new_type->size);
	}
}

static struct graph_object *object_add(struct graph *g, struct model_type *a, struct model_type *b)
{
	struct graph_object *object = &g->objects[g->n_objects++];

	object->old_type = a;
	object->new_type = b;
	object->count = 1;
	return object;
}

/* Elements of both sides' types, of at most so many bytes as are left for heap objects; perhaps 0. */
static uint64_t count_that_fits(
        const struct model_type *a, const struct model_type *b, uint64_t count, uint64_t *room)
{
	uint64_t size = a->size > b->size ? a->size : b->size;

	count = count < *room / size ? count : *room / size;
	*room -= count * size;
	return count;
}

static void objects_allocate(struct graph *g)
{
	uint32_t n = (uint32_t)random_below(g->random, GRAPH_OBJECTS) + 1;
	/* No object is too large for a heap, and all of them fit the world's. */
	uint64_t room = HEAP_OBJECT_MAX;

	while (g->n_heap < n) {
		static const char *const other[] = {"fc", "fi", "fp"};
		uint64_t pick = random_below(g->random, g->n_structs + 3);
		uint64_t count = random_one_in(g->random, 3) ? random_below(g->random, 40) : 1;
		struct model *old = g->world->old;
		struct model *new = g->world->new;
		struct graph_object *object;
		char name[8];

		snprintf(name, sizeof(name), pick < 3 ? "%.0u%s" : "S%u%s",
		        pick < 3 ? 0 : (unsigned)pick - 3,
		        pick == 0   ? "char"
		        : pick == 1 ? "i32"
		                    : "");
		object = pick == 2 ? object_add(g, model_symbol_find(old, "name")->type,
		                             model_symbol_find(new, "name")->type)
		                   : object_add(g, model_type_find(old, name),
		                             model_type_find(new, name));
		count = count_that_fits(object->old_type, object->new_type, count, &room);
		name[0] = 'f';
		object->old = world_object(g->world, pick < 3 ? other[pick] : name, 0, count);
		object->count = count;
		object->is_heap = true;
		g->n_heap++;
	}
}

static void objects_of_variables(struct graph *g)
{
	for (unsigned v = 0; v < 8; v++) {
		char name[8];
		struct model_symbol *a;
		struct model_symbol *b;
		struct graph_object *object;

		snprintf(name, sizeof(name), "v%u", v);
		a = model_symbol_find(g->world->old, name);
		b = model_symbol_find(g->world->new, name);
		object = object_add(g, a->type, b->type);
		object->old = a->addr;
		object->new = b->addr;
		spot_add(g, GRAPH_WHOLE, g->n_objects - 1, 0, 0);
	}
}

static void objects_of_symbols(struct graph *g)
{
	static const char *const names[] = {
	        "one", "two", "three", "gone", "lost", "c0", "c1", "c2"};

	for (unsigned i = 0; i < 8; i++) {
		struct graph_object *object = object_add(g, NULL, NULL);

		object->old = model_symbol_find(g->world->old, names[i])->addr;
		object->text = i == 3 || i == 4 ? names[i] : NULL;
		if (object->text == NULL) {
			object->new = model_symbol_find(g->world->new, names[i])->addr;
		}
		spot_add(g, i < 5 ? GRAPH_CHARS : GRAPH_CALLS, g->n_objects - 1, 0, 0);
		if (i < 5) {
			spot_add(g, GRAPH_CHARS, g->n_objects - 1, 2, 2);
		}
	}
}

struct graph_link *graph_link_slot(struct graph *g, const uint8_t *at)
{
	uint64_t hash = ((uintptr_t)at >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 20;
	struct graph_link *link = &g->links[hash % GRAPH_LINKS];

	while (link->at != NULL && link->at != at) {
		link = link + 1 < g->links + GRAPH_LINKS ? link + 1 : g->links;
	}
	return link;
}

/* Which list of spots a pointer of this type draws from. */
static unsigned pointer_want(const struct model_type *type)
{
	if (type->to == NULL) {
		return GRAPH_WHOLE;
	}
	if (type->to->kind == STATE_BTF_STRUCT) {
		return (unsigned)(type->to->name[1] - '0');
	}
	return strcmp(type->to->name, "char") == 0  ? GRAPH_CHARS
	       : strcmp(type->to->name, "i32") == 0 ? GRAPH_INTS
	                                            : GRAPH_CALLS;
}

static void link_make(struct graph *g, struct model_place place, struct graph_spot spot)
{
	struct graph_link *link;

	if (g->n_links == GRAPH_LINKS / 2) {
		return;
	}
	model_put_pointer(place, g->objects[spot.object].old + spot.old_off);
	link = graph_link_slot(g, place.addr);
	g->n_links += link->at == NULL;
	link->at = place.addr;
	link->to = spot;
}

static void fill_pointer(struct graph *g, struct model_place place)
{
	unsigned want = pointer_want(place.type);

	if (g->n_spots[want] == 0 || random_one_in(g->random, 5)) {
		return;
	}
	link_make(g, place, g->spots[want][random_below(g->random, g->n_spots[want])]);
}

static unsigned place_bits(struct model_place place)
{
	return place.n_bits != 0 ? place.n_bits : (unsigned)place.type->size * 8;
}

bool graph_type_is_enum(const struct model_type *type)
{
	return type->kind == STATE_BTF_ENUM || type->kind == STATE_BTF_ENUM64;
}

static void fill_float(struct graph *g, struct model_place place)
{
	float value = (float)random_below(g->random, 1000) / 4;
	double wide = (double)value;

	memcpy(place.addr, place.type->size == 4 ? (void *)&value : &wide, place.type->size);
}

/* A value that both sides can hold. While filling only the type of b counts. */
static void fill_number(struct graph *g, struct model_place a, struct model_place b)
{
	bool both_signed = (a.type->encoding & b.type->encoding & STATE_BTF_SIGNED) != 0;
	bool any_signed = ((a.type->encoding | b.type->encoding) & STATE_BTF_SIGNED) != 0;
	unsigned bits = place_bits(a) < place_bits(b) ? place_bits(a) : place_bits(b);
	uint64_t value = random_below(g->random, UINT64_MAX);

	graph_harm_number(g, a, b);
	if (graph_type_is_enum(a.type)) {
		model_put(a, a.type->values[random_below(g->random, a.type->n)]);
		return;
	}
	if ((a.type->encoding & STATE_BTF_BOOL) != 0) {
		bits = 1;
	} else if (any_signed) {
		bits--;
	}
	value = bits == 0 ? 0 : value >> (64 - bits);
	model_put(a, (int64_t)(both_signed && random_one_in(g->random, 2) ? ~value : value));
}

static void fill_value(struct graph *g, struct model_place a, struct model_place b);

/* Something that the new release starts with, in a variable, and that must not stay. */
static void fill_initial(struct graph *g, struct model_place b)
{
	size_t size;
	const uint8_t *image = model_image(g->world->new, &size);

	if (b.addr >= image && b.addr < image + size) {
		memset(b.addr, (int)random_below(g->random, 256), b.type->size);
	}
}

/* Members 1 to 4 are alive on both sides, 6 is gone, 0 holds nothing, 5 only if `new` says so. */
static void fill_union(struct graph *g, struct model_place tag, struct model_place a,
        struct model_place b, const struct model_member *new)
{
	static const char *const names[] = {".a", ".p", ".c", ".z"};
	uint64_t alive = random_below(g->random, 7);
	bool is_empty_else = strcmp(new->notes[1].text, "empty") == 0;
	bool is_zero = alive == 5 && !is_empty_else;

	graph_harm_union(g, tag, a, is_empty_else);
	model_put(tag, (int64_t)alive);
	memset(a.addr, is_zero ? 0 : (int)random_below(g->random, 256), a.type->size);
	if (alive >= 1 && alive <= 4) {
		struct model_place x = model_walk(a.type, a.addr, names[alive - 1]);
		struct model_place y = model_walk(b.type, b.addr, names[alive - 1]);

		memset(x.addr, 0, x.type->size);
		fill_value(g, x, y);
	} else {
		fill_initial(g, b);
	}
}

struct model_place graph_member_place(struct model_place record, const struct model_member *m)
{
	return (struct model_place){
	        .type = m->type,
	        .addr = record.addr + m->off,
	        .bit = m->bit,
	        .n_bits = m->n_bits,
	};
}

static void fill_record(struct graph *g, struct model_place a, struct model_place b)
{
	for (uint32_t i = 0; i < a.type->n; i++) {
		struct model_member *member = &a.type->members[i];
		struct model_member *partner = graph_partner(b.type, member->name);
		struct model_place x = graph_member_place(a, member);

		if (partner == NULL || graph_member_is_skipped(member, partner)) {
			/* Whatever it holds must not matter. */
			if (x.n_bits != 0) {
				model_put(x, -1);
			} else {
				memset(x.addr, -1, x.type->size);
			}
		} else if (member->type->kind == STATE_BTF_UNION) {
			fill_union(g, graph_member_place(a, member - 1), x,
			        graph_member_place(b, partner), partner);
		} else if (member->name[0] != 't') {
			fill_value(g, x, graph_member_place(b, partner));
		}
	}
}

static void fill_value(struct graph *g, struct model_place a, struct model_place b)
{
	if (a.type->kind == STATE_BTF_PTR) {
		fill_pointer(g, a);
	} else if (a.type->kind == STATE_BTF_STRUCT) {
		fill_record(g, a, b);
	} else if (a.type->kind == STATE_BTF_ARRAY) {
		for (uint32_t i = 0; i < a.type->n && i < b.type->n; i++) {
			struct model_place x = {
			        .type = a.type->to, .addr = a.addr + i * a.type->to->size};
			struct model_place y = {
			        .type = b.type->to, .addr = b.addr + i * b.type->to->size};

			fill_value(g, x, y);
		}
		if (b.type->n < a.type->n && strcmp(a.type->to->name, "char") == 0) {
			a.addr[b.type->n - 1] = 0;
		}
		graph_harm_tail(g, a, b.type->n * a.type->to->size);
	} else if (a.type->kind == STATE_BTF_FLOAT) {
		fill_float(g, a);
	} else {
		fill_number(g, a, b);
	}
}

/* Variables that no pointer leads to, with their partners. */
void graph_each_plain(
        struct graph *g, void (*call)(struct graph *g, struct model_place a, struct model_place b))
{
	static const char *const names[] = {
	        "name", "number", "call", "l0", "l1", "l2", "w0", "w1", "w2", "w3", "y0", "y1"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct model_symbol *a = variable_old(g->world->old, names[i]);
		struct model_symbol *b = graph_variable_partner(g->world->new, names[i]);
		struct model_place x = {.type = a->type, .addr = a->addr};

		if (b != NULL) {
			call(g, x, (struct model_place){.type = b->type, .addr = b->addr});
		}
	}
}

void graph_fill(struct graph *g)
{
	objects_allocate(g);
	objects_of_variables(g);
	for (uint32_t k = 0; k < g->n_objects; k++) {
		object_spots(g, k);
	}
	objects_of_symbols(g);
	for (uint32_t k = 0; k < g->n_heap; k++) {
		char path[16];

		snprintf(path, sizeof(path), "all[%u]", k);
		link_make(g, model_var(g->world->old, path), (struct graph_spot){.object = k});
	}
	for (uint32_t k = 0; k < g->n_objects; k++) {
		const struct graph_object *object = &g->objects[k];

		for (uint64_t i = 0; object->old_type != NULL && i < object->count; i++) {
			struct model_place a = {.type = object->old_type,
			        .addr = object->old + i * object->old_type->size};
			struct model_place b = {.type = object->new_type, .addr = a.addr};

			if (object->new != NULL) {
				b.addr = object->new + i * object->new_type->size;
			}
			fill_value(g, a, b);
		}
	}
	graph_each_plain(g, fill_value);
	model_put_pointer(model_var(g->world->old, "y2"), model_var(g->world->old, "y0").addr);
}
