/*
 * Making a release kit. The order of work:
 *
 *   inputs -> nameable modules -> machine code, with and without debug data
 *   + members of the libraries -> linked once, to be looked at
 *   looked at: library review, state description
 *   objects without debug data -> pieces: the flat kit, all that the linker needs
 *   written: flat kit, description, texts, at last list and manifest
 *
 * The program that is looked at is linked with debug data and without a layout, from the same
 * sections as every variant later; so what is alive in it is alive in all of them.
 *
 * Invariants: the manifest is written last and names, by the hash of the list, everything
 * else; the kit appears under its name only when it is whole; nothing in it depends on where
 * it was made, by whom, or when (but for `issued`, which the caller gives). All intermediate
 * files lie in a temporary directory, whose name reaches no output.
 *
 * It does not sign: `luctl release sign` does that, where the release key is.
 */
#include "forge/make/kit_make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/base/report.h"
#include "forge/code/generate.h"
#include "forge/code/module.h"
#include "forge/elf/archive.h"
#include "forge/kit/kit.h"
#include "forge/layout/layout.h"
#include "forge/link/link.h"
#include "forge/make/library.h"
#include "forge/make/review.h"
#include "forge/make/service.h"
#include "forge/pair/pair.h"
#include "forge/piece/piece.h"
#include "forge/state/write.h"
#include "proto/envelope/envelope.h"
#include "proto/image/link.h"

/*
 * What is gathered on the way. Freed whole by kit_maker_fini() from any state, with both
 * directories.
 */
struct kit_maker {
	const struct kit_request *request;
	struct service service;
	char *work;           /* temporary directory */
	char *dir;            /* the kit while it is made, beside where it goes */
	const char **bitcode; /* inputs that are bitcode */
	size_t n_bitcode;
	const char **assembled; /* inputs that are objects */
	size_t n_assembled;
	struct object_list objects; /* generated code first */
	char **names;               /* of the objects: in link order, all different */
	size_t n_names;
	struct elf_file linked;
	struct review_list reviewed;
	struct buf state, symbols;
	struct buf flat, piece_names;
	struct buf uses;    /* names in the cache that it took, a line each */
	struct buf origins; /* lines of the recipe: what each library was made from */
};

static void kit_maker_fini(struct kit_maker *m)
{
	size_t i;

	service_fini(&m->service);
	for (i = 0; i < m->n_names; i++) {
		free(m->names[i]);
	}
	free(m->names);
	free(m->bitcode);
	free(m->assembled);
	object_list_fini(&m->objects);
	elf_file_fini(&m->linked);
	review_list_fini(&m->reviewed);
	buf_fini(&m->flat);
	buf_fini(&m->piece_names);
	buf_fini(&m->state);
	buf_fini(&m->symbols);
	buf_fini(&m->uses);
	buf_fini(&m->origins);
	if (m->work) {
		mem_remove_dir(m->work);
		free(m->work);
	}
	if (m->dir) {
		mem_remove_dir(m->dir);
		free(m->dir);
	}
}

/* Sort the inputs into bitcode and objects. */
static int kit_sort_input(struct kit_maker *m, const char *path)
{
	static const char bitcode_magic[4] = {'B', 'C', (char)0xc0, (char)0xde};
	BUF_CLEANUP struct buf data = {0};
	int r = buf_read_file(&data, path);

	if (r < 0) {
		return r;
	}
	if (data.len >= 4 && memcmp(data.bytes, bitcode_magic, 4) == 0) {
		m->bitcode[m->n_bitcode++] = path;
	} else {
		m->assembled[m->n_assembled++] = path;
	}
	return 0;
}

/*
 * Bitcode first, assembled objects behind it, each in the order of the command line; modules
 * are sorted later by source name.
 */
static int kit_inputs(struct kit_maker *m)
{
	const struct kit_request *q = m->request;
	size_t i;
	int r = 0;

	m->bitcode = mem_zalloc(q->n_inputs, sizeof(*m->bitcode));
	m->assembled = mem_zalloc(q->n_inputs, sizeof(*m->assembled));
	for (i = 0; i < q->n_inputs && r == 0; i++) {
		r = kit_sort_input(m, q->inputs[i]);
	}
	if (r == 0 && m->n_bitcode == 0) {
		return report_refuse(q->out, "there is no bitcode among the inputs");
	}
	return r;
}

