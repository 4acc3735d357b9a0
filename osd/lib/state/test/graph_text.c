/* Draws two releases of one program, as text of the model's language. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/state/test/graph.h"

#define GRAPH_MEMBERS 10

#define GRAPH_NAMES 4

/* A member's declaration on both sides; "" where it does not exist. */
struct twin {
	char old[256];
	char new[256];
};

struct draft {
	struct random *random;
	struct graph_text *text;
	size_t old_len;
	size_t new_len;
};

uint64_t random_below(struct random *random, uint64_t below)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

bool random_one_in(struct random *random, uint64_t n)
{
	return random_below(random, n) == 0;
}

__attribute__((format(printf, 3, 4))) static void add(
        char *text, size_t *len, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + *len, GRAPH_TEXT - *len, format, args);
	va_end(args);
	if (n < 0 || *len + (size_t)n >= GRAPH_TEXT) {
		abort();
	}
	*len += (size_t)n;
}

static const char *random_int(struct random *random)
{
	static const char *const names[] = {"i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"};

	return names[random_below(random, 8)];
}

/* Numbers: may change width, sign, and become or cease to be bitfields. */
static void twin_number(struct draft *d, struct twin *twin, unsigned m)
{
	const char *type = random_int(d->random);
	bool change = random_one_in(d->random, 3);
	const char *new_type = change ? random_int(d->random) : type;
	unsigned bits = (unsigned)random_below(d->random, 7) + 1;

	if (random_one_in(d->random, 4)) {
		unsigned new_bits = change ? (unsigned)random_below(d->random, 7) + 1 : bits;

		snprintf(twin->old, sizeof(twin->old), "%s m%u : %u;", type, m, bits);
		snprintf(twin->new, sizeof(twin->new), "%s m%u : %u;", new_type, m, new_bits);
		return;
	}
	snprintf(twin->old, sizeof(twin->old), "%s m%u;", type, m);
	snprintf(twin->new, sizeof(twin->new), "%s m%u;", new_type, m);
}

/* Enumerators and booleans, which may become or cease to be bitfields. */
static void twin_word(struct draft *d, struct twin *twin, unsigned m)
{
	static const struct {
		const char *type;
		unsigned bits; /* that hold all its values, on both sides */
		unsigned more;
	} row[] = {{"enum E", 5, 8}, {"bool", 1, 1}, {"enum W", 64, 1}};
	unsigned k = (unsigned)random_below(d->random, 3);
	char old[16] = "";
	char new[16] = "";

	if (k < 2 && random_one_in(d->random, 2)) {
		snprintf(old, sizeof(old), " : %u",
		        row[k].bits + (unsigned)random_below(d->random, row[k].more));
	}
	if (k < 2 && random_one_in(d->random, 2)) {
		snprintf(new, sizeof(new), " : %u",
		        row[k].bits + (unsigned)random_below(d->random, row[k].more));
	}
	snprintf(twin->old, sizeof(twin->old), "%s m%u%s;", row[k].type, m, old);
	snprintf(twin->new, sizeof(twin->new), "%s m%u%s;", row[k].type, m, new);
}

static void twin_float(struct draft *d, struct twin *twin, unsigned m)
{
	bool wide = random_one_in(d->random, 2);

	snprintf(twin->old, sizeof(twin->old), "%s m%u;",
	        wide && random_one_in(d->random, 2) ? "f64" : "f32", m);
	snprintf(twin->new, sizeof(twin->new), "%s m%u;", wide ? "f64" : "f32", m);
}

/* What one release or both start afresh. */
static void twin_skip(struct draft *d, struct twin *twin, unsigned m)
{
	static const char *const types[] = {"u8", "bool", "i64", "void *", "enum W", "f32"};
	const char *type = types[random_below(d->random, 6)];
	uint64_t who = random_below(d->random, 3);

	snprintf(twin->old, sizeof(twin->old), "%s m%u%s;", type, m, who != 0 ? " @skip" : "");
	snprintf(twin->new, sizeof(twin->new), "%s m%u%s;", type, m, who != 1 ? " @skip" : "");
}

static void shuffle(struct random *random, unsigned *order, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned k = (unsigned)random_below(random, i + 1);

		order[i] = order[k];
		order[k] = i;
	}
}

/* Names that change owners: what was NAMEk is another NAME now, or gone, and whose name was
 * taken away may be there afresh. */
