/* What the engine carries over, each kind of state by itself, and what it refuses while walking. */
#include "osd/lib/heap/heap.h"
#include "osd/lib/state/test/try.h"

static void test_numbers(void)
{
	struct world *w =
	        begin("i32 same; u8 wide; i16 sign; i64 narrow; bool flag; f32 real; bool was;"
	              "u32 b[3]; char bytes[2];",
	                "i32 same; u64 wide; i64 sign; u8 narrow; bool flag; f64 real; i32 was;"
	                "u64 b[3]; u8 bytes[2];");
	float real = 1.5f;
	double wide;

	put(w, "same", -7);
	put(w, "wide", 200);
	put(w, "sign", -300);
	put(w, "narrow", 255);
	put(w, "flag", 1);
	put(w, "was", 1);
	put(w, "b[2]", 0xffffffff);
	put(w, "bytes[1]", -1);
	memcpy(old_at(w, "real"), &real, sizeof(real));
	done(w);
	memcpy(&wide, new_at(w, "real"), sizeof(wide));
	assert(got(w, "same") == -7 && got(w, "wide") == 200 && got(w, "sign") == -300);
	assert(got(w, "narrow") == 255 && got(w, "flag") == 1 && got(w, "was") == 1 && wide == 1.5);
	assert(got(w, "b[2]") == 0xffffffff && got(w, "bytes[1]") == 255);
	assert(w->result.n_variables == 9 &&
	        w->result.n_bytes == 4 + 1 + 2 + 8 + 1 + 4 + 1 + 12 + 2);
	world_free(w);
}

static void test_ranges(void)
{
	static const struct {
		const char *old;
		const char *new;
		int64_t value;
		bool fits;
	} row[] = {
	        {"i64 a;", "i32 a;", INT64_C(1) << 31, false},
	        {"i64 a;", "i32 a;", -(INT64_C(1) << 31), true},
	        {"i64 a;", "i32 a;", -(INT64_C(1) << 31) - 1, false},
	        {"i64 a;", "u32 a;", -1, false},
	        {"i32 a;", "u32 a;", -1, false},
	        {"u32 a;", "i32 a;", 0xffffffff, false},
	        {"u32 a;", "i64 a;", 0xffffffff, true},
	        {"i32 a;", "u64 a;", -1, false},
	        {"i8 a;", "u8 a;", -1, false},
	        {"u8 a;", "i8 a;", 128, false},
	        {"i8 a;", "u8 a;", 127, true},
	        {"u16 a;", "bool a;", 2, false},
	        {"u16 a;", "bool a;", 1, true},
	        {"bool a;", "bool a;", 1, true},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct world *w = begin(row[i].old, row[i].new);

		put(w, "a", row[i].value);
		if (!row[i].fits) {
			refused(w, STATE_E_RANGE, "does not fit");
			continue;
		}
		done(w);
		assert(got(w, "a") == row[i].value);
		world_free(w);
	}
	struct world *w = begin("struct s { bool x[3]; } a[2];", "struct s { bool x[3]; } a[2];");
	*(uint8_t *)old_at(w, "a[1].x[2]") = 2;
	refused(w, STATE_E_RANGE, "0x2 at a.c:a[1].x[2]");
}

static void test_enums(void)
{
	const char *old = "enum e { A, B, C, D=-9 }; enum e x; enum e y[2];";
	struct world *w = begin(old, "enum e { B, A=5, D=-1, N }; enum e x; enum e y[2];");

	put(w, "x", 1);
	put(w, "y[0]", 0);
	put(w, "y[1]", -9);
	done(w);
	assert(got(w, "x") == 0 && got(w, "y[0]") == 5 && got(w, "y[1]") == -1);
	world_free(w);
	w = begin(old, "enum e { B, A=5, D=-1, N }; enum e x; enum e y[2];");
	put(w, "y[1]", 2);
	refused(w, STATE_E_RANGE, "enumerator now 0x2 at a.c:y[1]");
	/* Additions change nothing: any value passes. */
	w = begin("enum e { A, B }; enum e x;", "enum e { A, B, C }; enum e x;");
	put(w, "x", 77);
	done(w);
	assert(got(w, "x") == 77);
	world_free(w);
}

