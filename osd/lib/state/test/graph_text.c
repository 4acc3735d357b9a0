/* Draws two releases of one program, as text of the model's language. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/state/test/graph.h"

#define GRAPH_MEMBERS 10

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
	char type[32];

	snprintf(
	        type, sizeof(type), "struct S%u", s > 0 ? (unsigned)random_below(d->random, s) : 0);
	switch (random_below(d->random, s > 0 ? 10 : 8)) {
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
		twin_same(twin, m, random_one_in(d->random, 2) ? "enum E" : "bool");
		break;
	case 5:
		twin_union(d, twin, m, (unsigned)random_below(d->random, d->text->n_structs));
		break;
	case 8:
		twin_same(twin, m, type);
		break;
	case 9:
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

static void shuffle(struct random *random, unsigned *order, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned k = (unsigned)random_below(random, i + 1);

		order[i] = order[k];
		order[k] = i;
	}
}

static void draft_struct(struct draft *d, unsigned s)
{
	struct twin twins[GRAPH_MEMBERS];
	unsigned order[GRAPH_MEMBERS];
	unsigned n = (unsigned)random_below(d->random, GRAPH_MEMBERS - 1) + 1;

	add(d->text->old, &d->old_len, "struct S%u {", s);
	add(d->text->new, &d->new_len, "struct S%u {", s);
	for (unsigned m = 0; m < n; m++) {
		twin_make(d, &twins[m], s, m);
		twin_change(d, &twins[m], m);
		add(d->text->old, &d->old_len, "%s", twins[m].old);
	}
	shuffle(d->random, order, n);
	for (unsigned m = 0; m < n; m++) {
		add(d->text->new, &d->new_len, "%s", twins[order[m]].new);
	}
	/* Never empty, and no two structs are alike. */
	add(d->text->old, &d->old_len, "u8 last%u;};\n", s);
	add(d->text->new, &d->new_len, "u8 last%u;};\n", s);
}

static void draft_both(struct draft *d, const char *text)
{
	add(d->text->old, &d->old_len, "%s", text);
	add(d->text->new, &d->new_len, "%s", text);
}

static void draft_variables(struct draft *d)
{
	char line[128];

	for (unsigned v = 0; v < 8; v++) {
		unsigned s = (unsigned)random_below(d->random, d->text->n_structs);
		unsigned n = (unsigned)random_below(d->random, 4) + 1;
		unsigned new_n = random_one_in(d->random, 4) ? n + 1 : n;

		add(d->text->old, &d->old_len, "struct S%u v%u[%u];", s, v, n);
		add(d->text->new, &d->new_len, "struct S%u v%u[%u];", s, v, new_n);
	}
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
	draft_both(
	        d, "func c0; func c1; func c2; string \"one\"; string \"two\"; string \"three\";");
	add(d->text->old, &d->old_len, "string \"gone\"; string \"lost\"; func c3;");
	add(d->text->new, &d->new_len, "string \"new\"; func c4;");
}

void graph_text_make(struct graph_text *text, struct random *random)
{
	struct draft d = {.random = random, .text = text};

	text->n_structs = (unsigned)random_below(random, GRAPH_STRUCTS - 1) + 2;
	add(text->old, &d.old_len, "enum E { EA, EB, EC=9, ED=-4 };\n");
	add(text->new, &d.new_len, "%s",
	        random_one_in(random, 2) ? "enum E { EB, EA, EX, ED, EC=9 };\n"
	                                 : "enum E { EA, EB, EC=9, ED=-4, EN };\n");
	for (unsigned s = 0; s < text->n_structs; s++) {
		draft_struct(&d, s);
	}
	draft_variables(&d);
	draft_sites(&d);
}