/* Generate the code of one module and append it to the objects. */
static int kit_generate(struct kit_maker *m, const struct module_set *set, size_t i)
{
	const char *cache = m->request->cache ? m->request->cache : m->work;
	BUF_CLEANUP struct buf bitcode = {0};
	MEM_FREE char *debug = NULL;
	MEM_FREE char *plain = NULL;
	struct object *object;
	struct elf_file elf;
	int r;

	module_write(set, i, &bitcode);
	r = generate_objects(&bitcode, cache, &debug, &plain);
	if (r == 0) {
		r = elf_file_read(&elf, debug);
	}
	if (r < 0) {
		return r;
	}
	free(elf.label);
	elf.label = mem_strdup(module_name(set, i));
	object_list_add(&m->objects, &elf, NULL, module_name(set, i));
	object = &m->objects.items[m->objects.n - 1];
	object->debug = debug;
	object->plain = plain;
	buf_printf(&m->uses, "%s\n", strrchr(plain, '/') + 1);
	debug = plain = NULL;
	return 0;
}

/* Machine code of every module, in the order of the modules. */
static int kit_compile(struct kit_maker *m)
{
	MEM_CLEANUP(module_set_freep) struct module_set *set = NULL;
	size_t i;
	int r;

	r = module_set_read(m->bitcode, m->n_bitcode, &set);
	for (i = 0; r == 0 && i < module_set_count(set); i++) {
		r = kit_generate(m, set, i);
	}
	return r;
}

/*
 * Objects from the assembler: no debug copy, no bitcode. Their symbols are library entries of
 * the description.
 */
static int kit_assembled(struct kit_maker *m)
{
	struct elf_file elf;
	size_t i;
	int r = 0;

	for (i = 0; i < m->n_assembled && r == 0; i++) {
		r = elf_file_read(&elf, m->assembled[i]);
		if (r == 0) {
			object_list_add(&m->objects, &elf, NULL, NULL);
		}
	}
	return r;
}

/* Members that are needed of the description's libraries, appended to the objects. */
static int kit_libraries(struct kit_maker *m)
{
	return library_gather(m->request, &m->service, &m->objects, &m->origins);
}

/*
 * Numbered, because members of one name are common, and in link order, because that order is
 * part of what makes a payload the same. The rest of the name is for people.
 */
static char *kit_object_name(const struct object *o, size_t i)
{
	const char *slash = strrchr(o->elf.label, '/');

	if (o->member) {
		return mem_printf("%04zu-%s%s", i, o->member, o->debug ? ".o" : "");
	}
	return mem_printf("%04zu-%s", i, slash ? slash + 1 : o->elf.label);
}

/* Name all objects; those that are in no file of their own get one for the linker. */
static int kit_name_objects(struct kit_maker *m)
{
	size_t i;
	int r = 0;

	m->names = mem_zalloc(m->objects.n, sizeof(*m->names));
	for (i = 0; i < m->objects.n && r == 0; i++) {
		const struct object *o = &m->objects.items[i];
		char *name = kit_object_name(o, i);

		m->names[m->n_names++] = name;
		if (!o->debug) {
			MEM_FREE char *path = mem_printf("%s/%s", m->work, name);

			r = mem_write_file(path, o->elf.data.bytes, o->elf.data.len);
		}
	}
	return r;
}

/* Link what is to be looked at: generated code in the form that has debug data. */
static int kit_link_debug(struct kit_maker *m)
{
	BUF_CLEANUP struct buf script = {0};
	MEM_FREE char **paths = mem_zalloc(m->n_names, sizeof(*paths));
	const struct link_job job = {.work_dir = m->work,
	        .objects = (const char *const *)paths,
	        .n_objects = m->n_names,
	        .script = &script};
	size_t i;
	int r;

	layout_plain(&script);
	for (i = 0; i < m->n_names; i++) {
		const char *debug = m->objects.items[i].debug;

		paths[i] = debug ? mem_strdup(debug) : mem_printf("%s/%s", m->work, m->names[i]);
	}
	r = link_run(&job, &m->linked);
	for (i = 0; i < m->n_names; i++) {
		free(paths[i]);
	}
	return r;
}

