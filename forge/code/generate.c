/*
 * Code generation through llc, with a cache on disk. The name in the cache is a hash of
 * bitcode, flags and LLVM's version, so a name never stands for two contents and no entry is
 * ever out of date. Several luforge may fill one cache: each writes under names of its own and
 * renames. The hashes of both objects come last: an entry is taken only when it is what they say,
 * and made anew otherwise. So what a full disk, a lost power supply or a bad sector left of an
 * entry is in no kit.
 */
#include "forge/code/generate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "forge/base/report.h"
#include "forge/base/tool.h"

/* The flags of llc; a change makes new names in the cache. */
#define GENERATE_FLAGS                                                                             \
	"-O2", "-filetype=obj", "-relocation-model=pic", "-function-sections", "-data-sections"

/* 128 bits of the hash over flags, LLVM's version and the bitcode: all that code depends on. */
static int generate_key(const struct buf *bitcode, char ret_key[33])
{
	static const char *const flags[] = {GENERATE_FLAGS, LLVM_VERSION};
	BUF_CLEANUP struct buf all = {0};
	uint8_t hash[TOOL_HASH_SIZE];
	size_t i;
	int r;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		buf_printf(&all, "%s\n", flags[i]);
	}
	buf_add(&all, bitcode->bytes, bitcode->len);
	r = tool_hash(all.bytes, all.len, hash);
	for (i = 0; i < 16 && r == 0; i++) {
		(void)snprintf(ret_key + 2 * i, 3, "%02x", hash[i]);
	}
	return r;
}

/*
 * Position-independent, with a section for each function and object: what layouts put into
 * order.
 */
static int generate_debug(const char *bitcode, const char *object)
{
	const char *const argv[] = {tool_llc, GENERATE_FLAGS, "-o", object, bitcode, NULL};

	return tool_run(argv);
}

/*
 * Strips debug data only; symbols and sections stay as they were, so both link to the same
 * bytes.
 */
static int generate_plain(const char *from, const char *to)
{
	const char *const argv[] = {tool_objcopy, "--strip-debug", from, to, NULL};

	return tool_run(argv);
}

static int generate_rename(const char *from, const char *to)
{
	return rename(from, to) < 0 ? report_errno(to, errno, "cannot rename into place") : 0;
}

/* Under names of our own first: another luforge may be making the same objects. */
static int generate_new(const struct buf *bitcode, const char *debug, const char *plain)
{
	MEM_FREE char *input = mem_printf("%s.%ld.bc", debug, (long)getpid());
	MEM_FREE char *new_debug = mem_printf("%s.%ld.tmp", debug, (long)getpid());
	MEM_FREE char *new_plain = mem_printf("%s.%ld.tmp", plain, (long)getpid());
	int r;

	r = buf_write_file(bitcode, input);
	if (r == 0) {
		r = generate_debug(input, new_debug);
	}
	if (r == 0) {
		r = generate_plain(new_debug, new_plain);
	}
	if (r == 0) {
		r = generate_rename(new_debug, debug);
	}
	if (r == 0) {
		r = generate_rename(new_plain, plain);
	}
	(void)unlink(input);
	(void)unlink(new_debug);
	(void)unlink(new_plain);
	return r;
}

/* Of both objects, one behind the other. */
static int generate_hash(
        const char *debug, const char *plain, uint8_t ret_hashes[2 * TOOL_HASH_SIZE])
{
	const char *const paths[] = {debug, plain};
	size_t i;
	int r = 0;

	for (i = 0; i < 2 && r == 0; i++) {
		BUF_CLEANUP struct buf object = {0};

		r = buf_read_file(&object, paths[i]);
		if (r == 0) {
			r = tool_hash(object.bytes, object.len, ret_hashes + i * TOOL_HASH_SIZE);
		}
	}
	return r;
}

/* Is the entry there, and what was written? */
static int generate_is_whole(
        const char *debug, const char *plain, const char *sum, bool *ret_is_whole)
{
	uint8_t hashes[2 * TOOL_HASH_SIZE];
	BUF_CLEANUP struct buf expect = {0};
	int r;

	*ret_is_whole = false;
	if (access(debug, R_OK) < 0 || access(plain, R_OK) < 0 || access(sum, R_OK) < 0) {
		return 0;
	}
	r = buf_read_file(&expect, sum);
	if (r == 0) {
		r = generate_hash(debug, plain, hashes);
	}
	if (r == 0) {
		*ret_is_whole = expect.len == sizeof(hashes) &&
		                memcmp(expect.bytes, hashes, sizeof(hashes)) == 0;
		if (!*ret_is_whole) {
			report_warn(plain, "damaged in the cache; it is made anew");
		}
	}
	return r;
}

/* An entry of the cache, whole. */
static int generate_entry(
        const struct buf *bitcode, const char *debug, const char *plain, const char *sum)
{
	uint8_t hashes[2 * TOOL_HASH_SIZE];
	bool is_whole;
	int r = generate_is_whole(debug, plain, sum, &is_whole);

	if (r < 0 || is_whole) {
		return r;
	}
	r = generate_new(bitcode, debug, plain);
	if (r == 0) {
		r = generate_hash(debug, plain, hashes);
	}
	return r < 0 ? r : mem_write_file(sum, hashes, sizeof(hashes));
}

/*
 * A cache that others can write to is theirs to poison: it is a directory of the build, named
 * by who runs it.
 */
int generate_objects(
        const struct buf *bitcode, const char *cache, char **ret_debug, char **ret_plain)
{
	char key[33];
	int r;

	r = generate_key(bitcode, key);
	if (r < 0) {
		return r;
	}
	MEM_FREE char *debug = mem_printf("%s/%s.debug.o", cache, key);
	MEM_FREE char *plain = mem_printf("%s/%s.o", cache, key);
	MEM_FREE char *sum = mem_printf("%s/%s.sum", cache, key);

	r = generate_entry(bitcode, debug, plain, sum);
	if (r == 0) {
		*ret_debug = debug;
		*ret_plain = plain;
		debug = plain = NULL;
	}
	return r;
}
