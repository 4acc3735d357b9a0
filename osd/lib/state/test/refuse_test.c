/* What the engine refuses while pairing, and what it reports as removed: one row per case. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/state/test/world.h"

struct refusal {
	const char *old;
	const char *new;
	enum state_code code;
	const char *words; /* in the error, or with STATE_OK in the notes */
};

static const struct refusal refusals[] = {
        /* types */
        {"i32 a;", "f32 a;", STATE_E_TYPE, "kind at a.c:a"},
        {"i32 a;", "char *a;", STATE_E_TYPE, "kind"},
        {"i32 a;", "i32 a[2];", STATE_E_TYPE, "kind"},
        {"f64 a;", "f32 a;", STATE_E_TYPE, "floating"},
        {"i128 a;", "i64 a;", STATE_E_TYPE, "width"},
        {"i64 a;", "i128 a;", STATE_E_TYPE, "width"},
        {"struct s { i32 x; } a;", "struct t { i32 x; } a;", STATE_E_TYPE, "another"},
        {"struct s { struct t { i32 x; } in[2]; } a;",
                "struct s { struct t { char *x; } in[2]; } a;", STATE_E_TYPE, "a.c:a.in.x"},
        {"struct s { i32 b : 3; } a;", "struct s { char *b; } a;", STATE_E_TYPE, "bitfield"},
        {"struct s { i32 x; struct s self[0]; } a;", "struct s { i32 y; struct s self[0]; } a;",
                STATE_E_TYPE, "nested"},
        /* unions */
        {"union u { char *p; i32 i; } a;", "union u { char *p; i32 i; } a;", STATE_E_UNION,
                "a.c:a"},
        {"union u { i64 j; i32 i; } a;", "union u { i64 j; } a;", STATE_E_UNION, "changed"},
        {"union u { i64 j; i32 i; } a;", "union u { i64 i; i64 j; } a;", STATE_E_UNION, "changed"},
        {"struct s { u8 k; union { char *p @when=0; } u; } a;",
                "struct s { u8 k; union { char *p @when=0; } u @tag=kind; } a;", STATE_E_ANNOTATION,
                "tag"},
        {"struct s { union { char *p; } u; } a;",
                "struct s { u8 k; union { char *p @when=0; } u @tag=k; } a;", STATE_E_ANNOTATION,
                "tag"},
        {"struct s { u8 k; union { char *p; } u; } a;",
                "struct s { u8 k @skip; union { char *p @when=0; } u @tag=k; } a;",
                STATE_E_ANNOTATION, "tag"},
        {"struct s { u8 k; union { char *p; i32 i; } u; } a;",
                "struct s { u8 k; union { char *p @when=0; i32 i; } u @tag=k; } a;",
                STATE_E_ANNOTATION, "alive"},
        {"struct s { u8 k; union { char *p; } u; } a;",
                "struct s { u8 k; union { char *p @when=PINK; } u @tag=k; } a;", STATE_E_ANNOTATION,
                "value"},
        {"struct s { u8 k; union { i32 a @when=1; i32 b @when=2; } u @tag=k; } v;",
                "struct s { u8 k; union { i32 a @when=2; i32 b @when=1; } u @tag=k; } v;",
                STATE_E_UNION, "something else now at value 0x1 at a.c:v.u.a"},
        {"struct s { u8 k; u8 j; union { i32 *a @when=1; i64 b @when=2; } u @tag=k; } v;",
                "struct s { u8 k; u8 j; union { i32 *a @when=1; i64 b @when=2; } u @tag=j; } v;",
                STATE_E_UNION, "tag is another member now at a.c:v.u"},
        {"struct s { u8 k; union { i64 a @when=1; } u @tag=k; } v;",
                "struct s { u8 j @renamed=k; union { i64 a @when=1; } u @tag=j; } v;", STATE_OK,
                ""},
        {"struct s { u8 k; union { i32 a; i32 b; } u; } v;",
                "struct s { u8 k; union { i32 a @when=2; i32 b @when=2; } u @tag=k; } v;",
                STATE_E_ANNOTATION, "two members that are alive at one value at a.c:v.u.b"},
        {"struct s { u8 k; union { i32 a; } u; } v;",
                "struct s { u8 k; union { i32 a @when=2; } u @tag=k @empty=2; } v;",
                STATE_E_ANNOTATION, "empty at a value at which a member is alive at a.c:v.u"},
        {"struct s { u8 k; union { i32 a; } u; } v;",
                "enum e { A }; enum f { B, A }; enum e e; enum f f; struct s { u8 k; union { i32 a "
                "@when=A; } u @tag=k; } v;",
                STATE_E_ANNOTATION, "no value of its tag at a.c:v.u.a"},
        {"enum k { A, B }; union u { enum k k : 1; u8 all; } v;",
                "enum k { B, A }; union u { enum k k : 1; u8 all; } v;", STATE_E_UNION, "changed"},
        /* annotations */
        {"i32 a;", "i64 a @raw;", STATE_E_TYPE, "raw"},
        {"i32 a;", "i32 a @handler=gone;", STATE_E_ANNOTATION, "handler"},
        {"i32 a;", "func h; i32 a @handler=h; file b.c; func h;", STATE_E_ANNOTATION,
                "several functions of the release have the handler's name at a.c:a"},
        {"i32 a @version=1;", "i32 a @version=2;", STATE_E_VERSION, "a.c:a"},
        {"i32 a;", "i32 a @version=2;", STATE_E_VERSION, "version"},
        {"struct s { i32 x; } @version=1; struct s a;",
                "struct s { i32 x; } @version=2; struct s a;", STATE_E_VERSION, "version"},
        {"struct s { i32 x @version=1; } a;", "struct s { i32 x @version=2; } a;", STATE_E_VERSION,
                "a.c:a.x"},
        {"struct s { char *p; f32 n; } a;", "struct s { char *p @length=n; f32 n; } a;",
                STATE_E_ANNOTATION, "length"},
        {"struct s { char *p; } a;", "struct s { char *p @length=n; u32 n; } a;",
                STATE_E_ANNOTATION, "length"},
        {"struct s { i32 p; u32 n; } a;", "struct s { i32 p @length=n; u32 n; } a;",
                STATE_E_ANNOTATION, "length"},
        {"struct s { i32 b : 3; } a;", "struct s { i32 b : 3 @raw; } a;", STATE_E_ANNOTATION,
                "bitfield"},
        /* a type that starts fresh from now on, wherever it is */
        {"struct l { i32 x; } l;", "struct l { i32 x; } @skip l;", STATE_OK,
                "dropped struct l at a.c:l, which starts fresh now\n"},
        {"struct s { struct l { i32 x; } in[2]; } v; site struct s f;",
                "struct s { struct l { i32 x; } @skip in[2]; } v; site struct s f;", STATE_OK,
                "dropped struct l at a.c:v.in, which starts fresh now\n"},
        /* renamings: who was renamed claims the old one, and two cannot */
        {"i32 a;", "i32 b @renamed=a; i32 c @renamed=a;", STATE_E_ANNOTATION, "a.c:c"},
        {"i32 a;", "i32 b @renamed=a; file b.c; i32 a @moved=a.c;", STATE_E_ANNOTATION, "b.c:a"},
        {"i32 a;", "file b.c; i32 a @moved=a.c; file c.c; i32 a @moved=a.c;", STATE_E_ANNOTATION,
                "c.c:a"},
        {"i32 a; i32 b;", "i32 b @renamed=a;", STATE_OK, "lost a.c:b\n"},
        {"struct s { i32 a; } v;", "struct s { i32 b @renamed=a; i32 c @renamed=a; } v;",
                STATE_E_ANNOTATION, "a.c:v.c"},
        /* the way back from renamings onto a name that something else has: who is who? */
        {"i32 a @renamed=b; i32 b @renamed=a;", "i32 a; i32 b;", STATE_E_ANNOTATION,
                "without that note at a.c:a"},
        {"i32 b @renamed=a;", "i32 a; i32 b;", STATE_E_ANNOTATION, "without that note at a.c:b"},
        {"i32 a; i32 b @renamed=a;", "i32 a;", STATE_E_ANNOTATION, "without that note at a.c:b"},
        {"i32 a; i32 b @renamed=a;", "i32 a; u8 d readonly @dropped_variable=b;", STATE_OK,
                "dropped a.c:b\n"},
        {"i32 b @renamed=a;", "i32 a;", STATE_OK, "lost a.c:b\n"},
        {"i32 a; i32 b @renamed=a;", "i32 b;", STATE_OK, "lost a.c:a\n"},
        {"i32 a; file b.c; i32 a @moved=a.c;", "i32 a; file b.c; i32 a;", STATE_E_ANNOTATION,
                "without that note at b.c:a"},
        {"struct s { i32 a @renamed=b; i32 b @renamed=a; } v;", "struct s { i32 a; i32 b; } v;",
                STATE_E_ANNOTATION, "without that note at a.c:v.a"},
        {"struct s { i32 a; i32 b @renamed=a; } v;", "struct s { i32 a; } v;", STATE_E_ANNOTATION,
                "without that note at a.c:v.b"},
        {"struct s { i32 a; i32 b @renamed=a; } v;", "struct s { i32 a; } @dropped=b v;", STATE_OK,
                "dropped struct s.b\n"},
        {"struct p { i32 n; } @renamed=q a; struct q { i32 n; } @renamed=p b;",
                "struct p { i32 n; } a; struct q { i32 n; } b;", STATE_E_ANNOTATION,
                "without that note: type p"},
        {"struct s { i32 a; i32 b; } v;", "struct s { i32 b @renamed=a; } v;", STATE_OK,
                "lost struct s.b\n"},
        {"struct x { i32 a; } v;",
                "struct y { i32 a; } @renamed=x; struct z { i32 a; } @renamed=x; struct y v; "
                "struct "
                "z w;",
                STATE_E_ANNOTATION, "two types were renamed from x"},
        {"struct x { i32 a; } v; struct y { i32 a; } w;",
                "struct y { i32 a; } @renamed=x; struct y v; struct y w;", STATE_E_TYPE,
                "another one at a.c:w"},
        {"struct x { i32 a; } v; struct y { i32 a; } w;",
                "struct y { i32 a; } @renamed=x; struct y v; struct x { i32 a; } w;", STATE_E_TYPE,
                "another one at a.c:w"},
        /* a former name that two claim, in words alone */
        {"i32 a;", "i32 b @renamed=x; i32 c @renamed=x; i32 a;", STATE_E_ANNOTATION,
                "another one was renamed from at a.c:c"},
        {"i32 a;", "i32 a; i32 b @renamed=x; i32 b in f @renamed=x; file b.c; i32 c @renamed=x;",
                STATE_OK, ""},
        {"struct s { i32 a; } v;", "struct s { i32 a @renamed=x; i32 b @renamed=x; } v;",
                STATE_E_ANNOTATION, "another one was renamed from at a.c:v.b"},
        {"i32 a;",
                "struct s { i32 a; } @renamed=x; struct t { i32 a; } @renamed=x; struct s s; "
                "struct t t; i32 a;",
                STATE_E_ANNOTATION, "two types were renamed from x"},
        /* a number that is none of 64 bits */
        {"struct s { u64 k; union { i64 a; } u; } v;",
                "struct s { u64 k; union { i64 a @when=0x10000000000000001; } u @tag=k; } v;",
                STATE_E_ANNOTATION, "what is no value of its tag at a.c:v.u.a"},
        /* a value that a tag cannot hold */
        {"struct s { u8 k; union { i32 a @when=255; } u @tag=k; } v;",
                "struct s { u8 k; union { i32 a @when=255; } u @tag=k; } v;", STATE_OK, ""},
        {"struct s { u8 k; union { i32 a @when=256; } u @tag=k; } v;",
                "struct s { u8 k; union { i32 a @when=256; } u @tag=k; } v;", STATE_E_ANNOTATION,
                "its tag cannot hold: 0x100 at a.c:v.u.a"},
        {"struct s { i8 k; union { i32 a @when=-128; i32 b @when=127; } u @tag=k; } v;",
                "struct s { i8 k; union { i32 a @when=-128; i32 b @when=127; } u @tag=k; } v;",
                STATE_OK, ""},
        {"struct s { i8 k; union { i32 a @when=128; } u @tag=k; } v;",
                "struct s { i8 k; union { i32 a @when=128; } u @tag=k; } v;", STATE_E_ANNOTATION,
                "its tag cannot hold: 0x80 at a.c:v.u.a"},
        {"struct s { u32 k; union { i32 a @when=-1; } u @tag=k; } v;",
                "struct s { u32 k; union { i32 a @when=-1; } u @tag=k; } v;", STATE_E_ANNOTATION,
                "its tag cannot hold:"},
        {"struct s { u32 k : 3; union { i32 a @when=8; } u @tag=k; } v;",
                "struct s { u32 k : 3; union { i32 a @when=8; } u @tag=k; } v;", STATE_E_ANNOTATION,
                "its tag cannot hold: 0x8"},
        {"struct s { bool k; union { i32 a @when=2; } u @tag=k; } v;",
                "struct s { bool k; union { i32 a @when=2; } u @tag=k; } v;", STATE_E_ANNOTATION,
                "its tag cannot hold: 0x2"},
        {"struct s { u8 k; union { i32 a @when=1; } u @tag=k @empty=256; } v;",
                "struct s { u8 k; union { i32 a @when=1; } u @tag=k @empty=256; } v;",
                STATE_E_ANNOTATION, "empty at a value that its tag cannot hold: 0x100 at a.c:v.u"},
        /* the heap's root */
        {"i32 heap_root;", "i32 a;", STATE_E_DESCRIPTION, "named heap_root"},
        {"i32 a;", "i32 heap_root;", STATE_E_DESCRIPTION, "named heap_root"},
        {"i32 heap_root in f;", "i32 heap_root in f;", STATE_OK, ""},
        /* sites */
        {"site i32 f;", "site i32 f; i32 x;", STATE_OK, ""},
        {"struct s { i32 x; }; site struct s f;", "struct s { char *x; }; site struct s f;",
                STATE_E_TYPE, "heap struct s from a.c:f"},
        /* lost state is refused, and listed by consent */
        {"i32 a; i32 b;", "i32 b;", STATE_OK, "lost a.c:a\n"},
        {"i32 a in f;", "i32 b;", STATE_OK, "lost a.c:f:a\n"},
        {"i32 a;", "i32 a readonly;", STATE_OK, "lost a.c:a\n"},
        {"i32 a readonly;", "i32 b;", STATE_OK, ""},
        {"i32 a @skip;", "i32 b;", STATE_OK, ""},
        {"struct s { i32 x; i32 y; } a;", "struct s { i32 x; } a;", STATE_OK, "lost struct s.y\n"},
        {"struct s { i32 x; i32 y @skip; } a;", "struct s { i32 x; } a;", STATE_OK, ""},
        {"struct s { u8 k; union { i64 j; i32 i; } u; } a;",
                "struct s { u8 k; union { i64 j @when=1; } u @tag=k; } a;", STATE_OK,
                "lost union (anonymous).i\n"},
        {"struct s { i32 x; i32 y; } a; i32 b; i32 c;", "struct s { i32 x; } a;", STATE_OK,
                "lost struct s.y\nlost a.c:b\nlost a.c:c\n"},
        {"i32 a;", "i32 a @skip;", STATE_OK, "dropped a.c:a, which starts fresh"},
        {"struct s { i32 x; i32 y; } a;", "struct s { i32 x; i32 y @skip; } a;", STATE_OK,
                "dropped struct s.y, which starts fresh"},
        /* what is dropped on purpose, or was never worth keeping */
        {"i32 a; i32 a in f;", "u8 d readonly @dropped_variable=a; i32 a in f;", STATE_OK,
                "dropped a.c:a\n"},
        {"i32 a in f;", "u8 d readonly @dropped_variable=f:a;", STATE_OK, "dropped a.c:f:a\n"},
        {"i32 a in f;", "u8 d readonly @dropped_variable=a;", STATE_OK, "lost a.c:f:a\n"},
        {"i32 a in f;", "u8 d readonly @dropped_variable=g:a;", STATE_OK, "lost a.c:f:a\n"},
        {"file x/b.c; i32 a;", "u8 d readonly @dropped_variable=b.c:a;", STATE_OK,
                "dropped b.c:a\n"},
        {"file x/b.c; i32 a in f;", "u8 d readonly @dropped_variable=b.c:f:a;", STATE_OK,
                "dropped b.c:f:a\n"},
        {"file x/b.c; i32 a;", "u8 d readonly @dropped_variable=a;", STATE_OK, "lost b.c:a\n"},
        {"file xb.c; i32 a;", "u8 d readonly @dropped_variable=b.c:a;", STATE_OK, "lost xb.c:a\n"},
        {"i32 a;", "file b.c; i32 a; u8 d readonly @dropped_variable=a.c:a;", STATE_OK,
                "dropped a.c:a\n"},
        {"i32 a @expendable;", "i32 b;", STATE_OK, "dropped a.c:a\n"},
        {"struct s { i32 x; i32 y; } a;", "struct s { i32 x; } @dropped=y; struct s a;", STATE_OK,
                "dropped struct s.y\n"},
        {"struct s { i32 x; i32 y; i32 z; } a;",
                "struct s { i32 x; } @dropped=y @dropped=z; struct s a;", STATE_OK,
                "dropped struct s.z\n"},
        {"struct s { i32 x; i32 y; } a;", "struct s { i32 x; } @dropped=z; struct s a;", STATE_OK,
                "lost struct s.y\n"},
        {"struct s { i32 x; i32 y @expendable; } a;", "struct s { i32 x; } a;", STATE_OK,
                "dropped struct s.y\n"},
        /* what has moved */
        {"i32 a;", "file b.c; i32 a;", STATE_OK, "moved a.c:a to b.c:a\n"},
        {"i32 a in f;", "file b.c; i32 a;", STATE_OK, "moved a.c:f:a to b.c:a\n"},
        {"i32 a;", "file b.c; i64 a;", STATE_OK, "lost a.c:a\n"},
        {"struct s { i32 x; } *a;", "file b.c; struct t { i32 x; } *a;", STATE_OK, "lost a.c:a\n"},
        {"struct s { i32 x; } *a;", "file b.c; struct s { i32 x; } *a;", STATE_OK,
                "moved a.c:a to b.c:a\n"},
        {"i32 a in f; i32 a in g;", "file b.c; i32 a in f; i32 a in g;", STATE_OK,
                "moved a.c:f:a to b.c:f:a\nmoved a.c:g:a to b.c:g:a\n"},
        {"i32 a;", "file b.c; i32 a; file c.c; i32 a;", STATE_OK,
                "lost a.c:a, which may be one of several of this name; STATE_MOVED_FROM says "
                "which\n"},
        {"i32 a; file b.c; i32 a;", "file c.c; i32 a;", STATE_OK,
                "lost a.c:a, which may be one of several of this name; STATE_MOVED_FROM says "
                "which\n"},
        {"i32 a; file b.c; i32 a;", "i32 a; file c.c; i32 a;", STATE_OK,
                "lost b.c:a, which may be one of several of this name; STATE_MOVED_FROM says "
                "which\n"},
        {"file b.c; i32 a; file c.c; i32 a;", "i32 a; file c.c; i32 a;", STATE_OK,
                "lost b.c:a, which may be one of several of this name; STATE_MOVED_FROM says "
                "which\n"},
        {"i32 a; file b.c; i32 a;", "i32 a; file c.c; i32 a @moved=b.c;", STATE_OK,
                "moved b.c:a to c.c:a\n"},
        {"i32 a; file b.c; i64 a;", "i32 a; file c.c; i64 a;", STATE_OK, "moved b.c:a to c.c:a\n"},
        {"i32 a; file b.c; i32 a in f;", "i32 a; file c.c; i32 a in f;", STATE_OK,
                "moved b.c:f:a to c.c:f:a\n"},
        {"i32 a; file b.c; i32 a;", "u8 d readonly @dropped_variable=a; file c.c; i32 a;", STATE_OK,
                "moved b.c:a to c.c:a\n"},
        {"i32 a; file b.c; i32 a;", "i32 a;", STATE_OK, "lost b.c:a\n"},
        {"i32 a;", "file b.c; i32 a @moved=a.c; file c.c; i32 a;", STATE_OK,
                "moved a.c:a to b.c:a\n"},
        {"i32 a in f;", "file b.c; i32 b in g @moved=a.c,f @renamed=a;", STATE_OK,
                "moved a.c:f:a to b.c:g:b\n"},
        {"i32 a in f;", "file b.c; i32 a in g @moved=a.c,h;", STATE_OK,
                "moved a.c:f:a to b.c:g:a\n"},
        {"i32 a; i32 a in f;", "file b.c; i32 a in f @moved=a.c,; i32 a;", STATE_OK,
                "moved a.c:a to b.c:f:a\nmoved a.c:f:a to b.c:a\n"},
        {"i32 a @expendable;", "file b.c; i32 a;", STATE_OK, "moved a.c:a to b.c:a\n"},
        {"i32 a;", "u8 d readonly @dropped_variable=a; file b.c; i32 a;", STATE_OK,
                "dropped a.c:a\n"},
        {"file x/a.c; i32 a; file y/a.c; i32 a;", "file b.c; i32 a @moved=a.c;", STATE_E_ANNOTATION,
                "several at b.c:a"},
        {"file x/a.c; i32 a; file y/a.c; i32 a;", "file b.c; i32 a @moved=y/a.c; i32 b;", STATE_OK,
                "lost a.c:a\n"},
};