/* Numbers of several bits follow their names too, and so do those of 64. */
static void test_wide_and_narrow_enums(void)
{
	const char *old =
	        "enum e { A, B, C, D }; enum : u64 w { LOW=1, HIGH=0xffffffffffffffff, "
	        "MID=0x8000000000000000 }; struct s { enum e a : 3; enum e b : 2; bool c : 1; "
	        "enum e d; u8 e; } v; enum w w[3]; enum : i64 n { N=-5 }; enum n n;";
	const char *new =
	        "enum e { N0, A, D, C=-4, B=7 }; enum : u64 w { HIGH=3, "
	        "MID=0x8000000000000001, LOW=0xfffffffffffffffe }; struct s { bool c; u8 pad : 3;"
	        " enum e d : 4; enum e b : 4; enum e a : 4; bool e : 1; } v; enum w w[3]; enum : "
	        "i64 n { N=-6 }; enum n n;";
	struct world *w = begin(old, new);

	put(w, "v.a", 2);
	put(w, "v.b", 3);
	put(w, "v.c", 1);
	put(w, "v.d", 1);
	put(w, "v.e", 1);
	put(w, "w[0]", 1);
	put(w, "w[1]", -1);
	put(w, "w[2]", INT64_MIN);
	put(w, "n", -5);
	done(w);
	assert(got(w, "v.a") == -4 && got(w, "v.b") == 2 && got(w, "v.c") == 1);
	assert(got(w, "v.d") == 7 && got(w, "v.e") == 1 && got(w, "n") == -6);
	assert(got(w, "w[0]") == -2 && got(w, "w[1]") == 3 && got(w, "w[2]") == INT64_MIN + 1);
	world_free(w);
	w = begin("struct s { u8 e : 4; } v;", "struct s { bool e; } v;");
	put(w, "v.e", 2);
	refused(w, STATE_E_RANGE, "does not fit 0x2 at a.c:v.e");
	w = begin("enum e { A, B }; struct s { u8 x; enum e a : 3; } v;",
	        "enum e { B, A }; struct s { u8 x; enum e a : 3; } v;");
	put(w, "v.a", 5);
	refused(w, STATE_E_RANGE, "enumerator now 0x5 at a.c:v.a");
	w = begin("enum e { A, B=9 }; struct s { enum e a : 4; } v;",
	        "enum e { B=9, A=2 }; struct s { enum e a : 3; } v;");
	put(w, "v.a", 9);
	refused(w, STATE_E_RANGE, "does not fit 0x9 at a.c:v.a");
	/* Two names of one value, which part. */
	w = begin("enum e { A, LAST=0 }; enum e a;", "enum e { A, N, LAST=1 }; enum e a;");
	refused(w, STATE_E_AMBIGUOUS, "several enumerators, which differ now 0x0 at a.c:a");
	w = begin("enum e { A, B, LAST=1 }; enum e a;", "enum e { A, N, B, LAST=2 }; enum e a;");
	put(w, "a", 1);
	done(w);
	assert(got(w, "a") == 2);
	world_free(w);
}

static void test_bitfields(void)
{
	struct world *w =
	        begin("struct s { u32 a : 3; i32 b : 5; u32 c : 20; u64 d : 40; u8 e; } v;",
	                "struct s { u8 e : 4; u64 d : 41; i32 b : 6; u32 a; u32 c : 19; } v;");

	put(w, "v.a", 5);
	put(w, "v.b", -16);
	put(w, "v.c", 0x7ffff);
	put(w, "v.d", INT64_C(0xabcdef0123));
	put(w, "v.e", 9);
	done(w);
	assert(got(w, "v.a") == 5 && got(w, "v.b") == -16 && got(w, "v.c") == 0x7ffff);
	assert(got(w, "v.d") == INT64_C(0xabcdef0123) && got(w, "v.e") == 9);
	world_free(w);
	w = begin(
	        "struct s { u32 a : 3; u32 c : 20; } v;", "struct s { u32 a : 3; u32 c : 19; } v;");
	put(w, "v.c", 0x80000);
	refused(w, STATE_E_RANGE, "0x80000 at a.c:v.c");
}

