/* Pointers into constant tables: which row do they mean, when the new release has other rows? */
#include "osd/lib/state/test/try.h"

#define OPS "struct op { i32 id; i32 limit; }; "
#define USE "struct op *p; void *any; i32 *limit; struct op *end;"

/* What the image of a side holds from the start. */
static void fill(const struct model *model, const char *name, const int *ids, int n)
{
	for (int i = 0; i < n; i++) {
		char path[32];

		snprintf(path, sizeof(path), "%s[%d].id", name, i);
		model_put(model_var(model, path), ids[i]);
	}
}

struct rows {
	int n[2];
	int id[2][6];
};

static struct world *tables(const struct rows *rows, const char *note)
{
	char text[2][200];
	struct world *w;

	for (int age = 0; age < 2; age++) {
		snprintf(text[age], sizeof(text[age]), OPS "struct op op[%d] readonly%s; " USE,
		        rows->n[age], age == 1 ? note : "");
	}
	w = begin(text[0], text[1]);
	fill(w->old, "op", rows->id[0], rows->n[0]);
	fill(w->new, "op", rows->id[1], rows->n[1]);
	return w;
}

static void *row(const struct model *model, int i)
{
	return (uint8_t *)model_var(model, "op").addr + i * 8;
}

/* Where a pointer to each old row leads: the new row, or -1: refused. */
static void test_rows(void)
{
	static const struct {
		struct rows rows;
		int to[6];
	} cases[] = {
	        /* The same, and more behind it. */
	        {{{3, 3}, {{1, 2, 3}, {1, 2, 3}}}, {0, 1, 2}},
	        {{{3, 4}, {{1, 2, 3}, {1, 2, 3, 4}}}, {0, 1, 2}},
	        {{{3, 5}, {{1, 1, 3}, {1, 1, 3, 1, 4}}}, {0, 1, 2}},
	        /* One in the middle, one before, one gone, others in their order. */
	        {{{3, 4}, {{1, 2, 3}, {1, 9, 2, 3}}}, {0, 2, 3}},
	        {{{3, 4}, {{1, 2, 3}, {9, 1, 2, 3}}}, {-1, 2, 3}},
	        {{{3, 2}, {{1, 2, 3}, {1, 3}}}, {0, -1, 1}},
	        {{{3, 2}, {{1, 2, 0}, {1, 2}}}, {0, 1, -1}},
	        {{{3, 3}, {{1, 2, 3}, {3, 2, 1}}}, {-1, 1, 0}},
	        /* One has another content: it, or another one in its place? */
	        {{{3, 3}, {{1, 2, 3}, {1, 9, 3}}}, {0, -1, 2}},
	        /* Equal ones keep their order, if none of them is new or gone. */
	        {{{4, 5}, {{1, 2, 2, 3}, {1, 9, 2, 2, 3}}}, {0, 2, 3, 4}},
	        {{{4, 5}, {{1, 2, 2, 3}, {1, 3, 2, 2, 2}}}, {0, -1, -1, 1}},
	        {{{4, 3}, {{1, 2, 2, 3}, {1, 2, 3}}}, {0, -1, -1, 2}},
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		const struct rows *rows = &cases[c].rows;

		for (int i = 0; i < rows->n[0]; i++) {
			struct world *w = tables(rows, "");
			int to = cases[c].to[i];
			char words[80];

			point(w, "p", row(w->old, i));
			point(w, "any", row(w->old, i));
			if (to < 0) {
				snprintf(words, sizeof(words),
				        "to row %d of the constant table a.c:op", i);
				refused(w, STATE_E_AMBIGUOUS, words);
				continue;
			}
			done(w);
			assert(where(w, "p") == row(w->new, to));
			assert(where(w, "any") == row(w->new, to));
			world_free(w);
		}
	}
}