static void twin_names(struct draft *d, struct twin *twin, char name)
{
	unsigned order[GRAPH_NAMES + 1];
	bool taken[GRAPH_NAMES + 1] = {false};
	bool moved[GRAPH_NAMES + 1] = {false};
	size_t old = 0;
	size_t new = 0;

	twin->new[0] = 0;
	shuffle(d->random, order, GRAPH_NAMES + 1);
	for (unsigned k = 0; k < GRAPH_NAMES; k++) {
		char renamed[16] = "";

		old += (size_t)snprintf(
		        twin->old + old, sizeof(twin->old) - old, "i64 %c%u; ", name, k);
		if (random_one_in(d->random, 6)) {
			continue;
		}
		if (order[k] != k) {
			snprintf(renamed, sizeof(renamed), " @renamed=%c%u", name, k);
		}
		taken[order[k]] = true;
		moved[k] = order[k] != k;
		new += (size_t)snprintf(twin->new + new, sizeof(twin->new) - new, "i32 %c%u%s; ",
		        name, order[k], renamed);
	}
	for (unsigned k = 0; k < GRAPH_NAMES; k++) {
		if (moved[k] && !taken[k]) {
			new += (size_t)snprintf(
			        twin->new + new, sizeof(twin->new) - new, "i32 %c%u; ", name, k);
		}
	}
}

/* An array and, so that its end is nothing else's start, a member behind it. */
static void twin_array(struct draft *d, struct twin *twin, unsigned m, const char *type)
{
	unsigned n = (unsigned)random_below(d->random, 5) + 1;
	unsigned new_n = random_one_in(d->random, 3) ? (unsigned)random_below(d->random, 5) + 1 : n;

	snprintf(twin->old, sizeof(twin->old), "%s m%u[%u]; u16 g%u;", type, m, n, m);
	snprintf(twin->new, sizeof(twin->new), "%s m%u[%u]; u16 g%u;", type, m, new_n, m);
}

static void twin_same(struct twin *twin, unsigned m, const char *type)
{
	snprintf(twin->old, sizeof(twin->old), "%s m%u;", type, m);
	snprintf(twin->new, sizeof(twin->new), "%s m%u;", type, m);
}

static void twin_union(struct draft *d, struct twin *twin, unsigned m, unsigned pointee)
{
	const char *old_tag = random_one_in(d->random, 2) ? "u8" : "i32";

	snprintf(twin->old, sizeof(twin->old),
	        "%s t%u; union { i64 a @when=1; struct S%u *p @when=2; char c[8] @when=3; u16 z "
	        "@when=4; i32 x @when=6; }"
	        " m%u @tag=t%u; u16 g%u;",
	        old_tag, m, pointee, m, m, m);
	snprintf(twin->new, sizeof(twin->new),
	        "union { u16 z @when=4; struct S%u *p @when=2; u32 more @when=9; i64 a @when=1;"
	        " char c[12] @when=3; } m%u @tag=t%u %s; u16 t%u;",
	        pointee, m, m, random_one_in(d->random, 2) ? "@empty" : "@empty=7 @empty=0", m);
}

static void twin_pointer(struct draft *d, struct twin *twin, unsigned m, unsigned n_structs)
{
	static const char *const loose[] = {"void *", "char *", "i32 *", "fn *"};
	uint64_t pick = random_below(d->random, 8);
	char type[32];

	snprintf(type, sizeof(type), "struct S%u *", (unsigned)random_below(d->random, n_structs));
	if (random_one_in(d->random, 4)) {
		twin_array(d, twin, m, pick < 4 ? loose[pick] : type);
	} else {
		twin_same(twin, m, pick < 4 ? loose[pick] : type);
	}
}

/* Member m of struct s; structs inside are earlier ones. */
static void twin_make(struct draft *d, struct twin *twin, unsigned s, unsigned m)
{
	char lean[32];
	char type[32];

	snprintf(lean, sizeof(lean), "struct L%u", (unsigned)random_below(d->random, GRAPH_LEAN));
	snprintf(
	        type, sizeof(type), "struct S%u", s > 0 ? (unsigned)random_below(d->random, s) : 0);
	switch (random_below(d->random, s > 0 ? 14 : 12)) {
	case 0:
	case 1:
		twin_number(d, twin, m);
		break;
	case 2:
		twin_array(d, twin, m, "char");
		break;
	case 3:
		twin_array(d, twin, m, "i32");
		break;
	case 4:
	case 6:
		twin_word(d, twin, m);
		break;
	case 5:
		twin_union(d, twin, m, (unsigned)random_below(d->random, d->text->n_structs));
		break;
	case 7:
		twin_skip(d, twin, m);
		break;
	case 8:
		twin_float(d, twin, m);
		break;
	case 9:
		twin_array(d, twin, m, lean);
		break;
	case 12:
		twin_same(twin, m, type);
		break;
	case 13:
		twin_array(d, twin, m, type);
		break;
	default:
		twin_pointer(d, twin, m, d->text->n_structs);
	}
}