/*
 * First the review: what it refuses need not be describable. A
 * release that could not follow itself would be the last one of its service.
 */
static int kit_describe(struct kit_maker *m)
{
	const struct kit_manifest *manifest = &m->service.manifest;
	const struct state_request q = {
	        .service = manifest->service,
	        .linked = &m->linked,
	        .objects = &m->objects,
	        .unit_maps = m->request->unit_maps,
	        .n_unit_maps = m->request->n_unit_maps,
	};
	int r;

	r = review_list_read(&m->reviewed, m->request->reviewed_path);
	if (r == 0) {
		r = review_run(&m->objects, &m->linked, &m->reviewed);
	}
	if (r == 0) {
		r = state_write(&q, &m->state, &m->symbols);
	}
	/* A release that could not follow itself would be the last one of its service. */
	return r < 0 ? r : pair_check_self(m->request->out, &m->state);
}

/* The objects as the pieces are cut from them, generated ones without debug data. */
static int kit_read_plain(
        const struct kit_maker *m, struct elf_file *plain, struct piece_input *inputs)
{
	size_t i;
	int r = 0;

	for (i = 0; i < m->n_names && r == 0; i++) {
		const struct object *o = &m->objects.items[i];

		inputs[i] = (struct piece_input){
		        .elf = o->plain ? &plain[i] : &o->elf,
		        .name = m->names[i],
		        .library = o->archive != NULL,
		};
		r = o->plain ? elf_file_read(&plain[i], o->plain) : 0;
	}
	return r;
}

/* The symbols of the description's entries, cut out of their text, which is changed. */
static const char **kit_cut_symbols(char *text, size_t *ret_n)
{
	const char **symbols = NULL;
	size_t capacity = 0;
	char *line;

	*ret_n = 0;
	while ((line = strsep(&text, "\n"))) {
		if (*line) {
			MEM_PUSH(symbols, *ret_n, capacity);
			symbols[(*ret_n)++] = line;
		}
	}
	return symbols;
}

/* For the oracle: the objects, the list of them in link order, symbols of the description. */
static int kit_write_objects(const struct kit_maker *m, const struct piece_set *set)
{
	const char *dir = m->request->objects;
	MEM_FREE char *list = mem_printf("%s/list", dir);
	MEM_FREE char *symbols = mem_printf("%s/symbols", dir);
	BUF_CLEANUP struct buf names = {0};
	size_t i;
	int r;

	r = mem_make_dir(dir);
	for (i = 0; i < m->n_names && r == 0; i++) {
		MEM_FREE char *path = mem_printf("%s/%s", dir, m->names[i]);
		BUF_CLEANUP struct buf object = {0};

		r = piece_write_object(set, i, &object);
		r = r < 0 ? r : buf_write_file(&object, path);
		buf_printf(&names, "%s\n", m->names[i]);
	}
	/* What else lies in the directory is of another release, and not on the list. */
	r = r < 0 ? r : buf_write_file(&names, list);
	return r < 0 ? r : buf_write_file(&m->symbols, symbols);
}

static int kit_write_pieces(struct kit_maker *m, const struct piece_set *set)
{
	MEM_FREE char *text = mem_strdup((const char *)m->symbols.bytes);
	MEM_FREE const char **symbols = NULL;
	size_t n;
	int r;

	symbols = kit_cut_symbols(text, &n);
	r = piece_write_flat(set, m->service.manifest.service, symbols, n, &m->flat);
	r = r < 0 ? r : piece_check_carried(set, &m->flat);
	if (r == 0 && m->flat.len > KIT_FLAT_LEN_MAX) {
		r = report_refuse(m->service.manifest.service,
		        "a flat kit of %zu bytes; at most %llu: hand over large tables at run time",
		        m->flat.len, (unsigned long long)KIT_FLAT_LEN_MAX);
	}
	piece_write_names(set, &m->piece_names);
	return r < 0 || !m->request->objects ? r : kit_write_objects(m, set);
}