/* What lies inside a row, and behind the last. */
static void test_inside(void)
{
	static const struct rows moved = {{3, 3}, {{1, 2, 3}, {1, 3, 2}}};
	static const struct rows more = {{3, 4}, {{1, 2, 3}, {1, 9, 2, 3}}};
	struct world *w = tables(&moved, "");

	point(w, "limit", (uint8_t *)row(w->old, 1) + 4);
	point(w, "end", row(w->old, 3));
	done(w);
	assert(where(w, "limit") == (uint8_t *)row(w->new, 2) + 4);
	assert(where(w, "end") == row(w->new, 3));
	world_free(w);
	w = tables(&more, "");
	point(w, "end", row(w->old, 3));
	refused(w, STATE_E_AMBIGUOUS, "several things (a.c:op+24) at a.c:end");
	/* The author knows rows by their number. */
	w = tables(&more, " @raw");
	point(w, "p", row(w->old, 1));
	done(w);
	assert(where(w, "p") == row(w->new, 1));
	world_free(w);
}

/* The start of a row may be the end of an array in the row before it. */
static void test_end_of_array(void)
{
	const char *text = "struct op { i32 id; i32 x[2]; }; struct op op[%d] readonly; i32 *p;";
	char old[100];
	char new[100];

	snprintf(old, sizeof(old), text, 2);
	snprintf(new, sizeof(new), text, 3);
	for (int i = 0; i < 2; i++) {
		struct world *w = begin(old, new);

		put(w, "op[0].id", 1);
		put(w, "op[1].id", 2);
		model_put(model_var(w->new, "op[0].id"), 1);
		model_put(model_var(w->new, "op[1].id"), 9);
		model_put(model_var(w->new, "op[2].id"), 2);
		point(w, "p", i == 0 ? old_at(w, "op[1]") : old_at(w, "op[1].x"));
		if (i == 0) {
			refused(w, STATE_E_AMBIGUOUS, "to row 1 of the constant table a.c:op");
			continue;
		}
		done(w);
		assert(where(w, "p") == new_at(w, "op[2].x"));
		world_free(w);
	}
}

/* A pointer that counts its rows means all of them. */
static void test_counted(void)
{
	const char *old = "i32 op[3] readonly; struct s { i32 *p @length=n; u32 n; } s;";
	struct world *w =
	        begin(old, "i32 op[4] readonly; struct s { i32 *p @length=n; u32 n; } s;");

	for (int i = 0; i < 3; i++) {
		((int32_t *)old_at(w, "op"))[i] = 1 + i;
		((int32_t *)new_at(w, "op"))[i + (i == 2)] = 1 + i;
	}
	((int32_t *)new_at(w, "op"))[2] = 9;
	point(w, "s.p", old_at(w, "op[0]"));
	put(w, "s.n", 3);
	refused(w, STATE_E_AMBIGUOUS, "to row 0 of the constant table a.c:op");
}

/* Rows of two releases whose members differ: in place, width, name, number of an enumerator. */
static void test_changed_rows(void)
{
	struct world *w = begin(
	        "enum k { A, B, C }; struct op { enum k kind; u16 n; u8 bit : 3; }; "
	        "struct op op[3] readonly; struct op *p[3];",
	        "enum k { Z, A, B, C }; struct op { i64 added; i64 n; enum k kind; u8 bit : 4; }; "
	        "struct op op[4] readonly; struct op *p[3];");

	for (int i = 0; i < 3; i++) {
		static const int to[] = {0, 3, 2};
		char path[32];

		snprintf(path, sizeof(path), "op[%d].kind", i);
		put(w, path, i);
		snprintf(path, sizeof(path), "op[%d].kind", to[i]);
		model_put(model_var(w->new, path), i + 1);
		snprintf(path, sizeof(path), "op[%d].bit", i);
		put(w, path, 7);
		snprintf(path, sizeof(path), "op[%d].bit", to[i]);
		model_put(model_var(w->new, path), 7);
		snprintf(path, sizeof(path), "p[%d]", i);
		point(w, path, (uint8_t *)old_at(w, "op") + i * 8);
	}
	done(w);
	assert(where(w, "p[0]") == new_at(w, "op[0]") && where(w, "p[1]") == new_at(w, "op[3]") &&
	        where(w, "p[2]") == new_at(w, "op[2]"));
	world_free(w);
	/* What told them apart has gone: nobody knows which is which, though all look the same. */
	w = begin("struct op { i32 id; i32 limit; }; struct op op[2] readonly; struct op *p;",
	        "struct op { i32 limit; }; struct op op[2] readonly; struct op *p;");
	put(w, "op[1].id", 1);
	point(w, "p", old_at(w, "op[1]"));
	refused(w, STATE_E_AMBIGUOUS, "to row 1 of the constant table a.c:op");
}