/* Some members go, some come, some get another name. */
static void twin_change(struct draft *d, struct twin *twin, unsigned m)
{
	if (random_one_in(d->random, 10)) {
		twin->new[0] = 0;
	} else if (random_one_in(d->random, 10)) {
		twin->old[0] = 0;
	} else if (random_one_in(d->random, 10)) {
		twin_same(twin, m, "i64");
		snprintf(twin->new, sizeof(twin->new), "i64 r%u @renamed=m%u;", m, m);
	}
}

/* A record of which little is left: one value, and members that go, come or are skipped. */
static void draft_lean(struct draft *d, unsigned s)
{
	struct twin twins[4] = {0};
	unsigned order[4];
	unsigned n = (unsigned)random_below(d->random, 4) + 1;

	add(d->text->old, &d->old_len, "struct L%u {", s);
	add(d->text->new, &d->new_len, "struct L%u {", s);
	for (unsigned m = 0; m < n; m++) {
		if (m > 0 && random_one_in(d->random, 2)) {
			twin_skip(d, &twins[m], m);
		} else if (random_one_in(d->random, 3)) {
			twin_number(d, &twins[m], m);
		} else if (random_one_in(d->random, 3)) {
			twin_float(d, &twins[m], m);
		} else {
			twin_word(d, &twins[m], m);
		}
		if (m > 0 && random_one_in(d->random, 2)) {
			*(random_one_in(d->random, 2) ? twins[m].old : twins[m].new) = 0;
		}
	}
	shuffle(d->random, order, n);
	for (unsigned m = 0; m < n; m++) {
		add(d->text->old, &d->old_len, "%s", twins[n - 1 - m].old);
		add(d->text->new, &d->new_len, "%s", twins[order[m]].new);
	}
	add(d->text->old, &d->old_len, "};\n");
	add(d->text->new, &d->new_len, "};\n");
}

/* Some values have a handler, which does what would have been done without it. */
static const char *draft_handler(struct draft *d, uint64_t n)
{
	return random_one_in(d->random, n) ? " @handler=" GRAPH_HANDLER : "";
}

static void draft_struct(struct draft *d, unsigned s)
{
	struct twin twins[GRAPH_MEMBERS];
	unsigned order[GRAPH_MEMBERS];
	unsigned n = (unsigned)random_below(d->random, GRAPH_MEMBERS - 1) + 1;
	bool names = random_one_in(d->random, 4);

	add(d->text->old, &d->old_len, "struct S%u {", s);
	add(d->text->new, &d->new_len, "struct S%u {", s);
	for (unsigned m = 0; m < n; m++) {
		if (names && m == 0) {
			twin_names(d, &twins[m], 'n');
		} else {
			twin_make(d, &twins[m], s, m);
			twin_change(d, &twins[m], m);
		}
		add(d->text->old, &d->old_len, "%s", twins[m].old);
	}
	shuffle(d->random, order, n);
	for (unsigned m = 0; m < n; m++) {
		add(d->text->new, &d->new_len, "%s", twins[order[m]].new);
	}
	/* Never empty, and no two structs are alike. */
	add(d->text->old, &d->old_len, "u8 last%u;};\n", s);
	add(d->text->new, &d->new_len, "u8 last%u;}%s;\n", s, draft_handler(d, 8));
}

static void draft_both(struct draft *d, const char *text)
{
	add(d->text->old, &d->old_len, "%s", text);
	add(d->text->new, &d->new_len, "%s", text);
}

