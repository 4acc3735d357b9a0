/*
 * Resolving undefined symbols from archives, by their symbol indexes. The list of objects is
 * walked once while it grows: an undefined symbol that no object of the list defines takes the
 * member that the first archive with that name has for it, and what this member needs is
 * looked at when the walk comes to it. A member is taken by its offset, since several may have
 * one name, and forgotten in the index, so that it is taken once.
 *
 * Nothing in an archive is believed: headers, index and names are looked for inside the file
 * before they are followed.
 */
#include "forge/elf/archive.h"

#include <ar.h>
#include <elf.h>
#include <string.h>

#include "forge/base/names.h"
#include "forge/base/report.h"

struct archive {
	const char *path;
	const char *name; /* last part of path */
	struct buf data;
	struct names index; /* symbol -> member offset + 1, 0 when already taken */
};

void object_list_fini(struct object_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		elf_file_fini(&list->items[i].elf);
		free(list->items[i].archive);
		free(list->items[i].member);
		free(list->items[i].debug);
		free(list->items[i].plain);
	}
	free(list->items);
	*list = (struct object_list){0};
}

void object_list_add(
        struct object_list *list, struct elf_file *elf, const char *archive, const char *member)
{
	MEM_PUSH(list->items, list->n, list->capacity);
	list->items[list->n++] = (struct object){
	        .elf = *elf,
	        .archive = archive ? mem_strdup(archive) : NULL,
	        .member = member ? mem_strdup(member) : NULL,
	};
	*elf = (struct elf_file){0};
}

static void archive_close(struct archive *a)
{
	names_fini(&a->index);
	buf_fini(&a->data);
}

/* Digits up to the first that is none. Fields are at most 16 letters: no overflow. */
static size_t archive_decimal(const char *text, size_t len)
{
	size_t v = 0;

	for (; len > 0 && *text >= '0' && *text <= '9'; text++, len--) {
		v = v * 10 + (size_t)(*text - '0');
	}
	return v;
}

/*
 * The header of the member at the offset, with the whole member inside the file; NULL:
 * damaged. A header has no alignment of its own, nor needs one: all its fields are letters.
 */
static const struct ar_hdr *archive_header(const struct archive *a, uint64_t off, size_t *ret_len)
{
	const struct ar_hdr *h;
	size_t len;

	if (off > a->data.len || a->data.len - off < sizeof(*h)) {
		return NULL;
	}
	h = (const void *)(a->data.bytes + off);
	if (memcmp(h->ar_fmag, ARFMAG, sizeof(h->ar_fmag)) != 0) {
		return NULL;
	}
	len = archive_decimal(h->ar_size, sizeof(h->ar_size));
	if (len > a->data.len - off - sizeof(*h)) {
		return NULL;
	}
	*ret_len = len;
	return h;
}

/* One big-endian number of the symbol index. */
static uint64_t archive_be(const uint8_t *p, size_t width)
{
	uint64_t v = 0;

	while (width-- > 0) {
		v = v << 8 | *p++;
	}
	return v;
}

/*
 * The symbol index: a count, so many offsets of members, so many names that each end
 * with a NUL. Nothing in it is believed: counts and names are looked for inside it.
 */
static int archive_read_index(struct archive *a, const uint8_t *index, size_t len, size_t width)
{
	const uint8_t *offsets, *name, *end = index + len;
	uint64_t n, i;

	if (len < width) {
		return report_refuse(a->path, "damaged archive: the symbol index is cut");
	}
	n = archive_be(index, width);
	if (n > (len - width) / width) {
		return report_refuse(a->path, "damaged archive: the symbol index is cut");
	}
	offsets = index + width;
	name = offsets + n * width;
	for (i = 0; i < n; i++) {
		const uint8_t *nul = memchr(name, 0, (size_t)(end - name));

		if (!nul) {
			return report_refuse(
			        a->path, "damaged archive: a symbol's name has no end");
		}
		(void)names_add(
		        &a->index, (const char *)name, archive_be(offsets + i * width, width) + 1);
		name = nul + 1;
	}
	return 0;
}

/*
 * The index must be the first member: GNU's, with 32- or 64-bit offsets. Thin archives have
 * another magic and are refused: their members lie elsewhere.
 */
static int archive_open(struct archive *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	const struct ar_hdr *h;
	size_t len;
	int r;

	a->path = path;
	a->name = slash ? slash + 1 : path;
	r = buf_read_file(&a->data, path);
	if (r < 0) {
		return r;
	}
	if (a->data.len < SARMAG || memcmp(a->data.bytes, ARMAG, SARMAG) != 0) {
		return report_refuse(path, "not an archive");
	}
	h = archive_header(a, SARMAG, &len);
	if (h && memcmp(h->ar_name, "/               ", sizeof(h->ar_name)) == 0) {
		return archive_read_index(a, (const uint8_t *)(h + 1), len, 4);
	}
	if (h && memcmp(h->ar_name, "/SYM64/         ", sizeof(h->ar_name)) == 0) {
		return archive_read_index(a, (const uint8_t *)(h + 1), len, 8);
	}
	return report_refuse(path, "the archive has no symbol index; run ranlib");
}