/* Bitfields tell rows apart, and what an array in a row has got more room for. */
static void test_narrow_differences(void)
{
	struct world *w = begin("struct op { u8 a : 3; u8 b : 5; }; struct op op[2] readonly; "
	                        "struct op *p;",
	        "struct op { u8 a : 3; u8 b : 5; }; struct op op[3] readonly; struct op *p;");

	put(w, "op[0].b", 17);
	put(w, "op[1].b", 18);
	model_put(model_var(w->new, "op[0].b"), 17);
	model_put(model_var(w->new, "op[1].b"), 19);
	model_put(model_var(w->new, "op[2].b"), 18);
	point(w, "p", old_at(w, "op[1]"));
	done(w);
	assert(where(w, "p") == new_at(w, "op[2]"));
	world_free(w);
	for (int is_longer = 0; is_longer < 2; is_longer++) {
		w = begin("struct op { char name[4]; }; struct op op[2] readonly; struct op *p;",
		        "struct op { char name[8]; }; struct op op[2] readonly; struct op *p;");
		memcpy(old_at(w, "op[1]"), "name", 4);
		memcpy(new_at(w, "op[1]"), is_longer ? "name2" : "name", 5);
		point(w, "p", old_at(w, "op[1]"));
		if (is_longer) {
			refused(w, STATE_E_AMBIGUOUS, "to row 1 of the constant table a.c:op");
			continue;
		}
		done(w);
		assert(where(w, "p") == new_at(w, "op[1]"));
		world_free(w);
	}
}

/* A member that is of another kind now was not compared: rows that look alike are not known. */
static void test_other_kind(void)
{
	struct world *w = begin("struct in { i32 v; }; struct op { i32 id; struct in w; }; "
	                        "struct op op[2] readonly; struct op *p;",
	        "struct op { i32 id; i32 w[1]; }; struct op op[2] readonly; struct op *p;");

	put(w, "op[1].w.v", 1);
	point(w, "p", old_at(w, "op[1]"));
	refused(w, STATE_E_AMBIGUOUS, "to row 1 of the constant table a.c:op");
}

/* Rows are equal if what they lead to is the same thing. */
static void test_pointers_in_rows(void)
{
	const char *rows = "struct op { char *name; fn *call; i32 *var; struct op *next; }; ";
	char old[300];
	char new[300];
	struct world *w;

	snprintf(old, sizeof(old),
	        "%s struct op op[3] readonly; func f; func g; string \"one\"; string \"two\"; "
	        "i32 v[3]; struct op *p[3];",
	        rows);
	snprintf(new, sizeof(new),
	        "%s func g; struct op op[3] readonly; string \"two\"; func f; i32 v[3]; string "
	        "\"one\"; struct op *p[3];",
	        rows);
	for (int swap = 0; swap < 2; swap++) {
		w = begin(old, new);
		for (int age = 0; age < 2; age++) {
			const struct model *m = age == 0 ? w->old : w->new;
			int first = age == 1 && swap ? 1 : 0;
			char path[32];

			for (int i = 0; i < 2; i++) {
				int r = i == 0 ? first : 1 - first;

				snprintf(path, sizeof(path), "op[%d].name", r);
				model_put_pointer(model_var(m, path),
				        model_symbol_find(m, i == 0 ? "one" : "two")->addr);
				snprintf(path, sizeof(path), "op[%d].call", r);
				model_put_pointer(model_var(m, path),
				        model_symbol_find(m, i == 0 ? "f" : "g")->addr);
				snprintf(path, sizeof(path), "op[%d].var", r);
				model_put_pointer(model_var(m, path),
				        model_var(m, i == 0 ? "v[1]" : "v[2]").addr);
			}
			model_put_pointer(model_var(m, "op[2].next"), model_var(m, "op[2]").addr);
		}
		point(w, "p[1]", old_at(w, "op[1]"));
		point(w, "p[2]", old_at(w, "op[2]"));
		done(w);
		assert(where(w, "p[1]") == new_at(w, swap ? "op[0]" : "op[1]"));
		assert(where(w, "p[2]") == new_at(w, "op[2]"));
		world_free(w);
	}
}

