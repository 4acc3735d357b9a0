/*
 * Handlers that say where old values live now: an array becomes a list although pointers lead into
 * it from variables and objects that move before and after; and what they may not say.
 */
#include "osd/lib/heap/heap.h"
#include "osd/lib/state/test/try.h"

#define N_ITEMS 5

/* The model's layouts, so that handlers can be written in C. */
struct old_item {
	int32_t id;
	int32_t age;
};

struct new_item {
	struct new_item *next;
	int64_t age;
	int32_t id;
};

#define OLD                                                                                        \
	"struct item { i32 id; i32 age; }; struct item *a_first; struct item table[5]; i32 "       \
	"*z_age; "                                                                                 \
	"struct item *z_end; void *z_any; struct item *z_null; struct user { struct item *item; "  \
	"struct "                                                                                  \
	"user *next; }; struct user *users; struct item *all[5]; site "                            \
	"struct user f;"
#define NEW                                                                                        \
	"func to_list; struct item { struct item *next; i64 age; i32 id; }; struct item "          \
	"*a_first; "                                                                               \
	"struct item *list @renamed=table @handler=to_list; i64 *z_age; struct item *z_end; void " \
	"*z_any; "                                                                                 \
	"struct item *z_null; struct user { struct user *next; struct item *item; }; struct user " \
	"*users; "                                                                                 \
	"struct item *all[5]; site struct user f; site struct item g;"

static void *item_site;

/* Each element becomes an object of a list; `skip` stays behind. */
static int list_make(const struct state_view *view, int skip)
{
	const struct old_item *old = view->old;
	struct new_item **end = view->new;

	assert(view->old_size == N_ITEMS * sizeof(*old) && view->new_size == 8);
	for (int i = 0; i < N_ITEMS; i++) {
		struct new_item *item;

		if (i == skip) {
			continue;
		}
		item = heap_alloc_at_site(item_site, sizeof(*item), 1, 8);
		item->id = old[i].id;
		item->age = old[i].age;
		if (state_view_place(view, &old[i], sizeof(old[i]), item) != STATE_OK) {
			return 1;
		}
		*end = item;
		end = &item->next;
	}
	*end = NULL;
	return 0;
}

static int to_list(const struct state_view *view)
{
	return list_make(view, -1);
}

static void item_site_find(struct world *w)
{
	for (uint32_t i = 0, n = 1; i < n; i++) {
		struct model_symbol *symbol = model_symbol_at(w->new, i, &n);

		if (symbol->kind == STATE_SITE && strcmp(symbol->scope, "g") == 0) {
			item_site = symbol->addr;
		}
	}
}

static struct world *list_world(state_handler_t handler)
{
	struct world *w = world_new(OLD, NEW, SEED);

	model_bind(w->new, "to_list", (void *)(uintptr_t)handler);
	world_start(w);
	for (int i = 0; i < N_ITEMS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "table[%d].id", i);
		put(w, path, 100 + i);
		snprintf(path, sizeof(path), "table[%d].age", i);
		put(w, path, 200 + i);
	}
	item_site_find(w);
	return w;
}