static void test_members(void)
{
	const char *old =
	        "struct in { i32 p; i32 q; }; struct s { i32 a; i32 gone; struct in in;"
	        " struct { i32 x; union { i32 y; u32 z; }; }; i32 old_name; i64 b; } v[3];";
	struct world *w = begin(old,
	        "struct in { i64 q; i32 p; }; struct s { i64 b; i32 added;"
	        " i32 new_name @renamed=old_name; struct { union { i32 y; u32 z; }; i32 x; };"
	        " struct in in; i32 a; i32 old_name; } v[3];");

	put(w, "v[2].a", 1);
	put(w, "v[2].gone", 2);
	put(w, "v[2].in.p", 3);
	put(w, "v[2].in.q", 4);
	put(w, "v[2].x", 5);
	put(w, "v[2].y", 6);
	put(w, "v[2].old_name", 7);
	put(w, "v[2].b", 8);
	model_put(model_var(w->new, "v[2].added"), 99); /* the new release's initial value */
	w->accepts_loss = true;
	done(w);
	assert(got(w, "v[2].a") == 1 && got(w, "v[2].in.p") == 3 && got(w, "v[2].in.q") == 4);
	assert(got(w, "v[2].x") == 5 && got(w, "v[2].z") == 6 && got(w, "v[2].new_name") == 7);
	assert(got(w, "v[2].b") == 8 && got(w, "v[2].added") == 99 && got(w, "v[2].old_name") == 0);
	assert(w->result.n_removed == 1 && strcmp(w->result.notes, "lost struct s.gone\n") == 0);
	world_free(w);
}

static void test_arrays(void)
{
	struct world *w = begin("i32 grown[2]; i32 cut[4]; char name[8]; i16 m[2][3];",
	        "i32 grown[5]; i32 cut[2]; char name[4]; i32 m[2][4];");

	put(w, "grown[1]", 2);
	put(w, "cut[1]", 3);
	put(w, "m[1][2]", -4);
	memcpy(old_at(w, "name"), "abc", 3);
	model_put(model_var(w->new, "grown[4]"), 55);
	done(w);
	assert(got(w, "grown[1]") == 2 && got(w, "grown[4]") == 55 && got(w, "cut[1]") == 3);
	assert(got(w, "m[1][2]") == -4 && memcmp(new_at(w, "name"), "abc", 4) == 0);
	world_free(w);
	/* A name that fills its room has no end there. */
	w = begin("char name[8];", "char name[4];");
	memcpy(old_at(w, "name"), "abcd", 4);
	refused(w, STATE_E_LOSS, "a.c:name[3]");
	w = begin("i32 cut[4];", "i32 cut[2];");
	put(w, "cut[3]", 0x300);
	refused(w, STATE_E_LOSS, "lost: element at a.c:cut[3]");
	/* A name that fills its room has no end there. */
	w = begin("char name[8];", "char name[4];");
	memcpy(old_at(w, "name"), "abcd", 4);
	refused(w, STATE_E_LOSS, "a.c:name[3]");
	w = begin("i32 cut[4];", "i32 cut[2];");
	put(w, "cut[3]", 0x300);
	w->accepts_loss = true;
	done(w);
	assert(w->result.n_removed == 1 &&
	        strcmp(w->result.notes, "lost element at a.c:cut[3]\n") == 0);
	world_free(w);
}