/* Text: its start is the constant, whatever it says; inside it, only what it says. */
static void test_text(void)
{
	for (int at = 0; at < 4; at++) {
		struct world *w =
		        begin("char s[6] readonly; char *p;", "char s[8] readonly; char *p;");

		memcpy(old_at(w, "s"), "abcde", 6);
		memcpy(new_at(w, "s"), "abXde", 6);
		point(w, "p", (uint8_t *)old_at(w, "s") + at);
		if (at == 3) {
			refused(w, STATE_E_AMBIGUOUS, "to row 3 of the constant table a.c:s");
			continue;
		}
		done(w);
		assert(where(w, "p") == (uint8_t *)new_at(w, "s") + at);
		world_free(w);
	}
}

/* What is right for one place in a constant is not for all of them. */
static void test_places(void)
{
	struct world *w = begin(
	        "char s[6] readonly; char *p; char *q;", "char s[6] readonly; char *p; char *q;");

	memcpy(old_at(w, "s"), "abcde", 6);
	memcpy(new_at(w, "s"), "abXde", 6);
	point(w, "p", (uint8_t *)old_at(w, "s") + 1);
	point(w, "q", (uint8_t *)old_at(w, "s") + 3);
	refused(w, STATE_E_AMBIGUOUS, "to row 3 of the constant table a.c:s");
	w = begin(
	        "struct op { i32 id; i32 x; }; struct all { struct op a[2]; struct op b[2]; } all "
	        "readonly; struct op *p; struct op *q; void *any; void *start;",
	        "struct op { i32 id; i32 x; }; struct all { struct op a[2]; struct op b[3]; } all "
	        "readonly; struct op *p; struct op *q; void *any; void *start;");
	for (int i = 0; i < 2; i++) {
		char path[32];

		snprintf(path, sizeof(path), "all.b[%d].id", i);
		put(w, path, 1 + i);
		snprintf(path, sizeof(path), "all.b[%d].id", i + 1);
		model_put(model_var(w->new, path), 1 + i);
	}
	point(w, "p", old_at(w, "all.a[1]"));
	point(w, "q", old_at(w, "all.b[1]"));
	point(w, "any", old_at(w, "all.b[1]"));
	point(w, "start", old_at(w, "all"));
	done(w);
	assert(where(w, "p") == new_at(w, "all.a[1]") && where(w, "q") == new_at(w, "all.b[2]"));
	assert(where(w, "any") == new_at(w, "all.b[2]") && where(w, "start") == new_at(w, "all"));
	world_free(w);
}

/* Too little memory to compare with, at every size, is not said to be a row that is unclear. */
static void test_scratch(void)
{
	char text[2][1200];
	enum state_code code = STATE_E_SCRATCH;
	struct world *w;
	uint64_t size;

	for (int age = 0; age < 2; age++) {
		size_t n = (size_t)snprintf(text[age], sizeof(text[age]), "struct op { i32 id; ");

		for (int i = 0; i < 60; i++) {
			n += (size_t)snprintf(text[age] + n, sizeof(text[age]) - n, "i32 m%d; ", i);
		}
		snprintf(text[age] + n, sizeof(text[age]) - n,
		        "}; struct op op[%d] readonly; void *p;", 2 + age);
	}
	w = begin(text[0], text[1]);
	put(w, "op[1].id", 1);
	model_put(model_var(w->new, "op[1].id"), 9);
	model_put(model_var(w->new, "op[2].id"), 1);
	point(w, "p", old_at(w, "op[1]"));
	world_switch(w);
	size = w->scratch_size;
	for (w->scratch_size = 0; code != STATE_OK; w->scratch_size += 16) {
		code = world_pair(w);
		if (code == STATE_OK) {
			code = state_transfer(w->transfer);
		}
		assert(code == STATE_OK || code == STATE_E_SCRATCH);
	}
	assert(where(w, "p") == new_at(w, "op[2]"));
	w->scratch_size = size;
	world_free(w);
}

