/*
 * luforge batch: many variants of a kit, for who keeps some ready or looks at many. Variant n of a
 * batch is that of the seed
 *
 *   first 32 bytes of BLAKE2b-512("samsara batch" and three zeros | seed, 32 | n, 4)
 *
 * so a batch can be made again, in part, too, and one with a higher count begins with the same
 * variants. Files are N.payload, and N.seed with the 64 digits that make it again; N.seed is as
 * secret as the variant. A variant is there when both are: its seed is written last and renamed
 * into place, so a batch that was interrupted goes on where it stopped. No two are alike: seeds
 * differ, and payloads are compared by their hashes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/base/names.h"
#include "forge/base/report.h"
#include "forge/base/tool.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/cmd/variant.h"

#define BATCH_MAX 65536u
#define BATCH_LABEL "samsara batch\0\0"

struct batch {
	struct kit kit;
	uint8_t seed[LINK_SEED_SIZE];
	const char *out;                        /* the directory */
	struct names payloads;                  /* hashes of those that are there, which lie in */
	char (*hashes)[2 * TOOL_HASH_SIZE + 1]; /* owned */
	uint32_t n_made, n_there;
};

static void batch_fini(struct batch *b)
{
	kit_fini(&b->kit);
	names_fini(&b->payloads);
	free(b->hashes);
	explicit_bzero(b->seed, sizeof(b->seed));
}

/* The seed of variant n. */
static int batch_seed(const struct batch *b, uint32_t n, uint8_t ret_seed[LINK_SEED_SIZE])
{
	uint8_t text[16 + LINK_SEED_SIZE + 4] = BATCH_LABEL, hash[TOOL_HASH_SIZE];
	int r;

	memcpy(text + 16, b->seed, LINK_SEED_SIZE);
	memcpy(text + 16 + LINK_SEED_SIZE, &n, sizeof(n));
	r = tool_hash(text, sizeof(text), hash);
	memcpy(ret_seed, hash, LINK_SEED_SIZE);
	return r;
}

/* Into a place where it is whole or not at all. */
static int batch_write(const struct buf *bytes, const char *path)
{
	MEM_FREE char *part = mem_printf("%s.part", path);
	int r = buf_write_file(bytes, part);

	if (r == 0 && rename(part, path) < 0) {
		r = report_failed(path, "%s", strerror(errno));
	}
	if (r != 0) {
		(void)unlink(part);
	}
	return r;
}

/* No two variants of a batch are alike; a second one would be a fault of the linker. */
static int batch_note(struct batch *b, const char *path, const struct buf *payload)
{
	uint8_t hash[TOOL_HASH_SIZE];
	char *text = b->hashes[b->payloads.n_used];
	int r = tool_hash(payload->bytes, payload->len, hash);

	if (r < 0) {
		return r;
	}
	args_hex(hash, text);
	return names_add(&b->payloads, text, 0)
	               ? 0
	               : report_failed(path, "the same bytes as another variant of the batch");
}

/*
 * Variant n. One that is there must be the one that this kit and seed give: a directory of another
 * batch is refused, and nothing in it is written over.
 */
static int batch_one(struct batch *b, uint32_t n)
{
	MEM_FREE char *payload_path = mem_printf("%s/%u.payload", b->out, n);
	MEM_FREE char *seed_path = mem_printf("%s/%u.seed", b->out, n);
	BUF_CLEANUP struct buf payload = {0}, text = {0}, there = {0};
	uint8_t seed[LINK_SEED_SIZE];
	int r = batch_seed(b, n, seed);

	for (size_t i = 0; i < sizeof(seed); i++) {
		buf_printf(&text, "%02x", seed[i]);
	}
	buf_printf(&text, "\n");
	if (r == 0) {
		r = variant_make(&b->kit, seed, 0, NULL, &payload);
	}
	explicit_bzero(seed, sizeof(seed));
	if (r == 0) {
		r = batch_note(b, payload_path, &payload);
	}
	if (r != 0 || access(seed_path, F_OK) < 0) {
		r = r != 0 ? r : batch_write(&payload, payload_path);
		r = r != 0 ? r : batch_write(&text, seed_path);
		b->n_made += r == 0;
		return r;
	}
	r = buf_read_file(&there, payload_path);
	if (r == 0 && (there.len != payload.len ||
	                      memcmp(there.bytes, payload.bytes, payload.len) != 0)) {
		r = report_refuse(payload_path,
		        "not variant %u of this kit and seed; name an empty directory", n);
	}
	b->n_there += r == 0;
	return r;
}

static int batch_run(struct batch *b, uint32_t count)
{
	uint32_t n;
	int r = 0;

	/* Seeds are secrets, wherever the directory comes from. */
	(void)umask(077);
	if (mkdir(b->out, 0700) < 0 && errno != EEXIST) {
		return report_failed(b->out, "%s", strerror(errno));
	}
	b->hashes = mem_zalloc(count, sizeof(*b->hashes));
	for (n = 1; n <= count && r == 0; n++) {
		r = batch_one(b, n);
	}
	if (r == 0) {
		printf("%s: %u variants, %u of them made now\n", b->out, b->n_made + b->n_there,
		        b->n_made);
	}
	return r;
}

int cmd_batch(int argc, char **argv)
{
	const char *seed = NULL, *count = NULL;
	const struct args_option options[] = {{"seed", "64 hexadecimal digits", &seed, NULL},
	        {"count", "a number", &count, NULL}, {0}};
	MEM_CLEANUP(batch_fini) struct batch b = {0};
	uint64_t n = 0;
	int n_operands;
	int r = args_parse(argc, argv, options, &n_operands);

	if (r != 0) {
		return r;
	}
	if (!seed || !count || n_operands != 2) {
		return args_wrong("batch needs --count, --seed, a kit and a directory");
	}
	r = args_number("count", count, BATCH_MAX, &n);
	if (r == 0 && n == 0) {
		r = args_wrong("--count: from 1 to %u", BATCH_MAX);
	}
	if (r == 0) {
		r = variant_parse_seed(seed, b.seed);
	}
	if (r == 0) {
		r = kit_read(&b.kit, argv[1], NULL);
	}
	b.out = argv[2];
	return r != 0 ? r : batch_run(&b, (uint32_t)n);
}
