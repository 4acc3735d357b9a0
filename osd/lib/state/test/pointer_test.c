/* Pointers to all that does not lie on the heap, and what they may mean. */
#include "osd/lib/state/test/try.h"

static void test_pointers(void)
{
	const char *old = "func f; func g; library malloc 64; string \"hello\"; string \"world\";"
	                  "struct s { i32 pad0; i32 arr[4]; char c[8]; i32 x; i64 last; } v[3];"
	                  "fn *call; fn *lib; char *s; char *lost; char *same; i32 *x; i32 *end; "
	                  "char *c; struct s *e;"
	                  "void *any; void **anyp; void *nil;";
	struct world *w = begin(old,
	        "func g; func f; library malloc 64; string \"hello\";"
	        "struct s { i64 last; char c[8]; i32 pad0; i32 x; i32 other; i32 arr[4]; } v[3];"
	        "fn *call; fn *lib; char *s; char *lost; char *same; i32 *x; i32 *end; char *c; "
	        "struct s *e;"
	        "void *any; void **anyp; void *nil;");

	point(w, "call", model_symbol_find(w->old, "f")->addr);
	point(w, "lib", model_symbol_find(w->old, "malloc")->addr);
	point(w, "s", model_symbol_find(w->old, "hello")->addr + 1);
	point(w, "lost", model_symbol_find(w->old, "world")->addr);
	point(w, "same", model_symbol_find(w->old, "world")->addr + 2);
	point(w, "x", old_at(w, "v[1].x"));
	point(w, "end", old_at(w, "v[1].c")); /* one past arr */
	point(w, "c", old_at(w, "v[2].c[3]"));
	point(w, "e", (uint8_t *)old_at(w, "v[2]") + model_type_find(w->old, "s")->size);
	point(w, "any", old_at(w, "v[1]"));
	point(w, "anyp", old_at(w, "any"));
	model_put_pointer(model_var(w->new, "nil"), &w);
	done(w);
	assert(where(w, "call") == model_symbol_find(w->new, "f")->addr);
	assert(where(w, "lib") == model_symbol_find(w->new, "malloc")->addr);
	assert(where(w, "s") == model_symbol_find(w->new, "hello")->addr + 1);
	assert(strcmp(where(w, "lost"), "world") == 0 &&
	        where(w, "same") == (char *)where(w, "lost") + 2);
	assert(w->result.n_strings == 1 && strcmp(w->result.notes, "copied \"world\"\n") == 0);
	assert(where(w, "x") == new_at(w, "v[1].x"));
	assert(where(w, "end") == (char *)new_at(w, "v[1].arr[3]") + 4);
	assert(where(w, "c") == new_at(w, "v[2].c[3]"));
	assert(where(w, "e") == (uint8_t *)new_at(w, "v[2]") + model_type_find(w->new, "s")->size);
	assert(where(w, "any") == new_at(w, "v[1]") && where(w, "anyp") == new_at(w, "any"));
	assert(where(w, "nil") == NULL);
	world_free(w);
}

/* Characters that are wider numbers now: a pointer that steps by one is right at the first only. */
static void test_widened_characters(void)
{
	struct world *w = begin("u8 *p; site u8 f;", "u8 *p; site u32 f; file b.c; site u8 g;");

	point(w, "p", world_object(w, "f", 0, 16));
	refused(w, STATE_E_POINTER, "no value of its type (heap u8 from a.c:f+0) at a.c:p");
	w = begin("char *p; struct s { i32 n; char c[2][4]; } v;",
	        "char *p; struct s { i32 n; u16 c[2][4]; } v;");
	point(w, "p", old_at(w, "v.c[1]"));
	refused(w, STATE_E_POINTER, "no value of its type (a.c:v+8) at a.c:p");
	/* Other names for them, and bytes of what never were some. */
	w = begin("char *p; char c[4]; char *q; struct s { u32 n; char *p; } s;",
	        "u8 *p; u8 c[4]; void *q; struct s { char *p; u64 n; } s;");
	point(w, "p", old_at(w, "c[2]"));
	point(w, "q", old_at(w, "c[1]"));
	point(w, "s.p", old_at(w, "s"));
	done(w);
	assert(where(w, "p") == new_at(w, "c[2]") && where(w, "q") == new_at(w, "c[1]") &&
	        where(w, "s.p") == new_at(w, "s"));
	world_free(w);
}