/* What every variant is made from. */
static int kit_pieces(struct kit_maker *m)
{
	struct elf_file *plain = mem_zalloc(m->n_names, sizeof(*plain));
	MEM_FREE struct piece_input *inputs = mem_zalloc(m->n_names, sizeof(*inputs));
	const struct piece_request q = {
	        .inputs = inputs, .n_inputs = m->n_names, .constants = &m->reviewed.constant};
	struct piece_set *set = NULL;
	size_t i;
	int r;

	r = kit_read_plain(m, plain, inputs);
	if (r == 0) {
		r = piece_set_new(&q, &set);
	}
	if (r == 0) {
		r = kit_write_pieces(m, set);
	}
	set = piece_set_free(set);
	for (i = 0; i < m->n_names; i++) {
		elf_file_fini(&plain[i]);
	}
	free(plain);
	return r;
}

static int kit_put(const struct kit_maker *m, const char *name, const struct buf *b)
{
	MEM_FREE char *path = mem_printf("%s/%s", m->dir, name);

	return buf_write_file(b, path);
}

/* What a person wants to know of how the kit came to be: nothing reads the recipe but its head. */
static int kit_write_texts(const struct kit_maker *m)
{
	BUF_CLEANUP struct buf recipe = {0};
	int r;

	buf_printf(&recipe, KIT_RECIPE_HEAD "recipe %u\ntoolchain LLVM %s\nservice %s\n",
	        LINK_RECIPE, LLVM_VERSION, m->service.manifest.service);
	buf_add(&recipe, m->origins.bytes, m->origins.len);
	r = kit_put(m, "recipe", &recipe);
	if (r == 0) {
		r = kit_put(m, "flat", &m->flat);
	}
	if (r == 0) {
		r = kit_put(m, "names", &m->piece_names);
	}
	if (r == 0) {
		r = kit_put(m, "state", &m->state);
	}
	return r < 0 ? r : kit_put(m, "service", &m->service.text);
}

/* List all that lies in the kit by now, and write the list. */
static int kit_write_list(const struct kit_maker *m, uint8_t ret_hash[TOOL_HASH_SIZE])
{
	MEM_FREE char *path = mem_printf("%s/" KIT_LIST, m->dir);
	MEM_FREE char *text = NULL;
	struct kit_list list = {0};
	struct kit_fault fault;
	size_t len;
	int r = kit_dir_list(m->dir, &list, &fault);

	if (r < 0) {
		return kit_report(r, &fault);
	}
	r = kit_list_write(&list, &text, &len);
	kit_list_fini(&list);
	if (r < 0) {
		return report_errno(path, -r, "cannot write");
	}
	r = tool_hash(text, len, ret_hash);
	return r < 0 ? r : mem_write_file(path, text, len);
}

/*
 * state_hash, flat_hash and files_hash bind the whole kit to the manifest, whose own hash is the release
 * id. A counter from the command line beats the description's; its floor comes with it.
 */
static int kit_write_manifest(struct kit_maker *m)
{
	MEM_FREE char *path = mem_printf("%s/" KIT_MANIFEST, m->dir);
	struct kit_manifest *manifest = &m->service.manifest;
	int r;

	if (m->request->counter != 0) {
		manifest->counter = m->request->counter;
		manifest->floor = m->request->floor;
	}
	manifest->issued = m->request->issued;
	memcpy(manifest->source_id, m->request->source_id, sizeof(manifest->source_id));
	manifest->state_len = m->state.len;
	r = tool_hash(m->state.bytes, m->state.len, manifest->state_hash);
	manifest->flat_len = m->flat.len;
	if (r == 0) {
		r = tool_hash(m->flat.bytes, m->flat.len, manifest->flat_hash);
	}
	if (r == 0) {
		r = kit_write_list(m, manifest->files_hash);
	}
	if (r < 0) {
		return r;
	}
	if (kit_manifest_check(manifest) != ENVELOPE_OK) {
		return report_refuse(m->request->service_path,
		        "what it says breaks a rule of kit manifests: names are [a-z0-9_], a "
		        "state is needed, counter >= floor, sizes are multiples of 4096, a "
		        "flat kit has at most 32 MiB");
	}
	return mem_write_file(path, manifest, sizeof(*manifest));
}