static void draft_variables(struct draft *d)
{
	struct twin names;
	char line[128];

	for (unsigned v = 0; v < 8; v++) {
		unsigned s = (unsigned)random_below(d->random, d->text->n_structs);
		unsigned n = (unsigned)random_below(d->random, 4) + 1;
		unsigned new_n = random_one_in(d->random, 4) ? n + 1 : n;

		add(d->text->old, &d->old_len, "struct S%u v%u[%u];", s, v, n);
		add(d->text->new, &d->new_len, "struct S%u v%u[%u]%s;", s, v, new_n,
		        draft_handler(d, 5));
	}
	for (unsigned v = 0; v < GRAPH_LEAN; v++) {
		unsigned n = (unsigned)random_below(d->random, 6) + 1;

		/*
		 * Some live in another file now. Where another file had one of
		 * the name, they say which.
		 */
		snprintf(line, sizeof(line), "struct L%u l%u[%u]", v, v, n);
		add(d->text->old, &d->old_len, "%s;\n", line);
		if (random_one_in(d->random, 2)) {
			add(d->text->new, &d->new_len, "%s;\n", line);
		} else if (random_one_in(d->random, 2)) {
			add(d->text->new, &d->new_len, "file m.c; %s; file a.c;\n", line);
		} else {
			add(d->text->old, &d->old_len, "file q.c; %s; file a.c;\n", line);
			add(d->text->new, &d->new_len, "file m.c; %s @moved=a.c; file a.c;\n",
			        line);
		}
	}
	twin_names(d, &names, 'w');
	add(d->text->old, &d->old_len, "%s", names.old);
	add(d->text->new, &d->new_len, "%s", names.new);
	snprintf(line, sizeof(line), "void *all[%u]; char *name; i32 *number; fn *call;\n",
	        GRAPH_OBJECTS);
	draft_both(d, line);
}

static void draft_sites(struct draft *d)
{
	for (unsigned s = 0; s < d->text->n_structs; s++) {
		bool moved = random_one_in(d->random, 4);

		add(d->text->old, &d->old_len, "site struct S%u f%u;", s, s);
		add(d->text->new, &d->new_len, "site struct S%u %s%u;", s, moved ? "g" : "f", s);
	}
	draft_both(d, "site char fc; site i32 fi; site char * fp;\n");
	add(d->text->old, &d->old_len, "func c0;");
	add(d->text->new, &d->new_len,
	        random_one_in(d->random, 2) ? "file m.c; func c0; file a.c;" : "func c0;");
	draft_both(d, "func c1; func c2; string \"one\"; string \"two\"; string \"three\";");
	add(d->text->old, &d->old_len, "string \"gone\"; string \"lost\"; func c3;");
	add(d->text->new, &d->new_len, "string \"new\"; func c4; func " GRAPH_HANDLER ";");
}

/* Types that take each other's names, and a variable that has the name of the heap's root. */
static void draft_others(struct draft *d)
{
	bool named = random_one_in(d->random, 2);

	add(d->text->old, &d->old_len,
	        "struct T0 { i64 a; u8 b; } y0; struct T1 { u8 b; f32 a; } y1; struct T0 *y2;\n");
	add(d->text->new, &d->new_len, "%s",
	        named ? "struct T1 { u8 b; i64 a; } @renamed=T0 y0; struct T2 { f64 a; u8 b; } "
	                "@renamed=T1 y1; struct T1 *y2;\n"
	              : "struct T0 { u8 b; i64 a; } y0; struct T1 { f64 a; u8 b; } y1; struct T0 "
	                "*y2;\n");
	draft_both(d, random_one_in(d->random, 2) ? "file z.c; u64 heap_root in f; file a.c;\n"
	                                          : "u64 heap_root in f;\n");
}

void graph_text_make(struct graph_text *text, struct random *random)
{
	struct draft d = {.random = random, .text = text};

	text->n_structs = (unsigned)random_below(random, GRAPH_STRUCTS - 1) + 2;
	add(text->old, &d.old_len, "enum E { EA, EB, EC=9, ED=-4 };\n");
	add(text->new, &d.new_len, "%s",
	        random_one_in(random, 2) ? "enum E { EB, EA, EX, ED, EC=9 };\n"
	                                 : "enum E { EA, EB, EC=9, ED=-4, EN };\n");
	add(text->old, &d.old_len,
	        "enum : u64 W { WA=1, WB=0xffffffffffffffff, WC=0x8000000000000000 };\n");
	add(text->new, &d.new_len, "%s",
	        random_one_in(random, 2)
	                ? "enum : u64 W { WB=2, WC=0xfffffffffffffffe, WA=0x8000000000000000 };\n"
	                : "enum : u64 W { WA=1, WB=0xffffffffffffffff, WC=0x8000000000000000, WD=3 "
	                  "};\n");
	for (unsigned s = 0; s < GRAPH_LEAN; s++) {
		draft_lean(&d, s);
	}
	for (unsigned s = 0; s < text->n_structs; s++) {
		draft_struct(&d, s);
	}
	draft_variables(&d);
	draft_others(&d);
	draft_sites(&d);
}