static void refusal_try(const struct refusal *row, bool accepts_loss, enum state_code wanted)
{
	struct world *world = world_new(row->old, row->new, 7);
	/* Of a line of the notes the words behind "lost ", which the error has too. */
	size_t skip = wanted == STATE_E_LOSS ? strlen("lost ") : 0;
	size_t n = strcspn(row->words + skip, "\n");
	char words[100];
	enum state_code code;
	const char *text;

	snprintf(words, sizeof(words), "%.*s", (int)n, row->words + skip);
	world_start(world);
	world_switch(world);
	world->accepts_loss = accepts_loss;
	code = world_pair(world);
	text = code == STATE_OK ? world->result.notes : world->result.error;
	if (code != wanted || world->result.code != code || strstr(text, words) == NULL ||
	        (words[0] == 0 && text[0] != 0)) {
		fprintf(stderr, "%s -> %s: %s \"%s\"\n", row->old, row->new, state_code_text(code),
		        text);
		assert(false);
	}
	world_free(world);
}

static void refusal_run(const struct refusal *row)
{
	bool is_loss = strncmp(row->words, "lost ", 5) == 0;

	refusal_try(row, true, row->code);
	refusal_try(row, false, is_loss ? STATE_E_LOSS : row->code);
}

/* Too little scratch memory, at every size: a clean refusal until it works. */
static void test_scratch(void)
{
	struct world *world = world_new("struct s { i32 x; char *p; struct t { i64 k; } t[3]; } a; "
	                                "i32 b; func f; site struct s f;",
	        "struct s { i64 x; char *p; struct t { i64 k; } t[3]; } a; i32 b; func f; site "
	        "struct s f;",
	        7);
	enum state_code code = STATE_E_SCRATCH;
	unsigned n = 0;

	world_start(world);
	world_object(world, "f", 0, 2);
	world_switch(world);
	for (world->scratch_size = 0; code != STATE_OK; world->scratch_size += 16) {
		code = world_pair(world);
		if (code == STATE_OK) {
			code = state_transfer(world->transfer);
		}
		assert(code == STATE_OK || code == STATE_E_SCRATCH);
		n++;
	}
	assert(n > 100);
	world->scratch_size = UINT64_C(4) << 20;
	world_free(world);
}