static void test_variables(void)
{
	struct world *w =
	        begin("i32 a in f; i32 a in g; i32 was; i32 skipped; i32 swap; file b.c; i32 a;",
	                "i32 a in g; i32 a in f; i32 is @renamed=was; i32 skipped @skip; i32 was "
	                "@renamed=swap;"
	                "file b.c; i32 a;");
	uint32_t n = 1;

	for (uint32_t i = 0; i < n; i++) {
		struct model_symbol *symbol = model_symbol_at(w->old, i, &n);

		if (strcmp(symbol->name, "a") == 0) {
			*symbol->addr = (uint8_t)(symbol->scope[0] + symbol->unit[0]);
		}
	}
	put(w, "was", 3);
	put(w, "swap", 4);
	put(w, "skipped", 5);
	done(w);
	for (uint32_t i = 0; i < n; i++) {
		struct model_symbol *symbol = model_symbol_at(w->new, i, &n);

		assert(strcmp(symbol->name, "a") != 0 ||
		        *symbol->addr == (uint8_t)(symbol->scope[0] + symbol->unit[0]));
	}
	assert(got(w, "is") == 3 && got(w, "was") == 4 && got(w, "skipped") == 0);
	assert(w->result.n_removed == 1);
	assert(strcmp(w->result.notes, "dropped a.c:skipped, which starts fresh now\n") == 0);
	world_free(w);
}

#define NODE_OLD                                                                                   \
	"struct node { i32 id; struct node *next; char name[16]; u8 pad0; }; site struct node "    \
	"add;"
#define NODE_NEW                                                                                   \
	"struct node { char name[24]; u8 pad0; struct node *next; i64 id; }; site struct node "    \
	"add;"

/* A ring of 1000 nodes, an interior and an end pointer into one of them, an array on the heap. */
static void test_heap(void)
{
	/* A function's own variable is not the heap's root, whatever its name and file. */
	struct world *w = begin(NODE_OLD
	        "struct node *head; char *inside; i32 *numbers; i32 *numbers_end;"
	        "void *any; site i32 grow; u64 heap_root in a; file z.c; u64 heap_root in z;",
	        NODE_NEW
	        "struct node *head; char *inside; i64 *numbers; i64 *numbers_end;"
	        "void *any; site i64 grow; u64 heap_root in a; file z.c; u64 heap_root in z;");
	struct model_type *type = model_type_find(w->old, "node");
	uint8_t *node[1000];
	int32_t *numbers = world_object(w, "grow", 0, 300);
	uint8_t *at;
	struct heap_object found;

	for (int i = 0; i < 1000; i++) {
		node[i] = world_object(w, "add", 0, 1);
		model_put(model_walk(type, node[i], ".id"), i);
	}
	for (int i = 0; i < 1000; i++) {
		model_put_pointer(model_walk(type, node[i], ".next"), node[(i + 1) % 1000]);
	}
	for (int i = 0; i < 300; i++) {
		numbers[i] = -i;
	}
	point(w, "head", node[0]);
	point(w, "inside", model_walk(type, node[7], ".name[3]").addr);
	point(w, "numbers", numbers + 10);
	point(w, "numbers_end", numbers + 300);
	point(w, "any", node[9]);
	done(w);
	assert(w->result.n_objects == 1001 && w->result.n_removed == 0);
	type = model_type_find(w->new, "node");
	at = where(w, "head");
	for (int i = 0; i < 1000; i++) {
		assert(heap_find(at, &found) && found.start == (uint64_t)(uintptr_t)at);
		assert(found.element_bytes == type->size && found.count == 1);
		assert(model_get(model_walk(type, at, ".id")) == i);
		assert(i != 7 || where(w, "inside") == at + 3);
		assert(i != 9 || where(w, "any") == at);
		at = model_get_pointer(model_walk(type, at, ".next"));
	}
	assert(at == (uint8_t *)where(w, "head"));
	assert(((int64_t *)where(w, "numbers"))[-10] == 0);
	assert(((int64_t *)where(w, "numbers_end"))[-1] == -299);
	world_free(w);
}