/* A table inside a constant; and one that is a constant no more. */
static void test_member_tables(void)
{
	const char *head = "struct op { i32 id; i32 x; };";
	char old[200];
	char new[200];
	struct world *w;

	snprintf(old, sizeof(old),
	        "%s struct all { struct op op[3]; i32 n; } all readonly; struct "
	        "all *a; struct op *p; struct op t[2] readonly; struct op *q;",
	        head);
	snprintf(new, sizeof(new),
	        "%s struct all { i32 n; struct op op[4]; } all readonly; struct "
	        "all *a; struct op *p; struct op t[2]; struct op *q;",
	        head);
	for (int i = 0; i < 3; i++) {
		w = begin(old, new);
		for (int r = 0; r < 3; r++) {
			char path[32];

			snprintf(path, sizeof(path), "all.op[%d].id", r);
			put(w, path, 1 + r);
			snprintf(path, sizeof(path), "all.op[%d].id", r + 1);
			model_put(model_var(w->new, path), 1 + r);
		}
		put(w, "t[1].id", 5);
		model_put(model_var(w->new, "t[0].id"), 5);
		model_put(model_var(w->new, "t[1].id"), 6);
		point(w, "a", old_at(w, "all"));
		point(w, "p", (uint8_t *)old_at(w, "all.op[0]") + i * 8);
		point(w, "q", old_at(w, "t[1]"));
		if (i == 0) {
			refused(w, STATE_E_AMBIGUOUS, "to row 0 of the constant table a.c:all");
			continue;
		}
		done(w);
		assert(where(w, "a") == new_at(w, "all") && where(w, "q") == new_at(w, "t[0]"));
		assert(where(w, "p") == (uint8_t *)new_at(w, "all.op[1]") + i * 8);
		world_free(w);
	}
}

/* The author of a member knows its rows by their number. */
static void test_raw_member(void)
{
	const char *text = "struct op { i32 id; }; struct all { struct op op[2]%s; i32 n; } all "
	                   "readonly; struct op *p;";
	char old[200];
	char new[200];

	snprintf(old, sizeof(old), text, "");
	for (int raw = 0; raw < 2; raw++) {
		struct world *w;

		snprintf(new, sizeof(new), text, raw ? " @raw" : "");
		w = begin(old, new);
		put(w, "all.op[1].id", 1);
		model_put(model_var(w->new, "all.op[1].id"), 2);
		point(w, "p", old_at(w, "all.op[1]"));
		if (!raw) {
			refused(w, STATE_E_AMBIGUOUS, "STATE_RAW on the table");
			continue;
		}
		done(w);
		assert(where(w, "p") == new_at(w, "all.op[1]"));
		world_free(w);
	}
}

/* Rows that come, go and change places at random: a pointer leads to its own row, or nowhere. */
static void test_random(void)
{
	uint64_t random = SEED;
	int n_clear = 0;

	for (int round = 0; round < 60; round++) {
		struct rows rows = {{5, 0}, {{10, 11, 12, 13, 14}, {0}}};
		int from = 0;
		int to = -1;
		struct world *w;
		enum state_code code;
		bool is_clear;

		while (rows.n[1] == 0) {
			for (int i = 0; i < 5 && rows.n[1] < 5; i++) {
				random = random * UINT64_C(6364136223846793005) + 1;
				if (random >> 62 != 0) {
					int at = (int)((random >> 33) % (unsigned)(rows.n[1] + 1));

					memmove(&rows.id[1][at + 1], &rows.id[1][at],
					        (size_t)(rows.n[1]++ - at) * sizeof(int));
					rows.id[1][at] = random >> 60 & 1 ? 10 + i : 20 + i;
				}
			}
		}
		from = (int)((random >> 40) % 5);
		for (int k = 0; k < rows.n[1]; k++) {
			to = rows.id[1][k] == rows.id[0][from] ? k : to;
		}
		w = tables(&rows, "");
		point(w, "p", row(w->old, from));
		code = world_transfer(w);
		is_clear = to >= 0 && (from > 0 || to == 0);
		assert(code == (is_clear ? STATE_OK : STATE_E_AMBIGUOUS));
		assert(code != STATE_OK || where(w, "p") == row(w->new, to));
		n_clear += is_clear;
		world_free(w);
	}
	assert(n_clear > 10 && n_clear < 50);
}