/* What a release says of its past is no claim on itself: refused of two releases, not of one. */
static void test_same(void)
{
	const char *text = "i32 b @renamed=x; i32 c @renamed=x; i32 a;";

	for (unsigned is_same = 0; is_same < 2; is_same++) {
		struct world *world = world_new(text, text, 7);

		world->is_same = is_same != 0;
		world_start(world);
		world_switch(world);
		assert(world_pair(world) == (is_same ? STATE_OK : STATE_E_ANNOTATION));
		for (uint32_t i = 0; is_same && i < 3; i++) {
			assert(state_pair_partner(world->pairing, i) == i);
		}
		world_free(world);
	}
}

static void test_setup(void)
{
	struct world *world = world_new("i32 a;", "i32 a;", 7);
	struct state_setup setup = {0};
	uint32_t n;

	world_start(world);
	setup.old = model_side(world->old);
	setup.new = model_side(world->new);
	setup.scratch = world->scratch;
	setup.scratch_size = world->scratch_size;
	setup.old.n_addr++;
	assert(state_pair(&setup, &world->result, &world->pairing) == STATE_E_SETUP);
	setup.old.n_addr--;
	setup.new.desc = setup.old.desc;
	setup.new.n_addr--;
	assert(state_pair(&setup, &world->result, &world->pairing) == STATE_E_SETUP);
	assert(model_symbol_at(world->old, 0, &n) != NULL && n == 2);
	world_free(world);
}