static void test_array_to_list(void)
{
	struct world *w = list_world(to_list);
	struct model_type *user = model_type_find(w->old, "user");
	uint8_t *users[40];
	struct new_item *item;
	uint8_t *at;

	point(w, "a_first", old_at(w, "table[0]"));
	point(w, "z_age", old_at(w, "table[3].age"));
	point(w, "z_end", (uint8_t *)old_at(w, "table[4]") + sizeof(struct old_item));
	point(w, "z_any", old_at(w, "table[2]"));
	for (int i = 0; i < N_ITEMS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "all[%d]", N_ITEMS - 1 - i);
		point(w, path,
		        (uint8_t *)old_at(w, "table") + (unsigned)i * sizeof(struct old_item));
	}
	for (int i = 0; i < 40; i++) {
		users[i] = world_object(w, "f", 0, 1);
		model_put_pointer(model_walk(user, users[i], ".item"),
		        (uint8_t *)old_at(w, "table") +
		                (unsigned)(i % N_ITEMS) * sizeof(struct old_item));
		model_put_pointer(model_walk(user, users[i], ".next"), i > 0 ? users[i - 1] : NULL);
	}
	point(w, "users", users[39]);
	done(w);
	item = where(w, "list");
	assert(where(w, "a_first") == item && where(w, "z_null") == NULL);
	for (int i = 0; i < N_ITEMS; i++) {
		char path[32];

		assert(item->id == 100 + i && item->age == 200 + i);
		snprintf(path, sizeof(path), "all[%d]", N_ITEMS - 1 - i);
		assert(where(w, path) == item);
		assert(i != 2 || where(w, "z_any") == item);
		assert(i != 3 || where(w, "z_age") == &item->age);
		assert(i != 4 || where(w, "z_end") == item + 1);
		item = item->next;
	}
	assert(item == NULL);
	at = where(w, "users");
	user = model_type_find(w->new, "user");
	for (int i = 39; i >= 0; i--) {
		item = model_get_pointer(model_walk(user, at, ".item"));
		assert(item->id == 100 + i % N_ITEMS);
		at = model_get_pointer(model_walk(user, at, ".next"));
	}
	assert(at == NULL && w->result.n_objects == 40);
	world_free(w);
}

/* What nobody placed has no new home, and the pointer is named, not its value's place. */
static int to_list_but_one(const struct state_view *view)
{
	return list_make(view, 3);
}

static void test_left_behind(void)
{
	struct world *w = list_world(to_list_but_one);

	point(w, "all[1]", old_at(w, "table[3]"));
	refused(w, STATE_E_POINTER, "a.c:all[1]");
	w = list_world(to_list_but_one);
	point(w, "all[1]", old_at(w, "table[4]"));
	done(w);
	assert(((struct new_item *)where(w, "all[1]"))->id == 104);
	world_free(w);
}

#define N_MANY 200
#define NOT_PLACED 100

/* In no order of addresses, and more than the first table of places holds. */
static int scatter(const struct state_view *view)
{
	const struct old_item *old = view->old;

	for (int i = 0; i < N_MANY; i++) {
		int k = i * 37 % N_MANY;
		struct new_item *item = heap_alloc_at_site(item_site, sizeof(*item), 1, 8);

		item->id = old[k].id;
		if (k != NOT_PLACED &&
		        state_view_place(view, &old[k], sizeof(*old), item) != STATE_OK) {
			return 1;
		}
	}
	return 0;
}

static struct world *many_world(void)
{
	struct world *w = world_new(
	        "struct item { i32 id; i32 age; }; struct item table[200]; struct item *all[200];",
	        "func scatter; struct item { struct item *next; i64 age; i32 id; }; struct item "
	        "*list @renamed=table @handler=scatter; struct item *all[200]; site struct item g;",
	        SEED);
	struct old_item *table;
	struct old_item **all;

	model_bind(w->new, "scatter", (void *)(uintptr_t)scatter);
	world_start(w);
	item_site_find(w);
	table = old_at(w, "table");
	all = old_at(w, "all");
	for (int i = 0; i < N_MANY; i++) {
		table[i].id = 1000 + i;
		all[i] = i != NOT_PLACED ? &table[i] : NULL;
	}
	return w;
}

static void test_many_places(void)
{
	struct world *w = many_world();
	struct new_item **all;

	done(w);
	all = new_at(w, "all");
	for (int i = 0; i < N_MANY; i++) {
		assert(i == NOT_PLACED ? all[i] == NULL : all[i]->id == 1000 + i);
	}
	world_free(w);
	w = many_world();
	point(w, "all[100]", (struct old_item *)old_at(w, "table") + NOT_PLACED);
	refused(w, STATE_E_POINTER, "a.c:all[100]");
}

static int to_one(const struct state_view *view)
{
	struct new_item *item = heap_alloc_at_site(item_site, sizeof(*item), 1, 8);

	*(struct new_item **)view->new = item;
	return state_view_place(view, view->old, view->old_size, item) != STATE_OK;
}