/* Constant records that are fewer now and look alike, and functions that are elsewhere. */
static void test_tables(void)
{
	const char *old = "struct op { i32 id; } op[3] readonly; struct op *p; char s[8] readonly; "
	                  "char *c; fn *f; fn *g; fn *h; func go; file b.c; func init;";
	const char *new = "struct op { i32 id; } op[2] readonly; struct op *p; char s[6] readonly; "
	                  "char *c; fn *f; fn *g; fn *h; func go; file c.c; func init;";
	struct world *w = begin(old, new);

	put(w, "op[1].id", 1);
	put(w, "op[2].id", 2);
	model_put(model_var(w->new, "op[1].id"), 1);
	point(w, "p", old_at(w, "op"));
	point(w, "c", old_at(w, "s[2]"));
	point(w, "f", model_symbol_find(w->old, "init")->addr);
	point(w, "g", model_symbol_find(w->old, "init")->addr);
	point(w, "h", model_symbol_find(w->old, "go")->addr);
	done(w);
	assert(where(w, "p") == new_at(w, "op") && where(w, "c") == new_at(w, "s[2]"));
	assert(where(w, "f") == model_symbol_find(w->new, "init")->addr);
	assert(strcmp(w->result.notes, "moved b.c:init to c.c:init\n") == 0);
	world_free(w);
	w = begin(old, new);
	point(w, "p", old_at(w, "op[1]"));
	refused(w, STATE_E_AMBIGUOUS, "to row 1 of the constant table a.c:op");
	w = begin(new, old);
	point(w, "p", old_at(w, "op[1]"));
	done(w);
	assert(where(w, "p") == new_at(w, "op[1]"));
	world_free(w);
}

/* Two functions at one address: what leads there leads to the one that is still there. */
static void test_one_place(void)
{
	static const char *const gone[] = {"a", "g"};
	static uint64_t code;

	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		struct world *w;
		char old[64];

		snprintf(old, sizeof(old), "fn *p; func f; func %s;", gone[i]);
		w = world_new(old, "fn *p; func f;", SEED);
		model_bind(w->old, "f", &code);
		model_bind(w->old, gone[i], &code);
		world_start(w);
		point(w, "p", &code);
		done(w);
		assert(where(w, "p") == model_symbol_find(w->new, "f")->addr);
		world_free(w);
	}
}

/* Of two variables at one address the larger one: a pointer into it may be behind the other. */
static void test_larger_at_one_place(void)
{
	static const char text[] = "char *p; char first; char whole[8]; char last;";
	static uint64_t bytes;
	struct world *w = world_new(text, text, SEED);

	model_bind(w->old, "first", &bytes);
	model_bind(w->old, "whole", &bytes);
	model_bind(w->old, "last", &bytes);
	world_start(w);
	point(w, "p", (char *)&bytes + 5);
	done(w);
	assert(where(w, "p") == new_at(w, "whole[5]"));
	world_free(w);
}

/*
 * A function is the one of the same name in the same file, or the only
 * one; and called as before.
 */
