/*
 * Every way to spoil a signed kit on disk, each a row: what is done to it, and what is
 * said. The keys and signatures are real (proto/envelope/sample.c).
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host/kit/dir.h"
#include "host/kit/renew.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/sample.h"

/* One file of the list, for whatever can be done to one. */
#define FILE_ANY "service"

/* The least that the linker's checker accepts: one piece of text. */
static struct flat_file {
	struct flat_header header;
	struct flat_piece piece;
	uint8_t bytes[8];
} flat_good = {
        .header = {.magic = FLAT_MAGIC,
                .version = FLAT_VERSION,
                .header_size = sizeof(struct flat_header),
                .total_size = sizeof(struct flat_file),
                .service = "tty",
                .n_pieces = {[FLAT_TEXT] = 1}},
        .piece = {.size = 8, .align_log2 = 4},
};

/* The kit of a test, in the working directory; root and time it is judged by. */
struct spoilt {
	struct sample sample;
	_Alignas(8) uint8_t root[ENVELOPE_SIZE_MAX];
	struct kit_demand demand;
	uint8_t release_id[64];
};

static void put(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
}

static void put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void remove_all(const char *path)
{
	(void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The manifest for this list, and `manifest` with it. */
static void put_manifest(struct spoilt *s, const char *list, size_t len)
{
	put("kit/files", list, len);
	envelope_hash(list, len, s->sample.kit.files_hash);
	put("kit/manifest", &s->sample.kit, sizeof(s->sample.kit));
}

/* What luforge writes when the files are there: the list, the manifest. */
static void finish(struct spoilt *s)
{
	struct kit_list list;
	struct kit_fault fault;
	char *text;
	size_t len;

	(void)unlink("kit/files");
	(void)unlink("kit/manifest");
	(void)rename("kit/manifest.signed", "signed");
	assert(kit_dir_list("kit", &list, &fault) == 0);
	assert(kit_list_write(&list, &text, &len) == 0);
	(void)rename("signed", "kit/manifest.signed");
	put_manifest(s, text, len);
	free(text);
	kit_list_fini(&list);
}

/* What `luctl release sign` does; root and kit part are taken out of an envelope. */
static void sign(struct spoilt *s)
{
	struct envelope_view view;
	const struct envelope_part *part;

	sample_bind(&s->sample);
	sample_sign(&s->sample);
	assert(envelope_open(s->sample.bytes, s->sample.len, &view) == ENVELOPE_OK);
	part = &view.part[ENVELOPE_ROOT];
	memcpy(s->root, part->manifest - sizeof(struct envelope_part_header), part->size);
	s->demand.root = s->root;
	s->demand.root_len = part->size;
	part = &view.part[ENVELOPE_KIT];
	put("kit/manifest.signed", part->manifest - sizeof(struct envelope_part_header),
	        part->size);
	kit_manifest_release_id(&s->sample.kit, s->release_id);
}

static void make(struct spoilt *s)
{
	memset(s, 0, sizeof(*s));
	sample_init(&s->sample, ENVELOPE_OF_VARIANT);
	s->demand.time = SAMPLE_NOW;
	s->demand.release_id = s->release_id;
	remove_all("kit");
	assert(mkdir("kit", 0755) == 0);
	put_text("kit/" FILE_ANY, "service tty\n");
	put_text("kit/state", SAMPLE_DESCRIPTION);
	put("kit/flat", &flat_good, sizeof(flat_good));
	s->sample.kit.flat_len = sizeof(flat_good);
	envelope_hash(&flat_good, sizeof(flat_good), s->sample.kit.flat_hash);
	put_text("kit/names", "main\n");
	put_text("kit/recipe", KIT_RECIPE_HEAD "recipe 3\n");
	finish(s);
	sign(s);
}

/* The magic of format 2 where a manifest begins. */
static void put_manifest_magic(const char *path, long at)
{
	FILE *file = fopen(path, "r+");

	assert(file && fseek(file, at, SEEK_SET) == 0);
	assert(fwrite("SAMKIT2", 1, 8, file) == 8 && fclose(file) == 0);
}

/* A signed kit with this flat kit, whatever it is worth. */
static void put_flat(struct spoilt *s, const struct flat_file *flat)
{
	put("kit/flat", flat, sizeof(*flat));
	envelope_hash(flat, sizeof(*flat), s->sample.kit.flat_hash);
	finish(s);
	sign(s);
}

#define SPOIL(name, ...)                                                                           \
	static void spoil_##name(struct spoilt *s)                                                 \
	{                                                                                          \
		(void)s;                                                                           \
		__VA_ARGS__;                                                                       \
	}

#define PATCH put_text("kit/" FILE_ANY, "service evil")
#define INSTEAD(path, make_it)                                                                     \
	do {                                                                                       \
		remove_all(path);                                                                  \
		assert((make_it) == 0);                                                            \
	} while (0)

SPOIL(nothing, )
SPOIL(no_unsigned, assert(unlink("kit/manifest") == 0))
SPOIL(any_release, s->demand.release_id = NULL)
/* A file that nobody signed, more and more of the rest adapted. */
SPOIL(patched, PATCH)
SPOIL(patched_list, PATCH; finish(s); assert(unlink("kit/manifest") == 0))
SPOIL(patched_manifest, PATCH; finish(s))
SPOIL(longer, put_text("kit/" FILE_ANY, "service tty\nand more"))
SPOIL(shorter, put_text("kit/" FILE_ANY, "service"))
SPOIL(resigned_by_stranger, PATCH; finish(s); s->sample.by[ENVELOPE_KIT].key[0] = SAMPLE_STRANGER;
        sign(s))
SPOIL(resigned_by_variant_key, PATCH; finish(s); s->sample.by[ENVELOPE_KIT].key[0] = SAMPLE_VARIANT;
        sign(s))
SPOIL(another_release, s->release_id[0] ^= 1)
SPOIL(after_the_key, s->demand.time = SAMPLE_NOW + 10000 * SAMPLE_DAY)
SPOIL(root_changed, s->root[48] ^= 1)
SPOIL(root_longer, s->demand.root_len += 8)
SPOIL(signed_longer, struct stat st; assert(stat("kit/manifest.signed", &st) == 0);
        assert(truncate("kit/manifest.signed", st.st_size + 8) == 0))
SPOIL(root_cut, s->demand.root_len -= 8)
SPOIL(extra, put_text("kit/more", "x"))
SPOIL(extra_dir, assert(mkdir("kit/more", 0755) == 0))
SPOIL(extra_fifo, assert(mkfifo("kit/more", 0644) == 0))
SPOIL(gone, assert(unlink("kit/" FILE_ANY) == 0))
SPOIL(no_list, assert(unlink("kit/files") == 0))
SPOIL(not_signed, assert(unlink("kit/manifest.signed") == 0))
SPOIL(no_kit, remove_all("kit"))
/* Things that are no regular files. */
SPOIL(link_signed, assert(rename("kit/manifest.signed", "aside") == 0);
        assert(symlink("../aside", "kit/manifest.signed") == 0))
SPOIL(link_file, assert(rename("kit/" FILE_ANY, "aside") == 0);
        assert(symlink("../aside", "kit/" FILE_ANY) == 0))
SPOIL(link_list, remove_all("aside"); assert(rename("kit/files", "aside") == 0);
        assert(symlink("../aside", "kit/files") == 0))
SPOIL(fifo_signed, INSTEAD("kit/manifest.signed", mkfifo("kit/manifest.signed", 0644)))
SPOIL(fifo_manifest, INSTEAD("kit/manifest", mkfifo("kit/manifest", 0644)))
SPOIL(fifo_list, INSTEAD("kit/files", mkfifo("kit/files", 0644)))
SPOIL(fifo_file, INSTEAD("kit/" FILE_ANY, mkfifo("kit/" FILE_ANY, 0644)))
SPOIL(dir_file, INSTEAD("kit/" FILE_ANY, mkdir("kit/" FILE_ANY, 0755)))
SPOIL(dir_signed, INSTEAD("kit/manifest.signed", mkdir("kit/manifest.signed", 0755)))
SPOIL(device_file, INSTEAD("kit/" FILE_ANY, mknod("kit/" FILE_ANY, S_IFCHR | 0644, makedev(1, 5))))
/* More than there may be. */
SPOIL(huge_signed, assert(truncate("kit/manifest.signed", 100000) == 0))
SPOIL(huge_list, assert(truncate("kit/files", (off_t)1 << 40) == 0))
SPOIL(huge_file, assert(truncate("kit/" FILE_ANY, (off_t)1 << 40) == 0))
/* Kits that somebody signed and that are none. */
SPOIL(signed_parent, put_manifest(s, "samsara kit files 1\n", 20); sign(s))
SPOIL(recipe_old, put_text("kit/recipe", "luforge kit 2\n"); finish(s); sign(s))
SPOIL(no_service, remove_all("kit/service"); finish(s); sign(s))
SPOIL(format_2_signed, put_manifest_magic("kit/manifest.signed", 24))
SPOIL(no_flat, remove_all("kit/flat"); finish(s); sign(s))
SPOIL(other_flat, struct flat_file other = flat_good; other.bytes[3] ^= 1;
        put("kit/flat", &other, sizeof(other)); finish(s); sign(s))
SPOIL(flat_length, s->sample.kit.flat_len++; finish(s); sign(s))
SPOIL(state_length, s->sample.kit.state_len++; finish(s); sign(s))
SPOIL(flat_damaged, struct flat_file other = flat_good; other.piece.align_log2 = 13;
        put_flat(s, &other))
SPOIL(flat_service, struct flat_file other = flat_good; strcpy(other.header.service, "ds");
        put_flat(s, &other))
SPOIL(flat_patched, put_flat(s, &flat_good); put("kit/flat", "SAMFLIT", 8);
        assert(truncate("kit/flat", sizeof(flat_good)) == 0))
SPOIL(other_state, put_text("kit/state", "another description"); finish(s); sign(s))

#define ROW(name, r, said, place) {#name, spoil_##name, r, said, place}

static const struct row {
	const char *name;
	void (*apply)(struct spoilt *s);
	int r;
	const char *said, *place;
} rows[] = {
        ROW(nothing, 0, "", ""),
        ROW(no_unsigned, 0, "", ""),
        ROW(any_release, 0, "", ""),
        ROW(patched, -EBADMSG, "not the file that the kit's list names", "kit/" FILE_ANY),
        ROW(patched_list, -EBADMSG, "list of files is not the manifest's", "kit"),
        ROW(patched_manifest, -EBADMSG, "manifest is not the one that was signed", "kit"),
        ROW(longer, -EBADMSG, "not the file that", "kit/" FILE_ANY),
        ROW(shorter, -EBADMSG, "not the file that", "kit/" FILE_ANY),
        ROW(resigned_by_stranger, -EKEYREJECTED, "unknown-key", "kit/manifest.signed"),
        ROW(resigned_by_variant_key, -EKEYREJECTED, "wrong-role", "kit/manifest.signed"),
        ROW(another_release, -EBADMSG, "another release", "kit"),
        ROW(after_the_key, -EKEYREJECTED, "key-expired", "kit/manifest.signed"),
        ROW(root_changed, -EKEYREJECTED, "bad-signature", "kit/manifest.signed"),
        ROW(root_longer, -EKEYREJECTED, "malformed", "kit/manifest.signed"),
        ROW(signed_longer, -EKEYREJECTED, "malformed", "kit/manifest.signed"),
        ROW(root_cut, -EKEYREJECTED, "malformed", "kit/manifest.signed"),
        ROW(extra, -EBADMSG, "not in the kit's list", "kit/more"),
        ROW(extra_dir, -EBADMSG, "not in the kit's list", "kit/more"),
        ROW(extra_fifo, -EBADMSG, "not in the kit's list", "kit/more"),
        ROW(gone, -ENOENT, "make the kit again", "kit/" FILE_ANY),
        ROW(no_list, -ENOENT, "make the kit again", "kit/files"),
        ROW(not_signed, -ENOENT, "luctl release sign", "kit/manifest.signed"),
        ROW(no_kit, -ENOENT, "not a kit's directory", "kit"),
        ROW(link_signed, -ELOOP, "a link", "kit/manifest.signed"),
        ROW(link_file, -ELOOP, "a link", "kit/" FILE_ANY),
        ROW(link_list, -ELOOP, "a link", "kit/files"),
        ROW(fifo_signed, -EINVAL, "not a regular file", "kit/manifest.signed"),
        ROW(fifo_manifest, -EINVAL, "not a regular file", "kit/manifest"),
        ROW(fifo_list, -EINVAL, "not a regular file", "kit/files"),
        ROW(fifo_file, -EINVAL, "not a regular file", "kit/" FILE_ANY),
        ROW(dir_file, -EINVAL, "not a regular file", "kit/" FILE_ANY),
        ROW(dir_signed, -EINVAL, "not a regular file", "kit/manifest.signed"),
        ROW(device_file, -EINVAL, "not a regular file", "kit/" FILE_ANY),
        ROW(huge_signed, -EFBIG, "longer than it may be", "kit/manifest.signed"),
        ROW(huge_list, -EFBIG, "longer than it may be", "kit/files"),
        ROW(huge_file, -EBADMSG, "not the file that", "kit/" FILE_ANY),
        ROW(signed_parent, -EBADMSG, "not in the kit's list", ""),
        ROW(recipe_old, -EBADMSG, "unknown format", "kit"),
        ROW(no_service, -EBADMSG, "'service' is not in its list", "kit"),
        ROW(format_2_signed, -EBADMSG, "another format (SAMKIT2;", "kit"),
        ROW(no_flat, -EBADMSG, "'flat' is not in its list", "kit"),
        ROW(other_flat, -EBADMSG, "flat kit is not the manifest's", "kit"),
        ROW(flat_length, -EBADMSG, "flat kit is not the manifest's", "kit"),
        ROW(state_length, -EBADMSG, "state description is not the manifest's", "kit"),
        ROW(flat_damaged, -EBADMSG, "damaged: a piece is empty, oddly", "kit"),
        ROW(flat_service, -EBADMSG, "is one of ds, not of tty", "kit"),
        ROW(flat_patched, -EBADMSG, "not the file that", "kit/flat"),
        ROW(other_state, -EBADMSG, "state description is not the manifest's", "kit"),
};

static void test_row(const struct row *row)
{
	static struct spoilt s;
	struct kit_dir dir = {0};
	struct kit_fault fault = {0};
	int r;

	make(&s);
	row->apply(&s);
	r = kit_dir_read(&dir, "kit", &s.demand, &fault);
	if (r != row->r || (r < 0 && (!strstr(fault.text, row->said) ||
	                                     (*row->place && strcmp(fault.place, row->place))))) {
		fprintf(stderr, "%s: %d: %s: %s\n", row->name, r, fault.place, fault.text);
		abort();
	}
	kit_dir_fini(&dir);
}

static bool cannot_make_devices(void)
{
	bool none = mknod("device", S_IFCHR | 0644, makedev(1, 5)) < 0;

	(void)unlink("device");
	return none;
}

/* Without a demand the kit is only whole; the same damage is seen. */
static void test_unsigned(void)
{
	static struct spoilt s;
	struct kit_dir dir;
	struct kit_fault fault;
	size_t len;

	make(&s);
	assert(kit_dir_read(&dir, "kit", NULL, &fault) == 0);
	assert(!dir.signed_part && !kit_dir_file(&dir, "none", &len));
	assert(!strcmp((const char *)kit_dir_file(&dir, FILE_ANY, &len), "service tty\n"));
	assert(len == 12);
	kit_dir_fini(&dir);
	PATCH;
	assert(kit_dir_read(&dir, "kit", NULL, &fault) == -EBADMSG);
	finish(&s);
	assert(kit_dir_read(&dir, "kit", NULL, &fault) == 0);
	kit_dir_fini(&dir);
	s.sample.kit.counter = 0;
	finish(&s);
	assert(kit_dir_read(&dir, "kit", NULL, &fault) == -EBADMSG);
	put_manifest_magic("kit/manifest", 0);
	assert(kit_dir_read(&dir, "kit", NULL, &fault) == -EBADMSG);
	assert(strstr(fault.text, "another format"));
	finish(&s);
	assert(truncate("kit/manifest", 8) == 0);
	assert(kit_dir_read(&dir, "kit", NULL, &fault) == -EBADMSG);
}

static void check_mode(const char *path, mode_t mode)
{
	struct stat st;

	assert(lstat(path, &st) == 0 && st.st_mode == mode);
}

/* What is written is what was read, even when the files have changed meanwhile. */
static void test_copy(void)
{
	static struct spoilt s;
	struct kit_dir dir, copy;
	struct kit_fault fault;
	size_t len;

	make(&s);
	assert(kit_dir_read(&dir, "kit", &s.demand, &fault) == 0);
	PATCH;
	assert(unlink("kit/manifest.signed") == 0);
	assert(kit_dir_write(&dir, "copy", &fault) == 0);
	assert(kit_dir_write(&dir, "copy", &fault) == -EEXIST);
	assert(kit_dir_read(&copy, "copy", &s.demand, &fault) == 0);
	assert(!memcmp(kit_dir_file(&copy, FILE_ANY, &len), "service tty\n", 12));
	check_mode("copy", S_IFDIR | 0700);
	check_mode("copy/manifest.signed", S_IFREG | 0600);
	check_mode("copy/" FILE_ANY, S_IFREG | 0600);
	kit_dir_fini(&copy);
	kit_dir_fini(&dir);
	assert(kit_dir_read_signed(&copy, "copy", &s.demand, &fault) == 0);
	assert(copy.list.n == 0 && copy.manifest.counter == 7);
	kit_dir_fini(&copy);
}

/* A signature goes into its place, and over nothing but a regular file. */
static void test_put_signed(void)
{
	static struct spoilt s;
	struct kit_fault fault;
	struct stat st;

	make(&s);
	assert(kit_dir_put_signed("kit", "x", 1, &fault) == 0);
	assert(stat("kit/manifest.signed", &st) == 0 && st.st_size == 1);
	spoil_link_signed(&s);
	assert(kit_dir_put_signed("kit", "xy", 2, &fault) == -ELOOP);
	assert(stat("aside", &st) == 0 && st.st_size == 1);
	spoil_fifo_signed(&s);
	assert(kit_dir_put_signed("kit", "xy", 2, &fault) == -EINVAL);
	assert(access("kit/manifest.signed.new", F_OK) < 0);
	assert(kit_dir_put_signed("none", "xy", 2, &fault) == -ENOENT);
}

/*
 * A kit becomes a release: other number, source and notes, the same program; and what is read of it is
 * what its manifest covers.
 */
static void test_renew(void)
{
	static struct spoilt s;
	static const char source[] = KIT_SOURCE_HEAD KIT_SOURCE_IS "a tree\n";
	struct kit_release release = {
	        .counter = 9, .issued = SAMPLE_NOW, .source = source, .notes = "good\n"};
	struct kit_dir built, made;
	struct kit_manifest manifest;
	struct kit_fault fault;
	uint8_t hash[64];
	char *text;

	make(&s);
	/* Twice: the second time the files are there already. */
	for (int i = 0; i < 2; i++) {
		assert(kit_dir_read(&built, "kit", &s.demand, &fault) == 0);
		assert(kit_dir_renew(&built, &release, "kit", &fault) == 0);
		assert(kit_dir_renew(&built, &release, "kit", &fault) == 0);
		remove_all("renewed");
		assert(kit_dir_write(&built, "renewed", &fault) == 0);
		assert(access("renewed/manifest.signed", F_OK) < 0);
		assert(kit_dir_read(&made, "renewed", NULL, &fault) == 0);
		assert(made.manifest.counter == 9 && made.list.n == 7);
		envelope_hash(source, strlen(source), hash);
		assert(memcmp(made.manifest.source_id, hash, 64) == 0);
		assert(memcmp(made.manifest.flat_hash, s.sample.kit.flat_hash, 64) == 0);
		kit_dir_fini(&built);
		manifest = made.manifest;
		kit_dir_fini(&made);
	}
	assert(kit_file_of("renewed", &manifest, KIT_NOTES, KIT_NOTES_MAX, &text, &fault) == 0);
	assert(strcmp(text, "good\n") == 0);
	free(text);
	assert(kit_file_of("renewed", &manifest, "none", 9, &text, &fault) == -ENOENT);
	assert(kit_file_of("renewed", &manifest, KIT_NOTES, 4, &text, &fault) == -EFBIG);
	put_text("renewed/notes", "evil\n");
	assert(kit_file_of("renewed", &manifest, KIT_NOTES, KIT_NOTES_MAX, &text, &fault) ==
	        -EBADMSG);
	manifest.files_hash[0] ^= 1;
	assert(kit_file_of("renewed", &manifest, KIT_SOURCE, 99, &text, &fault) == -EBADMSG);
	/* A number that the release's own floor forbids. */
	assert(kit_dir_read(&built, "kit", NULL, &fault) == 0);
	built.manifest.floor = 10;
	assert(kit_dir_renew(&built, &release, "kit", &fault) == -EBADMSG);
	assert(strstr(fault.text, "below its floor 10"));
	kit_dir_fini(&built);
}

/* A signed manifest in memory: whose it is counts only with a demand. */
static void test_signed_open(void)
{
	static struct spoilt s;
	struct kit_manifest manifest;
	struct kit_fault fault;
	uint8_t *part;
	size_t len;

	make(&s);
	assert(kit_file_read("kit/manifest.signed", 8192, &part, &len, &fault) == 0);
	assert(kit_signed_open(part, len, "x", &s.demand, &manifest, &fault) == 0);
	assert(memcmp(&manifest, &s.sample.kit, sizeof(manifest)) == 0);
	assert(kit_signed_open(part, len - 1, "x", NULL, &manifest, &fault) == -EBADMSG);
	part[len - 1] ^= 1;
	assert(kit_signed_open(part, len, "x", &s.demand, &manifest, &fault) == -EKEYREJECTED);
	assert(kit_signed_open(part, len, "x", NULL, &manifest, &fault) == 0);
	assert(kit_signed_open(s.root, s.demand.root_len, "x", NULL, &manifest, &fault) ==
	        -EBADMSG);
	free(part);
}

/* What cannot be in a kit is not listed. */
static void test_list(void)
{
	static struct spoilt s;
	struct kit_list list;
	struct kit_fault fault;

	make(&s);
	assert(kit_dir_list("kit", &list, &fault) == -EBADMSG && strstr(fault.text, "no path"));
	remove_all("kit");
	assert(mkdir("kit", 0755) == 0 && mkfifo("kit/x", 0644) == 0);
	assert(kit_dir_list("kit", &list, &fault) == -EINVAL);
	INSTEAD("kit/x", symlink("/dev/null", "kit/x"));
	assert(kit_dir_list("kit", &list, &fault) == -ELOOP);
	remove_all("kit/x");
	put_text("kit/x", "");
	assert(truncate("kit/x", KIT_FILE_BYTES_MAX + 1) == 0);
	assert(kit_dir_list("kit", &list, &fault) == -EFBIG);
	INSTEAD("kit/x", mkdir("kit/x", 0755));
	assert(mkdir("kit/x/y", 0755) == 0);
	assert(kit_dir_list("kit", &list, &fault) == -EINVAL);
}

int main(void)
{
	char work[] = "/tmp/kit_dir_test.XXXXXX";
	size_t i;

	(void)alarm(60); /* whoever waits for a FIFO waits no longer */
	assert(mkdtemp(work) && chdir(work) == 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].apply != spoil_device_file || !cannot_make_devices()) {
			test_row(&rows[i]);
		}
	}
	test_unsigned();
	test_copy();
	test_put_signed();
	test_list();
	test_renew();
	test_signed_open();
	assert(chdir("/") == 0);
	remove_all(work);
	return 0;
}