static void test_heap_refusals(void)
{
	struct world *w = begin(NODE_OLD "struct node *head;", NODE_NEW "struct node *head;");
	uint8_t *node = world_object(w, "add", 0, 1);

	point(w, "head", node);
	heap_free(node);
	refused(w, STATE_E_POINTER, "free memory");

	w = begin(NODE_OLD "struct node *head;", NODE_NEW "struct node *head;");
	node = world_object(w, "add", 0, 1);
	world_object(w, "add", 0, 1);
	point(w, "head", node);
	heap_free(node);
	refused(w, STATE_E_POINTER, "no live object");

	w = begin(NODE_OLD "i32 *p;", NODE_NEW "i32 *p;");
	node = world_object(w, "add", 0, 1);
	point(w, "p", model_walk(model_type_find(w->old, "node"), node, ".id").addr);
	refused(w, STATE_E_POINTER, "a.c:p"); /* int is a long now */

	w = begin(NODE_OLD "struct t { u32 x; } x; struct t *p;",
	        NODE_NEW "struct t { u32 x; } x; struct t *p;");
	point(w, "p", world_object(w, "add", 0, 1));
	refused(w, STATE_E_POINTER,
	        "no value of its type (heap struct node from a.c:add+0) at a.c:p");

	w = begin(NODE_OLD "struct node *a[3];", "struct node { i32 id; }; struct node *a[3];");
	point(w, "a[1]", world_object(w, "add", 0, 1));
	w->accepts_loss = true;
	refused(w, STATE_E_POINTER, "removed type");

	w = begin(NODE_OLD, "i32 x;");
	world_object(w, "add", 0, 1);
	refused(w, STATE_E_LOSS, "lost: heap struct node from a.c:add, objects: 1");

	w = begin(NODE_OLD, "i32 x;");
	done(w); /* none of them was there */
	assert(w->result.n_removed == 0);
	world_free(w);

	w = begin(NODE_OLD, "i32 x;");
	world_object(w, "add", 0, 1);
	w->accepts_loss = true;
	done(w);
	assert(strcmp(w->result.notes, "lost heap struct node from a.c:add, objects: 1\n") == 0);
	world_free(w);

	w = begin(NODE_OLD, "u8 d readonly @dropped_type=struct~node; i32 x;");
	world_object(w, "add", 0, 2);
	done(w);
	assert(strcmp(w->result.notes, "dropped heap struct node from a.c:add, objects: 1\n") == 0);
	world_free(w);

	w = begin(NODE_OLD "struct node *head;", NODE_NEW "struct node *head;");
	node = world_object(w, "add", 0, 4);
	model_put_pointer(model_walk(model_type_find(w->old, "node"), node + 2 * 40, ".next"), &w);
	assert(model_type_find(w->old, "node")->size == 40);
	refused(w, STATE_E_POINTER, "at heap struct node from a.c:add[2].next");
}

static void test_arena(void)
{
	struct world *w = begin("site char f;", "site char f;");

	world_object(w, "f", 0, 100000);
	w->new_usable = 65536;
	refused(w, STATE_E_ARENA, "full");
}

/*
 * An object that outgrows what a heap can hold is no matter of the arena, which RS would make
 * larger in vain. One that has just as many bytes as an object may have is carried over.
 */
static void test_outgrown(void)
{
	struct world *w = begin("struct s { u8 a[15]; }; site struct s f; struct s *p;",
	        "struct s { u8 a[31]; }; site struct s f; struct s *p;");
	const uint64_t most = HEAP_OBJECT_MAX / 31;
	uint8_t *object = world_object(w, "f", 0, most);

	assert(HEAP_OBJECT_MAX % 31 == 0);
	object[15 * most - 1] = 7;
	point(w, "p", object);
	done(w);
	assert(((const uint8_t *)where(w, "p"))[31 * (most - 1) + 14] == 7);
	world_free(w);

	w = begin("struct s { u8 a[15]; }; site struct s f;",
	        "struct s { u8 a[31]; }; site struct s f;");
	world_object(w, "f", 0, most + 1);
	refused(w, STATE_E_SIZE,
	        "object would have 2064414 bytes, a heap's largest has 2064383, at heap struct s "
	        "from a.c:f; keep it in several objects");
}

/*
 * A site whose function now allocates something else first; a type that
 * moved to another function.
 */