/* The name of a member; long ones lie in the member called "//". Owned by the caller. */
static char *archive_member_name(const struct archive *a, const struct ar_hdr *h)
{
	const char *name = h->ar_name;
	const struct ar_hdr *names;
	size_t max = sizeof(h->ar_name), len, at, n = 0;
	uint64_t off = SARMAG;

	if (name[0] == '/') {
		at = archive_decimal(name + 1, max - 1);
		names = archive_header(a, off, &len);
		while (names && memcmp(names->ar_name, "// ", 3) != 0) {
			off += sizeof(*names) + (len + 1) / 2 * 2;
			names = archive_header(a, off, &len);
		}
		if (!names || at >= len) {
			return mem_strdup("member.o");
		}
		name = (const char *)(names + 1) + at;
		max = len - at;
	}
	while (n < max && name[n] != '/' && name[n] != ' ' && name[n] != '\n') {
		n++;
	}
	return mem_printf("%.*s", (int)n, name);
}

/* Copy the member at the offset out of the archive and append it. */
static int archive_take(struct archive *a, uint64_t off, struct object_list *list)
{
	BUF_CLEANUP struct buf data = {0};
	const struct ar_hdr *h;
	struct elf_file elf;
	size_t len;
	int r;

	h = archive_header(a, off, &len);
	if (!h) {
		return report_refuse(a->path, "damaged archive");
	}
	MEM_FREE char *name = archive_member_name(a, h);
	MEM_FREE char *label = mem_printf("%s(%s)", a->path, name);

	buf_add(&data, h + 1, len);
	r = elf_file_init(&elf, label, &data);
	if (r == 0) {
		object_list_add(list, &elf, a->name, name);
	}
	return r;
}

/* Forget all names of a member that was taken, so that it is not taken twice. */
static void archive_forget(struct archive *a, uint64_t off)
{
	size_t i;

	for (i = 0; i < a->index.n_slots; i++) {
		if (a->index.slots[i].value == off + 1) {
			a->index.slots[i].value = 0;
		}
	}
}

/*
 * The first archive that has the name, in the order of the description. Nobody has it: that
 * is the linker's to report, with who needs it.
 */
static int archive_satisfy(
        struct archive *archives, size_t n, const char *name, struct object_list *list)
{
	uint64_t *found, off;
	size_t i;

	for (i = 0; i < n; i++) {
		found = names_find(&archives[i].index, name);
		if (found && *found != 0) {
			off = *found - 1;
			archive_forget(&archives[i], off);
			return archive_take(&archives[i], off, list);
		}
	}
	return 0;
}

/*
 * Weak definitions count: a weak one in the list keeps a member with a strong one out, as for
 * every linker.
 */
static void archive_note_exports(struct names *defined, const struct elf_file *elf)
{
	size_t i;

	for (i = 0; i < elf->n_symbols; i++) {
		if (elf_symbol_is_export(&elf->symbols[i])) {
			(void)names_add(defined, elf->symbols[i].name, 0);
		}
	}
}

/* Walk the list while it grows; each object's needs are looked at once. */
static int archive_walk(
        struct object_list *list, struct archive *archives, size_t n, struct names *defined)
{
	size_t i, k, known = 0;
	int r;

	for (i = 0; i < list->n; i++) {
		for (k = 0; k < list->items[i].elf.n_symbols; k++) {
			const struct elf_symbol *s = &list->items[i].elf.symbols[k];

			for (; known < list->n; known++) {
				archive_note_exports(defined, &list->items[known].elf);
			}
			if (s->section != SHN_UNDEF || s->bind != STB_GLOBAL ||
			        names_find(defined, s->name)) {
				continue;
			}
			r = archive_satisfy(archives, n, s->name, list);
			if (r < 0) {
				return r;
			}
		}
	}
	return 0;
}

/*
 * Archives stay open until the walk has ended: names of the index point into them. Members
 * were copied out.
 */
int archive_resolve(struct object_list *list, const char *const paths[], size_t n_paths)
{
	MEM_FREE struct archive *archives = mem_zalloc(n_paths, sizeof(*archives));
	struct names defined = {0};
	size_t i;
	int r = 0;

	for (i = 0; i < n_paths && r == 0; i++) {
		r = archive_open(&archives[i], paths[i]);
	}
	if (r == 0) {
		r = archive_walk(list, archives, n_paths, &defined);
	}
	for (i = 0; i < n_paths; i++) {
		archive_close(&archives[i]);
	}
	names_fini(&defined);
	return r;
}
