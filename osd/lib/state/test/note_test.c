/* What annotations say: raw bytes, lengths, handlers and versions, new names, what is skipped. */
#include "osd/lib/state/test/try.h"

static void test_raw_and_length(void)
{
	struct world *w = begin("struct s { char *p; u32 n; } @raw; struct s a; u64 *raw @raw;",
	        "struct s { u32 x; u32 y; u64 z; } @raw; struct s a; u64 *raw @raw;");
	const char *old = "struct v { u16 n; i32 *p; } v; site i32 f;";
	const char *new = "struct v { i64 *p @length=n; u32 n; } v; site i64 f;";

	memset(old_at(w, "a"), 0xa5, 16);
	point(w, "raw", &w);
	done(w);
	assert((uint32_t)got(w, "a.y") == 0xa5a5a5a5 && where(w, "raw") == &w);
	world_free(w);
	for (int n = 6; n <= 8; n++) {
		w = begin(old, new);
		put(w, "v.n", n);
		point(w, "v.p", (int32_t *)world_object(w, "f", 0, 10) + 3);
		if (n == 8) {
			refused(w, STATE_E_POINTER, "fewer elements");
			continue;
		}
		done(w);
		assert(got(w, "v.n") == n && where(w, "v.p") != NULL);
		world_free(w);
	}
}

static uint32_t seen_old_version;

/* Celsius becomes kelvin; -1 is refused. */
static int kelvin(const struct state_view *view)
{
	int64_t value = *(const int32_t *)view->old;

	assert(view->old_size == 4 && view->new_size == 8 && view->new_version == 2);
	seen_old_version = view->old_version;
	value += 273;
	memcpy(view->new, &value, sizeof(value));
	return value == 272 ? 42 : 0;
}

struct list {
	uint64_t hash;
	void *item;
};

/* A struct whose hash depends on the address of its item. */
static int rehash(const struct state_view *view)
{
	struct list *list = view->new;
	const struct list *old = view->old;
	void *item;

	if (state_view_default(view) != STATE_OK ||
	        state_view_pointer(view, old->item, &item) != STATE_OK) {
		return 1;
	}
	assert(item == list->item);
	list->hash = (uint64_t)(uintptr_t)item * 3;
	return 0;
}

static int refuse_default(const struct state_view *view)
{
	return (int)state_view_default(view);
}

static struct world *handled(
        const char *old, const char *new, const char *name, state_handler_t handler)
{
	struct world *w = world_new(old, new, SEED);

	model_bind(w->new, name, (void *)(uintptr_t)handler);
	world_start(w);
	return w;
}

static void test_handlers(void)
{
	struct world *w = handled("i32 t[3]; i32 temp @version=1;",
	        "func kelvin; i32 t[3]; i64 temp @version=2 @handler=kelvin;", "kelvin", kelvin);

	put(w, "temp", 20);
	done(w);
	assert(got(w, "temp") == 293 && seen_old_version == 1);
	world_free(w);
	w = handled("struct s { i8 a; i32 t; } v[3];",
	        "func kelvin; struct s { i64 t @handler=kelvin @version=2; i8 a; } v[3];", "kelvin",
	        kelvin);
	put(w, "v[2].t", -1);
	refused(w, STATE_E_HANDLER, "0x2a at a.c:v[2].t");
	w = handled(
	        "struct list { u64 hash; void *item; }; site struct list f; struct list *l; i32 x;",
	        "func rehash; struct list { u64 hash; void *item; } @handler=rehash; site struct "
	        "list f;"
	        "struct list *l; i32 x;",
	        "rehash", rehash);
	struct list *list = world_object(w, "f", 0, 2);
	list[1].item = old_at(w, "x");
	list[1].hash = 1;
	point(w, "l", list);
	done(w);
	assert(((struct list *)where(w, "l"))[1].hash == (uint64_t)(uintptr_t)new_at(w, "x") * 3);
	world_free(w);
	w = handled("i32 a;", "func rehash; char *a @handler=rehash;", "rehash", refuse_default);
	refused(w, STATE_E_HANDLER, "a.c:a");
}

static int default_in_vain(const struct state_view *view)
{
	(void)state_view_default(view);
	return 0;
}

static int default_only(const struct state_view *view)
{
	return (int)state_view_default(view);
}

static int no_default(const struct state_view *view)
{
	memset(view->new, 1, view->new_size);
	return 0;
}