/* What is at --out may be replaced if it is a kit, or nothing yet. */
static int kit_check_out(const char *out)
{
	static const char *const marks[] = {KIT_MANIFEST, "recipe"};
	struct stat st;
	size_t i;

	if (lstat(out, &st) < 0) {
		return errno == ENOENT ? 0 : report_errno(out, errno, "cannot be looked at");
	}
	if (!S_ISDIR(st.st_mode)) {
		return report_refuse(out, "not a directory; a kit would replace it, name another");
	}
	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		MEM_FREE char *path = mem_printf("%s/%s", out, marks[i]);

		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
			return 0;
		}
	}
	/* An empty directory goes; one with anything in it stays. */
	return rmdir(out) == 0 ? 0
	                       : report_refuse(out, "a directory that is no kit; a kit would "
	                                            "replace it, name another");
}

/*
 * The kit is made beside its place: what is there stays whole until the end. What a luforge of
 * this pid left there goes; where it does not go, it is somebody else's.
 */
static int kit_start(struct kit_maker *m)
{
	int r = kit_check_out(m->request->out);

	if (r < 0) {
		return r;
	}
	m->dir = mem_printf("%s.%ld.tmp", m->request->out, (long)getpid());
	mem_remove_dir(m->dir);
	r = mem_new_dir(m->dir);
	if (r == 0 && m->request->cache) {
		r = mem_make_dir(m->request->cache);
	}
	return r < 0 ? r : mem_temp_dir(&m->work);
}

/* Into its place; an older kit there goes where this one was made, and from there. */
static int kit_finish(struct kit_maker *m)
{
	const char *out = m->request->out;

	if (renameat2(AT_FDCWD, m->dir, AT_FDCWD, out, RENAME_NOREPLACE) == 0) {
		free(m->dir);
		m->dir = NULL;
		return 0;
	}
	if (errno != EEXIST || renameat2(AT_FDCWD, m->dir, AT_FDCWD, out, RENAME_EXCHANGE) < 0) {
		return report_errno(out, errno, "cannot rename into place");
	}
	return 0;
}

/*
 * Beside what it shares with other kits: what of it this kit took, in CACHE/NAME.uses. So who owns
 * the cache can tell what no kit takes any more.
 */
static int kit_write_uses(const struct kit_maker *m)
{
	const char *slash = strrchr(m->request->out, '/');

	if (!m->request->cache) {
		return 0;
	}
	MEM_FREE char *path =
	        mem_printf("%s/%s.uses", m->request->cache, slash ? slash + 1 : m->request->out);
	return buf_write_file(&m->uses, path);
}

/* Steps in order; the first failure ends it, and what was made goes with kit_maker_fini(). */
static int kit_maker_run(struct kit_maker *m)
{
	static int (*const steps[])(struct kit_maker *) = {kit_start, kit_inputs, kit_compile,
	        kit_assembled, kit_libraries, kit_name_objects, kit_link_debug, kit_describe,
	        kit_pieces};
	size_t i;
	int r;

	r = service_read(&m->service, m->request->service_path, m->request->calls_path);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]) && r == 0; i++) {
		r = steps[i](m);
	}
	if (r == 0) {
		r = kit_write_texts(m);
	}
	if (r == 0) {
		r = kit_write_manifest(m);
	}
	if (r == 0) {
		r = kit_write_uses(m);
	}
	return r < 0 ? r : kit_finish(m);
}

/*
 * 0, or reported; without a whole kit --out is as it was, but for an empty directory, which
 * is gone.
 */
int kit_make(const struct kit_request *request)
{
	MEM_CLEANUP(kit_maker_fini) struct kit_maker m = {.request = request};

	return kit_maker_run(&m);
}
