/* Unions with a tag: which member goes along, tags that no member claims, and many unions at once. */
#include "osd/lib/state/test/try.h"

static void test_unions(void)
{
	const char *old = "enum k { NUM, TEXT, LIST=7 }; struct v { enum k kind;"
	                  "union { i32 num @when=NUM; char *text @when=TEXT; struct v *list "
	                  "@when=7; } u @tag=kind; };"
	                  "struct v a[4]; string \"hi\"; struct bits { u8 k : 2; union { i16 n "
	                  "@when=1; char *p @when=2; }"
	                  " @tag=k; } b;";
	const char *new =
	        "enum k { TEXT, LIST=3, NUM }; struct v { union { struct v *list @when=LIST;"
	        "char *text @when=TEXT; i64 num @when=NUM; f64 real @when=9; } u @tag=kind; enum k "
	        "kind; };"
	        "struct v a[4]; string \"hi\"; struct bits { union { char *p @when=0x2; i32 n "
	        "@when=(1); }"
	        " @tag=k; u8 k : 3; } b;";
	struct world *w = begin(old, new);

	put(w, "a[0].kind", 0);
	put(w, "a[0].u.num", -5);
	put(w, "a[1].kind", 1);
	point(w, "a[1].u.text", model_symbol_find(w->old, "hi")->addr);
	put(w, "a[2].kind", 7);
	point(w, "a[2].u.list", old_at(w, "a[1]"));
	put(w, "b.k", 1);
	put(w, "b.n", -3);
	done(w);
	assert(got(w, "a[0].kind") == 4 && got(w, "a[0].u.num") == -5);
	assert(got(w, "a[1].kind") == 0 &&
	        where(w, "a[1].u.text") == model_symbol_find(w->new, "hi")->addr);
	assert(got(w, "a[2].kind") == 3 && where(w, "a[2].u.list") == new_at(w, "a[1]"));
	assert(got(w, "b.k") == 1 && got(w, "b.n") == -3);
	world_free(w);
	w = begin(old, new);
	put(w, "a[3].kind", 1);
	point(w, "a[3].u.text", &w);
	refused(w, STATE_E_POINTER, "a.c:a[3].u.text");
	/* Without a tag: bytes, if no pointer is in it and no bit of it means something else. */
	w = begin("union u { i64 j; f64 r; char c[8]; } u;",
	        "union u { char c[8]; i64 j; f64 r; i128 k; } u;");
	put(w, "u.j", 0x1234567890);
	done(w);
	assert(got(w, "u.j") == 0x1234567890);
	world_free(w);
}

/* A tag at which no member is alive: nothing may be lost by it, unless somebody said so. */
static void test_unclaimed_unions(void)
{
	const char *old =
	        "enum k { NUM, TEXT=6, NOT, GONE }; struct v { enum k kind; union { i64 num "
	        "@when=NUM; char *text @when=TEXT; i32 gone @when=GONE @expendable; } u @tag=kind; "
	        "} a[3];";
	const char *plain =
	        "enum k { NOT, NUM, TEXT, GONE }; struct v { union { i64 num @when=NUM; char "
	        "*text @when=TEXT; } u @tag=kind; enum k kind; } a[3];";
	const char *empty =
	        "enum k { NOT, NUM, TEXT, GONE }; struct v { union { i64 num @when=NUM; char "
	        "*text @when=TEXT; } u @tag=kind @empty=NOT; enum k kind; } a[3];";
	const char *other =
	        "enum k { NOT, NUM, TEXT, GONE }; struct v { union { i64 num @when=NUM; char "
	        "*text @when=TEXT; } u @tag=kind @empty; enum k kind; } a[3];";
	struct world *w = begin(old, plain);

	put(w, "a[1].kind", 7);
	done(w);
	assert(got(w, "a[1].kind") == 0 && got(w, "a[1].u.num") == 0);
	world_free(w);
	w = begin(old, plain);
	put(w, "a[2].kind", 7);
	put(w, "a[2].u.num", INT64_MIN);
	refused(w, STATE_E_UNION,
	        "no member of the union claims its tag's value 0x0 at a.c:a[2].u");
	for (unsigned i = 0; i < 2; i++) {
		w = begin(old, i == 0 ? empty : other);
		put(w, "a[1].kind", 7);
		put(w, "a[1].u.num", -1);
		put(w, "a[0].u.num", 77);
		done(w);
		assert(got(w, "a[1].u.num") == 0 && got(w, "a[0].u.num") == 77);
		world_free(w);
	}
	/* The value of a member that was removed, which pairing reports, is nobody's on purpose.
	 * What the new release starts with does not stay behind a tag that says nothing. */
	w = begin(old, plain);
	put(w, "a[0].kind", 7);
	put(w, "a[1].kind", 8);
	put(w, "a[1].u.gone", -1);
	model_put(model_var(w->new, "a[0].u.num"), -1);
	model_put(model_var(w->new, "a[1].u.num"), -1);
	done(w);
	assert(got(w, "a[0].u.num") == 0);
	assert(got(w, "a[1].kind") == 3 && got(w, "a[1].u.num") == 0 && w->result.n_removed == 1);
	world_free(w);
	/* Bits of a union without a tag, none of which moved. */
	old = "enum k { A, B }; union u { struct { u8 a : 3; u8 b : 4; enum k k : 1; } s[2]; u16 "
	      "all; } v;";
	w = begin(old, old);
	put(w, "v.all", 0xa5c3);
	done(w);
	assert(got(w, "v.all") == 0xa5c3);
	world_free(w);
}

/* As many unions side by side as one likes: only those inside each other are counted. */
static void test_many_unions(void)
{
	struct world *w = begin(
	        "struct s { u8 k; union { struct { i32 a; char *p; } t @when=1; } u "
	        "@tag=k; } v[60];",
	        "struct s { u8 k; union { struct { i64 a; char *p; } t @when=1; } u @tag=k; } "
	        "v[60];");

	for (int i = 0; i < 60; i++) {
		char path[32];

		snprintf(path, sizeof(path), "v[%d].k", i);
		put(w, path, 1);
		snprintf(path, sizeof(path), "v[%d].u.t.a", i);
		put(w, path, 100 + i);
	}
	done(w);
	assert(got(w, "v[0].u.t.a") == 100 && got(w, "v[59].u.t.a") == 159);
	world_free(w);
}

int main(void)
{
	test_unions();
	test_unclaimed_unions();
	test_many_unions();
	return 0;
}