/* Of what a handler leaves to its default the same is lost as without it: said, and refused. */
static void test_lost_by_default(void)
{
	static const struct {
		state_handler_t handler;
		const char *note; /* on the new type */
		bool accepts_loss;
		const char *words; /* NULL: refused */
	} cases[] = {
	        {default_only, "", false, NULL},
	        {default_in_vain, "", false, NULL},
	        {default_only, "", true, "lost struct in.y\nlost struct s.gone\n"},
	        {default_only, "@dropped=gone @dropped=y", false,
	                "dropped struct in.y\ndropped struct s.gone\n"},
	        {no_default, "", false, ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *note = cases[i].note;
		bool is_noted = note[0] != 0;
		char new[300];
		struct world *w;
		unsigned n_risks = 0;

		snprintf(new, sizeof(new),
		        "func h; struct in { i32 x; } %s; struct s { struct in in[2]; i32 kept; } "
		        "%s; struct s v[2] @handler=h;",
		        is_noted ? "@dropped=y" : "", is_noted ? "@dropped=gone" : "");
		w = handled(
		        "struct in { i32 x; i32 y; }; struct s { struct in in[2]; i32 gone; i32 "
		        "kept; } v[2];",
		        new, "h", cases[i].handler);
		w->accepts_loss = cases[i].accepts_loss;
		put(w, "v[1].in[1].x", 7);
		if (cases[i].words == NULL) {
			refused(w, STATE_E_LOSS, "struct in.y and 1 more");
			continue;
		}
		done(w);
		assert(cases[i].handler == no_default || got(w, "v[1].in[1].x") == 7);
		assert(strcmp(w->result.notes, cases[i].words) == 0);
		for (const struct state_notice *n = state_pair_notices(w->pairing); n != NULL;
		        n = n->next) {
			n_risks += n->kind == STATE_NOTICE_AT_RISK &&
			           strstr(n->text, "by a handler's default") != NULL;
		}
		assert(n_risks == (is_noted ? 0 : 2));
		world_free(w);
	}
}

/* Types renamed; skipped members and types keep what the new release starts with. */
static void test_renames_and_skips(void)
{
	struct world *w = begin(
	        "struct was { i32 x; i32 y; i32 z; } a; struct lock { i32 l; }; struct lock l;",
	        "struct is { i32 y @skip; i32 x; i32 z; } @renamed=was; struct is a; struct lock { "
	        "i32 l; } @skip;"
	        "struct lock l;");

	put(w, "a.x", 1);
	put(w, "a.y", 2);
	put(w, "a.z", 3);
	put(w, "l.l", 4);
	model_put(model_var(w->new, "a.y"), 9);
	done(w);
	assert(got(w, "a.x") == 1 && got(w, "a.y") == 9 && got(w, "a.z") == 3 &&
	        got(w, "l.l") == 0);
	world_free(w);
}

/* A renaming onto a name that something else had: one value each. The next release, which still
 * says so, takes everything by the names that it has now. */
static void test_rename_collisions(void)
{
	const char *was =
	        "i32 a; i32 b; struct s { i32 x; i32 y; } v; struct p { i32 n; } *p; struct "
	        "q { i64 n; } *q; site struct p f; site struct q f;";
	const char *is = "i32 c @renamed=b; i32 b @renamed=a; struct s { i32 y @renamed=x; i32 z "
	                 "@renamed=y; } v; struct q { i32 n; } @renamed=p; struct r { i64 n; } "
	                 "@renamed=q; struct q *p; struct r *q; site struct r f; site struct q f;";
	const char *then =
	        "i32 a; i32 b @renamed=a; struct s { i32 x; i32 y @renamed=x; } v; struct q "
	        "{ i32 n; } @renamed=p *p; struct p { i64 n; } *q; struct q e; struct p g;";
	struct world *w = begin(was, is);

	put(w, "a", 1);
	put(w, "b", 2);
	put(w, "v.x", 3);
	put(w, "v.y", 4);
	point(w, "p", memcpy(world_object(w, "f", 0, 1), &(int32_t){5}, 4));
	point(w, "q", memcpy(world_object(w, "f", 1, 1), &(int64_t){6}, 8));
	done(w);
	assert(got(w, "b") == 1 && got(w, "c") == 2 && got(w, "v.y") == 3 && got(w, "v.z") == 4);
	assert(*(int32_t *)where(w, "p") == 5 && *(int64_t *)where(w, "q") == 6);
	assert(w->result.n_removed == 0 && w->result.n_variables == 5);
	world_free(w);
	w = begin(then, then);
	put(w, "a", 1);
	put(w, "b", 2);
	put(w, "v.x", 3);
	put(w, "v.y", 4);
	put(w, "e.n", 5);
	put(w, "g.n", 6);
	done(w);
	assert(got(w, "a") == 1 && got(w, "b") == 2 && got(w, "v.x") == 3 && got(w, "v.y") == 4);
	assert(got(w, "e.n") == 5 && got(w, "g.n") == 6);
	assert(w->result.n_removed == 0 && w->result.n_variables == 7);
	world_free(w);
}

static unsigned n_skipped_calls;

/* From any older release, not only from the last. */
static int count_skipped(const struct state_view *view)
{
	n_skipped_calls++;
	return view->old_version == 1 && view->new_version == 3 ? (int)state_view_default(view) : 1;
}

/* Releases that were left out: renamings and versions of those between do not count. */
static void test_skipped_releases(void)
{
	struct world *w = handled("i32 a @version=1; i32 b; i32 was;",
	        "func count_skipped; i64 a @version=3 @handler=count_skipped; i32 b "
	        "@renamed=between; "
	        "i32 is @renamed=middle; i32 was;",
	        "count_skipped", count_skipped);

	put(w, "a", 5);
	put(w, "b", 6);
	put(w, "was", 7);
	done(w);
	assert(got(w, "a") == 5 && got(w, "b") == 6 && got(w, "was") == 7 && got(w, "is") == 0);
	assert(n_skipped_calls == 1);
	world_free(w);
	/* Named otherwise twice: nobody can tell, and it is not lost in silence. */
	w = begin("i32 first;", "i32 third @renamed=second;");
	refused(w, STATE_E_LOSS, "a.c:first");
}

/* A variable of an alias of an alias that carries the note: a number, or a pointer of its size. */
static struct state_side alias_side(
        struct desc_build *build, const char *note, bool is_pointer, const uint64_t addr[2])
{
	struct state_side side = {.addr = addr, .n_addr = 2};
	uint32_t number = desc_build_int(build, "u64", 8, 0);
	uint32_t type = is_pointer ? desc_build_ref(build, STATE_BTF_PTR, "", number) : number;
	uint32_t noted = desc_build_ref(build, STATE_BTF_TYPEDEF, "noted_t", type);

	type = desc_build_ref(build, STATE_BTF_TYPEDEF, "plain_t", noted);
	if (note != NULL) {
		desc_build_tag(build, STATE_TAG_TYPE, noted, STATE_TAG_SELF, note);
	}
	desc_build_entry(build, STATE_VARIABLE, "a.c", "", "v", type, 8);
	desc_build_entry(build, STATE_FUNCTION, "a.c", "", "h", 0, 16);
	side.desc = desc_build_finish(build, &side.desc_size);
	return side;
}

/* A note on a typedef holds for what is declared with it, however often it is renamed on the way. */
static void test_typedefs(void)
{
	static const struct {
		const char *note[2];
		bool is_pointer;
		enum state_code code;
	} rows[] = {
	        {{NULL, NULL}, true, STATE_E_TYPE},
	        {{NULL, "skip"}, true, STATE_OK},
	        {{"skip", NULL}, true, STATE_OK},
	        {{NULL, "raw"}, true, STATE_OK},
	        {{NULL, "handler=h"}, true, STATE_OK},
	        {{NULL, "version=2"}, false, STATE_E_VERSION},
	        {{"version=1", "version=2"}, false, STATE_E_VERSION},
	        {{"version=2", "version=2"}, false, STATE_OK},
	};
	static const uint64_t addr[][2] = {{4096, 8192}, {12288, 16384}};
	static uint8_t scratch[200000] __attribute__((aligned(16)));

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct desc_build *old = desc_build_new("typedef");
		struct desc_build *new = desc_build_new("typedef");
		struct state_setup setup = {
		        .old = alias_side(old, rows[i].note[0], false, addr[0]),
		        .new = alias_side(new, rows[i].note[1], rows[i].is_pointer, addr[1]),
		        .scratch = scratch,
		        .scratch_size = sizeof(scratch),
		};
		struct state_pairing *pairing;
		struct state_result result;

		if (state_pair(&setup, &result, &pairing) != rows[i].code) {
			fprintf(stderr, "row %zu: %s\n", i, result.error);
			assert(false);
		}
		desc_build_free(old);
		desc_build_free(new);
	}
}

int main(void)
{
	test_skipped_releases();
	test_rename_collisions();
	test_raw_and_length();
	test_handlers();
	test_lost_by_default();
	test_renames_and_skips();
	test_typedefs();
	return 0;
}