static void test_sites(void)
{
	struct world *w = begin("struct a { u64 x; }; struct b { u64 y; }; struct c { u64 z; };"
	                        "site struct a f; site struct b f; site struct c g; struct a *a; "
	                        "struct b *b; struct c *c;",
	        "struct a { u64 x; }; struct b { u64 y; }; struct c { u64 z; };"
	        "site u64 f; site struct a f; site struct b f; file z.c; site struct c h; file a.c;"
	        "struct a *a; struct b *b; struct c *c;");
	uint64_t *object[3] = {
	        world_object(w, "f", 0, 1), world_object(w, "f", 1, 1), world_object(w, "g", 0, 1)};

	for (uint64_t i = 0; i < 3; i++) {
		*object[i] = i + 1;
	}
	point(w, "a", object[0]);
	point(w, "b", object[1]);
	point(w, "c", object[2]);
	done(w);
	assert(*(uint64_t *)where(w, "a") == 1 && *(uint64_t *)where(w, "b") == 2);
	assert(*(uint64_t *)where(w, "c") == 3 && w->result.n_removed == 0);
	world_free(w);
}

/* Records that come down to one number: their elements stay as far apart as they were. */
static void test_lone_members(void)
{
	struct world *w = begin(
	        "struct s { i64 gone; bool b; i32 also; } v[5];"
	        "struct t { i32 skip; bool b; u8 k; } u[5]; struct r { i64 gone; f32 "
	        "f; } x[5]; struct q { bool b; } y[5]; struct o { bool b; i64 gone; } z[5]; struct "
	        "p { f32 f; u64 gone; } p[5];",
	        "struct s { bool b; } v[5]; struct t { i32 skip @skip; bool b; u8 k @skip; } u[5];"
	        "struct r { f64 f; } x[5]; struct q { i64 added; bool b; } y[5]; struct o { bool "
	        "b; } z[5]; struct p { f64 f; } p[5];");

	for (int i = 0; i < 5; i++) {
		char path[16];
		float real = (float)i + 0.5f;

		snprintf(path, sizeof(path), "v[%d].b", i);
		put(w, path, i % 2);
		path[0] = 'u';
		put(w, path, i % 3 == 0);
		path[0] = 'y';
		put(w, path, i > 2);
		path[0] = 'z';
		put(w, path, i % 2 == 0);
		snprintf(path, sizeof(path), "x[%d].f", i);
		memcpy(old_at(w, path), &real, sizeof(real));
		path[0] = 'p';
		memcpy(old_at(w, path), &real, sizeof(real));
	}
	w->accepts_loss = true;
	memset(old_at(w, "v[1].gone"), 0xee, 8);
	memset(old_at(w, "u[2].skip"), 0xee, 4);
	done(w);
	for (int i = 0; i < 5; i++) {
		char path[16];
		double wide;

		snprintf(path, sizeof(path), "v[%d].b", i);
		assert(got(w, path) == i % 2);
		path[0] = 'u';
		assert(got(w, path) == (i % 3 == 0));
		path[0] = 'y';
		assert(got(w, path) == (i > 2));
		path[0] = 'z';
		assert(got(w, path) == (i % 2 == 0));
		snprintf(path, sizeof(path), "x[%d].f", i);
		memcpy(&wide, new_at(w, path), sizeof(wide));
		assert(wide == i + 0.5);
		path[0] = 'p';
		memcpy(&wide, new_at(w, path), sizeof(wide));
		assert(wide == i + 0.5);
	}
	world_free(w);
}

/* What luforge lists: one entry of each side, and nothing behind the two. */
static void test_pair_variable(void)
{
	struct world *w = begin("i32 a;", "i32 a;");
	uint32_t entry[3] = {UINT32_MAX, UINT32_MAX, 7};

	done(w);
	assert(state_pair_variable(w->pairing, 0, entry));
	assert(entry[0] != UINT32_MAX && entry[1] != UINT32_MAX && entry[2] == 7);
	assert(!state_pair_variable(w->pairing, 1, entry));
	world_free(w);
}

int main(void)
{
	test_lone_members();
	test_numbers();
	test_ranges();
	test_enums();
	test_bitfields();
	test_wide_and_narrow_enums();
	test_members();
	test_arrays();
	test_variables();
	test_heap();
	test_heap_refusals();
	test_arena();
	test_outgrown();
	test_sites();
	test_pair_variable();
	return 0;
}
