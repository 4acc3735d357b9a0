/*
 * Archives whose symbol index lies about itself, each a row. Files are exactly as long
 * as their bytes and the test runs with sanitizers: whoever reads on is caught.
 */
#undef NDEBUG
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "forge/base/report.h"
#include "forge/elf/archive.h"

#define MAGIC "!<arch>\n"
#define HEADER(name, size) name "0           0     0     100644  " size "`\n"
#define INDEX(size) HEADER("/               ", size)
#define INDEX64(size) HEADER("/SYM64/         ", size)

#define ROW(bytes, r) {bytes, sizeof(bytes) - 1, r}

static const struct {
	const char *bytes;
	size_t len;
	int r;
} rows[] = {
        ROW(MAGIC INDEX("4         ") "\0\0\0\0", 0),
        ROW(MAGIC INDEX("10        ") "\0\0\0\1\0\0\0\x50g\0", 0),
        ROW(MAGIC INDEX64("18        ") "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x50g\0", 0),
        ROW("", -EINVAL),
        ROW("!<arch>", -EINVAL),
        ROW("!<thin>\n" INDEX("4         ") "\0\0\0\0", -EINVAL),
        ROW(MAGIC, -EINVAL),
        ROW(MAGIC INDEX("4         "), -EINVAL),
        ROW(MAGIC INDEX("3         ") "\0\0\0", -EINVAL),
        ROW(MAGIC INDEX("9999999999") "\0\0\0\0", -EINVAL),
        ROW(MAGIC HEADER("f.o/            ", "4         ") "\0\0\0\0", -EINVAL),
        /* A count for which there are no offsets. */
        ROW(MAGIC INDEX("4         ") "\0\0\0\1", -EINVAL),
        ROW(MAGIC INDEX("10        ") "\xff\xff\xff\xff\0\0\0\x50g\0", -EINVAL),
        ROW(MAGIC INDEX64("18        ") "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\x50g\0",
                -EINVAL),
        ROW(MAGIC INDEX64("8         ") "\x20\0\0\0\0\0\0\0", -EINVAL),
        /* Names without an end, fewer names than offsets. */
        ROW(MAGIC INDEX("9         ") "\0\0\0\1\0\0\0\x50g", -EINVAL),
        ROW(MAGIC INDEX("14        ") "\0\0\0\2\0\0\0\x50\0\0\0\x50g\0", -EINVAL),
        ROW(MAGIC INDEX("8         ") "\0\0\0\1\0\0\0\x50", -EINVAL),
        /* Members outside the file, for a symbol that is wanted. */
        ROW(MAGIC INDEX("15        ") "\0\0\0\1\0\0\0\x54wanted\0", -EINVAL),
        ROW(MAGIC INDEX("15        ") "\0\0\0\1\0\0\0\x53wanted\0", -EINVAL),
        ROW(MAGIC INDEX64("23        ") "\0\0\0\0\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xf0"
                                        "wanted\0",
                -EINVAL),
};

static int resolve(const void *bytes, size_t len)
{
	const char path[] = "archive_test.a";
	const char *const paths[] = {path};
	struct object_list list = {0};
	struct elf_file wants = {0};
	int r;

	assert(mem_write_file(path, bytes, len) == 0);
	/* An object that wants a symbol of the last rows. */
	wants.symbols = mem_zalloc(1, sizeof(*wants.symbols));
	wants.n_symbols = 1;
	wants.symbols[0] =
	        (struct elf_symbol){.name = "wanted", .section = SHN_UNDEF, .bind = STB_GLOBAL};
	object_list_add(&list, &wants, NULL, NULL);
	r = archive_resolve(&list, paths, 1);
	object_list_fini(&list);
	(void)unlink(path);
	return r;
}

/* A member behind what is there; bytes are padded to an even number. */
static void add_member(struct buf *archive, const char *name, const void *bytes, size_t len)
{
	char header[61];

	snprintf(header, sizeof(header), "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644",
	        len);
	buf_add(archive, header, 60);
	buf_add(archive, bytes, len);
	buf_add(archive, "\n", len % 2);
}

/*
 * A member with a long name, to which the index gives two symbols that it does not define: it is
 * taken once, and under its name.
 */
static void test_take(void)
{
	static const char index[] = "\0\0\0\2\0\0\0\xb8\0\0\0\xb8wanted\0other";
	static const char names[] = "a_name_longer_than_a_field.o/\n";
	const Elf64_Ehdr empty = {.e_ident = ELFMAG "\2\1\1",
	        .e_type = ET_REL,
	        .e_machine = EM_X86_64,
	        .e_version = EV_CURRENT,
	        .e_ehsize = sizeof(empty)};
	const char *const paths[] = {"take.a"};
	struct object_list list = {0};
	struct elf_file wants = {.n_symbols = 2};
	BUF_CLEANUP struct buf archive = {0};

	buf_add(&archive, MAGIC, 8);
	add_member(&archive, "/", index, sizeof(index));
	add_member(&archive, "//", names, sizeof(names) - 1);
	add_member(&archive, "/0", &empty, sizeof(empty));
	assert(mem_write_file(paths[0], archive.bytes, archive.len) == 0);
	wants.symbols = mem_zalloc(2, sizeof(*wants.symbols));
	wants.symbols[0] =
	        (struct elf_symbol){.name = "wanted", .section = SHN_UNDEF, .bind = STB_GLOBAL};
	wants.symbols[1] =
	        (struct elf_symbol){.name = "other", .section = SHN_UNDEF, .bind = STB_GLOBAL};
	object_list_add(&list, &wants, NULL, NULL);
	assert(archive_resolve(&list, paths, 1) == 0);
	assert(list.n == 2);
	assert(!strcmp(list.items[1].archive, "take.a"));
	assert(!strcmp(list.items[1].member, "a_name_longer_than_a_field.o"));
	object_list_fini(&list);
	(void)unlink(paths[0]);
}

int main(void)
{
	char work[] = "/tmp/archive_test.XXXXXX";
	size_t i;

	assert(mkdtemp(work) && chdir(work) == 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = resolve(rows[i].bytes, rows[i].len);

		if (r != rows[i].r) {
			fprintf(stderr, "archive %zu: %d, not %d\n", i, r, rows[i].r);
			abort();
		}
	}
	test_take();
	assert(chdir("/") == 0 && rmdir(work) == 0);
	return 0;
}