static const char rich[] = "enum e { A, B=4 }; struct in { i32 x; struct s *up; char c[3]; }; "
                           "struct s { u8 k; struct in in[2];"
                           " union { i32 n @when=A; struct s *p @when=1; } u @tag=k; i32 b : 3; "
                           "u32 n; char *t @length=n; i32 o;"
                           " struct { i16 q; union { u8 y; i8 z; }; }; } v; struct s *head; site "
                           "struct s f; func g; enum e e;"
                           "char name[9] @version=1; i64 raw @raw; i32 skip @skip; string "
                           "\"text\"; library l 64; fn *call;";

/* Descriptions are signed, but one that only the checker takes for good must not be worse than a refusal. */
static void test_changed_descriptions(void)
{
	static const uint8_t flip[] = {0x01, 0x02, 0x40, 0xff};
	struct world *world = world_new(rich, rich, 7);
	struct state_setup setup = {0};
	struct state_side side;
	struct state_desc desc;
	unsigned n_paired = 0;
	uint8_t *copy;

	world_start(world);
	side = model_side(world->new);
	setup.scratch = world->scratch;
	setup.scratch_size = 200000;
	copy = malloc(side.desc_size);
	assert(copy != NULL);
	for (size_t i = sizeof(struct state_header); i < side.desc_size; i++) {
		for (size_t k = 0; k < sizeof(flip) * 2; k++) {
			setup.old = model_side(world->old);
			setup.new = side;
			memcpy(copy, k % 2 ? side.desc : setup.old.desc, side.desc_size);
			copy[i] ^= flip[k / 2];
			*(k % 2 ? &setup.new.desc : &setup.old.desc) = copy;
			if (state_desc_check(copy, side.desc_size, &desc) == STATE_DESC_OK) {
				n_paired++;
				(void)state_pair(&setup, &world->result, &world->pairing);
			}
		}
	}
	assert(n_paired > 1000);
	free(copy);
	world_free(world);
}