static void test_functions(void)
{
	static const struct {
		const char *old;
		const char *new;
		const char *words; /* NULL: the pointer follows */
	} cases[] = {
	        {"func f @signature=int(int);", "func f @signature=int(int);", NULL},
	        {"func f @signature=int(int);", "func f @signature=int(int,int);",
	                "called in another way now (a.c:f+0) at a.c:p"},
	        {"func f @signature=int(int);", "func f @signature=int(int,int) @renamed=f;", NULL},
	        {"func f @signature=int(int,int) @renamed=f;",
	                "func f @signature=int(long) @renamed=f;", "called in another way now"},
	        /* Without the note again: later, or on the way back. */
	        {"func f @signature=int(int,int) @renamed=f;", "func f @signature=int(int,int);",
	                NULL},
	        {"func f @signature=int(int,int) @renamed=f;", "func f @signature=int(int);",
	                "called in another way now"},
	        {"func f @signature=int(int);", "file b.c; func f @signature=int(int);", NULL},
	        {"func f @signature=int(int);", "file b.c; func f @signature=int(long);", "lacks"},
	        {"func f @signature=int(int);", "func f;", NULL},
	        {"func f @signature=int(int);", "file b.c; func f;", "lacks"},
	        /* Another file's function of this name stays; the new one may be it, or a third. */
	        {"func f @signature=int(int); file x.c; func f @signature=int(int);",
	                "file b.c; func f @signature=int(int); file x.c; func f "
	                "@signature=int(int);",
	                "lacks"},
	        {"func f @signature=int(int); file x.c; func f @signature=int(int);",
	                "file b.c; func f @signature=int(int) @moved=a.c; file x.c; func f "
	                "@signature=int(int);",
	                NULL},
	        {"func f @signature=int(int); file x.c; func f @signature=int(void);",
	                "file b.c; func f @signature=int(int); file x.c; func f "
	                "@signature=int(void);",
	                NULL},
	        /* A type's new name, and another type of the former one. */
	        {"struct s { i32 a; } s; func f @signature=int(struct~s*);",
	                "struct t { i32 a; } @renamed=s; struct t s; func f "
	                "@signature=int(struct~t*);",
	                NULL},
	        {"struct s { i32 a; } s; func f @signature=int(struct~s*);",
	                "struct t { i32 a; } @renamed=s; struct t s; struct s { i32 b; } u; func f "
	                "@signature=int(struct~s*);",
	                "called in another way now"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char old[300];
		char new[300];
		struct world *w;
		const struct model_symbol *f = NULL;

		snprintf(old, sizeof(old), "fn *p; %s", cases[i].old);
		snprintf(new, sizeof(new), "fn *p; %s", cases[i].new);
		w = begin(old, new);
		for (uint32_t k = 0, n = 1; k < n; k++) {
			const struct model_symbol *s = model_symbol_at(w->old, k, &n);

			f = s->name[0] == 'f' && s->unit[0] == 'a' ? s : f;
		}
		point(w, "p", f->addr);
		if (cases[i].words != NULL) {
			refused(w, STATE_E_POINTER, cases[i].words);
			continue;
		}
		done(w);
		f = NULL;
		for (uint32_t k = 0, n = 1; k < n; k++) {
			const struct model_symbol *s = model_symbol_at(w->new, k, &n);

			f = s->name[0] == 'f' && s->unit[0] != 'x' ? s : f;
		}
		assert(where(w, "p") == f->addr);
		world_free(w);
	}
}

static void test_pointer_refusals(void)
{
	struct world *w = begin("i32 *p;", "i32 *p;");

	point(w, "p", &w);
	refused(w, STATE_E_POINTER, "leads nowhere");
	w = begin("func f; fn *p;", "fn *p;");
	point(w, "p", model_symbol_find(w->old, "f")->addr);
	refused(w, STATE_E_POINTER, "lacks");
	w = begin("func f; fn *p;", "func f; fn *p;");
	point(w, "p", model_symbol_find(w->old, "f")->addr + 1);
	refused(w, STATE_E_POINTER, "no value of its type");
	w = begin("func f; i32 *p;", "func f; i32 *p;");
	point(w, "p", model_symbol_find(w->old, "f")->addr);
	refused(w, STATE_E_POINTER, "no value of its type");
	w = begin("i32 v; fn *p;", "i32 v; fn *p;");
	point(w, "p", old_at(w, "v"));
	refused(w, STATE_E_POINTER, "a.c:p");
	w = begin("library l 64; char *p;", "library l 32; char *p;");
	point(w, "p", model_symbol_find(w->old, "l")->addr + 1);
	refused(w, STATE_E_POINTER, "a.c:p");
	/* The end of x, or y? They part. */
	w = begin("struct s { i32 x[2]; i32 y; } v; i32 *p;",
	        "struct s { i32 y; i32 z; i32 x[2]; } v; i32 *p;");
	point(w, "p", old_at(w, "v.y"));
	refused(w, STATE_E_AMBIGUOUS, "several things");
	/* They do not part: either way the same. */
	w = begin("struct s { i32 x[2]; i32 y; } v; i32 *p;",
	        "struct s { i64 z; i32 x[2]; i32 y; } v; i32 *p;");
	point(w, "p", old_at(w, "v.y"));
	done(w);
	assert(where(w, "p") == new_at(w, "v.y"));
	world_free(w);
	/* The end of an array that grew. */
	w = begin("i32 x[2]; i32 *p;", "i32 x[3]; i32 *p;");
	point(w, "p", (uint8_t *)old_at(w, "x") + 8);
	refused(w, STATE_E_AMBIGUOUS, "several things");
	w = begin("i32 x[3]; i32 *p;", "i32 x[2]; i32 *p;");
	point(w, "p", old_at(w, "x[2]"));
	refused(w, STATE_E_POINTER, "a.c:p");
	/* The end of a table of rows that grew or shrank, and what is gone behind it. */
	w = begin("i32 m[2][3]; i32 *p;", "i32 m[3][3]; i32 *p;");
	point(w, "p", (uint8_t *)old_at(w, "m") + 24);
	refused(w, STATE_E_AMBIGUOUS, "several things (a.c:m+24) at a.c:p");
	w = begin("i32 m[2][2][3]; i32 *p;", "i32 m[2][3][3]; i32 *p;");
	point(w, "p", (uint8_t *)old_at(w, "m") + 48);
	refused(w, STATE_E_AMBIGUOUS, "several things (a.c:m+48) at a.c:p");
	w = begin("i32 m[3][3]; i32 *p;", "i32 m[2][3]; i32 *p;");
	point(w, "p", (uint8_t *)old_at(w, "m") + 24);
	refused(w, STATE_E_AMBIGUOUS, "several things (a.c:m+24) at a.c:p");
	w = begin("i32 m[2][3]; i32 *p; i32 *q;", "i32 m[3][3]; i32 *p; i32 *q;");
	point(w, "p", (uint8_t *)old_at(w, "m") + 12);
	point(w, "q", (uint8_t *)old_at(w, "m") + 20);
	done(w);
	assert(where(w, "p") == new_at(w, "m[1][0]") && where(w, "q") == new_at(w, "m[1][2]"));
	world_free(w);
	w = begin("i32 m[2][3]; i32 *p;", "i64 m[2][3]; i64 *p;");
	point(w, "p", (uint8_t *)old_at(w, "m") + 24);
	done(w);
	assert(where(w, "p") == (uint8_t *)new_at(w, "m") + 48);
	world_free(w);
	/* The end of the last of some records is that record's. */
	w = begin("struct s { i32 a[3]; } m[2]; i32 *p;", "struct s { i32 a[3]; } m[3]; i32 *p;");
	point(w, "p", (uint8_t *)old_at(w, "m") + 24);
	done(w);
	assert(where(w, "p") == (uint8_t *)new_at(w, "m[1].a[2]") + 4);
	world_free(w);
	/* The middle of a number, and padding. */
	w = begin("struct s { u8 c; i64 x; } v; i64 *p;", "struct s { u8 c; i64 x; } v; i64 *p;");
	point(w, "p", (uint8_t *)old_at(w, "v.x") + 1);
	refused(w, STATE_E_POINTER, "a.c:p");
	w = begin("struct s { u8 c; i64 x; } v; char *p;", "struct s { u8 c; i64 x; } v; char *p;");
	point(w, "p", (uint8_t *)old_at(w, "v.c") + 2);
	refused(w, STATE_E_POINTER, "a.c:p");
}

/* Characters look into anything; void pointers mean the largest value that starts there. */
static void test_loose_pointers(void)
{
	struct world *w = begin(
	        "struct in { i32 a; i32 b; }; struct s { i64 first; struct in in; char c[4]; } v;"
	        "char *byte; void *outer; void *inner; char *text; u8 *utext; site struct s f; "
	        "void *obj;",
	        "struct in { i32 z; i32 b; i32 a; }; struct s { char c[4]; struct in in; i64 "
	        "first; } v;"
	        "char *byte; void *outer; void *inner; char *text; u8 *utext; site struct s f; "
	        "void *obj;");
	void *object = world_object(w, "f", 0, 1);

	point(w, "byte", (uint8_t *)old_at(w, "v.in.b") + 1);
	point(w, "outer", old_at(w, "v"));
	point(w, "inner", old_at(w, "v.in"));
	point(w, "text", old_at(w, "v.c[1]"));
	point(w, "utext", old_at(w, "v.c"));
	point(w, "obj", object);
	done(w);
	assert(where(w, "byte") == (uint8_t *)new_at(w, "v.in.b") + 1);
	assert(where(w, "outer") == new_at(w, "v") && where(w, "inner") == new_at(w, "v.in"));
	assert(where(w, "text") == new_at(w, "v.c[1]") && where(w, "utext") == new_at(w, "v.c"));
	assert(where(w, "obj") != NULL);
	world_free(w);
}

/* Out of the state: a stack, a function that is gone, from a table. */
static void test_pointers_out(void)
{
	int32_t local = 0;
	struct world *w = begin("i32 *p;", "i32 *p;");

	point(w, "p", &local);
	refused(w, STATE_E_POINTER, "pointer leads nowhere at a.c:p");
	w = begin("func f; func g; struct t { fn *call; u32 n; } t[3];",
	        "func f; struct t { u32 n; fn *call; } t[3];");
	point(w, "t[0].call", model_symbol_find(w->old, "f")->addr);
	point(w, "t[2].call", model_symbol_find(w->old, "g")->addr);
	refused(w, STATE_E_POINTER, "what the new release lacks (a.c:g+0) at a.c:t[2].call");
	w = begin("func f; struct t { fn *call; u32 n; } t[3];",
	        "func f; struct t { u32 n; fn *call; } t[3];");
	point(w, "t[2].call", (uint8_t *)model_symbol_find(w->old, "f")->addr + 1);
	refused(w, STATE_E_POINTER, "no value of its type (a.c:f+1) at a.c:t[2].call");
}

/* Neither stack nor time may depend on how things hang together. */
static void test_long_list(void)
{
	enum { N = 100000 };
	struct world *w = world_new(
	        "struct n { struct n *next; i32 id; }; site struct n f; struct n *head;",
	        "struct n { i64 id; struct n *next; }; site struct n f; struct n *head;", SEED);
	struct model_type *type;
	uint8_t *last = NULL;
	uint8_t *at;

	w->scratch_size = UINT64_C(16) << 20;
	world_start(w);
	type = model_type_find(w->old, "n");
	for (int i = 0; i < N; i++) {
		uint8_t *node = world_object(w, "f", 0, 1);

		model_put_pointer(model_walk(type, node, ".next"), last);
		model_put(model_walk(type, node, ".id"), i);
		last = node;
	}
	point(w, "head", last);
	done(w);
	assert(w->result.n_objects == N);
	type = model_type_find(w->new, "n");
	at = where(w, "head");
	for (int i = N - 1; i >= 0; i--) {
		assert(model_get(model_walk(type, at, ".id")) == i);
		at = model_get_pointer(model_walk(type, at, ".next"));
	}
	assert(at == NULL);
	world_free(w);
}

int main(void)
{
	test_pointers_out();
	test_long_list();
	test_pointers();
	test_pointer_refusals();
	test_widened_characters();
	test_tables();
	test_one_place();
	test_larger_at_one_place();
	test_functions();
	test_loose_pointers();
	return 0;
}