/* One past the end of a place belongs to it, be it the lowest of all or not. */
static void test_ends_of_places(void)
{
	struct world *w = world_new(
	        "struct item { i32 id; i32 age; }; struct item x[1]; struct item y[1]; struct item "
	        "*x_end; struct item *y_end;",
	        "func to_one; struct item { struct item *next; i64 age; i32 id; }; struct item *x "
	        "@handler=to_one; struct item *y @handler=to_one; struct item *x_end; struct item "
	        "*y_end; site struct item g;",
	        SEED);

	model_bind(w->new, "to_one", (void *)(uintptr_t)to_one);
	world_start(w);
	item_site_find(w);
	point(w, "x_end", (struct old_item *)old_at(w, "x") + 1);
	point(w, "y_end", (struct old_item *)old_at(w, "y") + 1);
	done(w);
	assert(where(w, "x_end") == (struct new_item *)where(w, "x") + 1);
	assert(where(w, "y_end") == (struct new_item *)where(w, "y") + 1);
	world_free(w);
}

static int bad_place;

/* One place too many, of the kind that bad_place says. */
static int to_list_badly(const struct state_view *view)
{
	const struct old_item *old = view->old;
	struct new_item *item = heap_alloc_at_site(item_site, sizeof(*item), 1, 8);
	struct new_item *other = heap_alloc_at_site(item_site, sizeof(*item), 1, 8);
	int64_t stack;

	switch (bad_place) {
	case 0: /* twice */
		return state_view_place(view, &old[1], sizeof(*old), item) != STATE_OK ||
		       state_view_place(view, &old[1], sizeof(*old), other) != STATE_OK;
	case 1: /* a part of another */
		return state_view_place(view, &old[1], sizeof(*old), item) != STATE_OK ||
		       state_view_place(view, &old[1].age, sizeof(old[1].age), &other->age) !=
		               STATE_OK;
	case 2: /* around another */
		return state_view_place(view, &old[1].age, sizeof(old[1].age), &other->age) !=
		               STATE_OK ||
		       state_view_place(view, old, 3 * sizeof(*old), item) != STATE_OK;
	case 3: /* before, behind and across the end */
		return state_view_place(view, old - 1, sizeof(*old), item) != STATE_OK;
	case 4:
		return state_view_place(view, old + N_ITEMS, sizeof(*old), item) != STATE_OK;
	case 5:
		return state_view_place(view, old + 4, 2 * sizeof(*old), item) != STATE_OK;
	case 6:
		return state_view_place(view, old, 0, item) != STATE_OK;
	case 7: /* no value */
		return state_view_place(view, (const uint8_t *)old + 4, sizeof(*old), item) !=
		       STATE_OK;
	case 8: /* more than there is room for */
		return state_view_place(view, old, 2 * sizeof(*old), item) != STATE_OK;
	case 9: /* another type, and nothing */
		return state_view_place(view, old, sizeof(*old), &item->age) != STATE_OK;
	case 10:
		return state_view_place(view, old, sizeof(*old), &stack) != STATE_OK;
	default:
		return 0;
	}
}

static void test_bad_places(void)
{
	static const char *const words[] = {"twice at a.c:table[1]", "twice at a.c:table[1]",
	        "twice at a.c:table[0]", "not its old value", "not its old value",
	        "not its old value", "not its old value", "no whole value at a.c:table[0]",
	        "none of its type", "none of its type", "none of its type"};

	for (bad_place = 0; bad_place < 11; bad_place++) {
		refused(list_world(to_list_badly), STATE_E_HANDLER, words[bad_place]);
	}
}

static int find_others(const struct state_view *view)
{
	const int32_t *count = state_view_find(view, "b.c", "", "count");
	const int32_t *local = state_view_find(view, "a.c", "f", "count");
	int32_t *sum = view->new;

	if (count == NULL || local == NULL || state_view_find(view, "a.c", "", "count") != NULL) {
		return 1;
	}
	*sum = *count + *local;
	/* The variable is gone; what pointed to it may point here. */
	return state_view_place(view, count, sizeof(*count), sum) != STATE_OK;
}