static void shuffle(uint64_t *random, int *at, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int k;
		int x = at[i];

		*random = *random * UINT64_C(6364136223846793005) + 1;
		k = (int)((*random >> 33) % (unsigned)(i + 1));
		at[i] = at[k];
		at[k] = x;
	}
}

/* Rows that say nothing but which row of another table they lead to; both change places. */
static void test_rows_of_rows(void)
{
	static const char text[] = "struct op { i32 id; }; struct op op[4] readonly; "
	                           "struct op *use[4] readonly; struct op **p;";
	uint64_t random = SEED;
	int n_clear = 0;

	for (int round = 0; round < 100; round++) {
		struct world *w = begin(text, text);
		int from = round % 4;
		int said[2][4]; /* by the row that a row of use leads to */

		for (int age = 0; age < 2; age++) {
			const struct model *m = age == 0 ? w->old : w->new;
			int id[4] = {1, 2, 3, 4};
			int use[4] = {0, 1, 2, 3};

			if (round % 5 > 0) {
				shuffle(&random, id, round % 5);
			}
			if (round % 3 > 0) {
				shuffle(&random, use, round % 3 + 1);
			}
			fill(m, "op", id, 4);
			for (int i = 0; i < 4; i++) {
				((uint64_t *)model_var(m, "use").addr)[i] =
				        (uint64_t)(uintptr_t)((int32_t *)model_var(m, "op").addr +
				                              use[i]);
				said[age][i] = id[use[i]];
			}
		}
		point(w, "p", (uint8_t *)old_at(w, "use") + from * 8);
		if (world_transfer(w) == STATE_OK) {
			long to = ((uint8_t *)where(w, "p") - (uint8_t *)new_at(w, "use")) / 8;

			assert(said[1][to] == said[0][from]);
			n_clear++;
		}
		world_free(w);
	}
	assert(n_clear > 30);
}

/* However many lead into a large table that has changed, it is compared once. */
static void test_many(void)
{
	static const char head[] = "struct op { i32 id; i32 limit; }; struct op *p[10000]; ";
	char old[200];
	char new[200];
	struct world *w;

	snprintf(old, sizeof(old), "%s struct op op[1000] readonly;", head);
	snprintf(new, sizeof(new), "%s struct op op[1001] readonly;", head);
	w = begin(old, new);
	for (int i = 0; i < 1000; i++) {
		((int32_t *)old_at(w, "op"))[i * 2] = i + 1;
		((int32_t *)new_at(w, "op"))[(i + (i > 0)) * 2] = i + 1;
	}
	for (int i = 0; i < 10000; i++) {
		((void **)old_at(w, "p"))[i] = row(w->old, i % 1000);
	}
	done(w);
	for (int i = 0; i < 10000; i++) {
		int r = i % 1000;

		assert(((void **)new_at(w, "p"))[i] == row(w->new, r + (r > 0)));
	}
	world_free(w);
}

int main(void)
{
	test_rows();
	test_inside();
	test_end_of_array();
	test_counted();
	test_changed_rows();
	test_narrow_differences();
	test_other_kind();
	test_pointers_in_rows();
	test_text();
	test_places();
	test_scratch();
	test_random();
	test_member_tables();
	test_raw_member();
	test_rows_of_rows();
	test_many();
	return 0;
}