/*
 * An alias has no members of its own, whatever its length says: a search through all enums for a
 * value that an annotation names must not read behind it.
 */
static void test_alias_length(void)
{
	static uint8_t scratch[200000] __attribute__((aligned(16)));
	struct desc_build *build = desc_build_new("alias");
	uint32_t number = desc_build_int(build, "int", 4, STATE_BTF_SIGNED);
	uint32_t color = desc_build_enum(build, "color", 4);
	uint32_t alias = desc_build_ref(build, STATE_BTF_TYPEDEF, "color_t", color);
	uint32_t either = desc_build_record(build, STATE_BTF_UNION, "", 4);
	uint64_t addr[] = {4096};
	struct state_setup setup = {.scratch = scratch, .scratch_size = sizeof(scratch)};
	struct state_result result;
	struct state_pairing *pairing;
	struct state_desc desc;
	uint32_t both;
	uint32_t type;

	desc_build_member(build, "n", number, 0, 0);
	both = desc_build_record(build, STATE_BTF_STRUCT, "both", 8);
	desc_build_member(build, "kind", number, 0, 0);
	desc_build_member(build, "u", either, 32, 0);
	desc_build_tag(build, STATE_TAG_TYPE, either, 0, "when=PINK");
	desc_build_tag(build, STATE_TAG_TYPE, both, 1, "tag=kind");
	desc_build_entry(build, STATE_VARIABLE, "a.c", "", "both", both, 8);
	setup.new.desc = desc_build_finish(build, &setup.new.desc_size);
	setup.new.addr = addr;
	setup.new.n_addr = 1;
	setup.old = setup.new;
	assert(state_desc_check(setup.new.desc, setup.new.desc_size, &desc) == STATE_DESC_OK);
	assert(state_pair(&setup, &result, &pairing) == STATE_E_ANNOTATION);
	type = desc.type_off[alias];
	((struct state_btf_type *)(uintptr_t)(desc.types + type))->info |= 0xffff;
	assert(state_desc_check(setup.new.desc, setup.new.desc_size, &desc) != STATE_DESC_OK);
	desc_build_free(build);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		refusal_run(&refusals[i]);
	}
	test_scratch();
	test_same();
	test_setup();
	test_changed_descriptions();
	test_alias_length();
	return 0;
}