static void test_find(void)
{
	struct world *w = world_new("i32 sum; i32 *p; i32 count in f; file b.c; i32 count; i32 *q;",
	        "func find_others; i32 sum @handler=find_others; i32 *p; file b.c; i32 *q;", SEED);
	uint32_t n = 1;

	model_bind(w->new, "find_others", (void *)(uintptr_t)find_others);
	w->accepts_loss = true;
	world_start(w);
	for (uint32_t i = 0; i < n; i++) {
		struct model_symbol *symbol = model_symbol_at(w->old, i, &n);

		if (strcmp(symbol->name, "count") == 0) {
			*symbol->addr = symbol->unit[0] == 'b' ? 30 : 4;
		}
		if (strcmp(symbol->name, "count") == 0 && symbol->unit[0] == 'b') {
			point(w, "p", symbol->addr);
			point(w, "q", symbol->addr);
		}
	}
	done(w);
	assert(got(w, "sum") == 34 && where(w, "p") == new_at(w, "sum") &&
	        where(w, "q") == new_at(w, "sum"));
	world_free(w);
}

/* What a handler tried in vain and did not mind is no error of the transfer. */
static int try_in_vain(const struct state_view *view)
{
	void *new;

	return state_view_pointer(view, view->transfer, &new) == STATE_OK;
}

static void test_tried_in_vain(void)
{
	struct world *w = world_new("i32 a;", "func g; i32 a @handler=g;", SEED);

	model_bind(w->new, "g", (void *)(uintptr_t)try_in_vain);
	world_start(w);
	done(w);
	assert(w->result.error[0] == 0);
	world_free(w);
}

/* The way back: nodes of the old list, which the new release does not allocate, become elements. */
static int to_table(const struct state_view *view)
{
	struct old_item *table = view->new;
	const struct new_item *node = *(struct new_item *const *)view->old;

	for (int i = 0; node != NULL && i < N_ITEMS; i++, node = node->next) {
		table[i].id = node->id;
		table[i].age = (int32_t)node->age;
		if (state_view_place(view, node, sizeof(*node), &table[i]) != STATE_OK) {
			return 1;
		}
	}
	return node != NULL;
}

static void test_list_to_array(void)
{
	struct world *w = world_new("struct item { struct item *next; i64 age; i32 id; }; struct "
	                            "item *a_first; struct item "
	                            "*list; i64 *z_age; struct item *all[5]; site struct item g;",
	        "func to_table; struct item { i32 id; i32 age; }; struct item *a_first; struct "
	        "item "
	        "table[5] @renamed=list @handler=to_table; i32 *z_age; struct item *all[5];",
	        SEED);
	struct new_item *node = NULL;

	model_bind(w->new, "to_table", (void *)(uintptr_t)to_table);
	w->accepts_loss = true;
	world_start(w);
	for (int i = N_ITEMS - 1; i >= 0; i--) {
		struct new_item *next = node;
		char path[16];

		node = world_object(w, "g", 0, 1);
		*node = (struct new_item){.next = next, .age = 20 + i, .id = 10 + i};
		snprintf(path, sizeof(path), "all[%d]", i);
		point(w, path, node);
		if (i == 3) {
			point(w, "z_age", &node->age);
		}
	}
	point(w, "list", node);
	point(w, "a_first", node);
	done(w);
	for (int i = 0; i < N_ITEMS; i++) {
		char path[16];

		snprintf(path, sizeof(path), "table[%d].id", i);
		assert(got(w, path) == 10 + i);
		snprintf(path, sizeof(path), "all[%d]", i);
		assert(where(w, path) == (struct old_item *)new_at(w, "table") + i);
	}
	assert(where(w, "a_first") == new_at(w, "table") && w->result.n_removed == 1);
	assert(where(w, "z_age") == new_at(w, "table[3].age"));
	world_free(w);
}

int main(void)
{
	test_list_to_array();
	test_array_to_list();
	test_left_behind();
	test_many_places();
	test_ends_of_places();
	test_bad_places();
	test_find();
	test_tried_in_vain();
	return 0;
}
