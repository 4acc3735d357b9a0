/*
 * luforge variant: a pure function of kit and seed, made in memory by our own linker. The seed is
 * a secret until the variant is retired, so it can come by standard input (`--seed -`), where
 * other processes do not see it. With --root, only the release that was named, as a release key
 * of that root signed it, is made into anything.
 */
#include "forge/cmd/variant.h"

#include <stdio.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "host/text/hex.h"
#include "proto/image/image.h"

/* A piece, for the map. */
struct variant_row {
	uint64_t address;
	uint32_t size;
	const char *name; /* a line of the kit's names, up to its end */
};

static int variant_compare_row(const void *a, const void *b)
{
	const struct variant_row *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* Line i of the kit's names is the name of piece i; a kit with fewer lines is damaged. */
static int variant_read_names(const struct kit *kit, struct variant_row *rows)
{
	size_t len;
	const char *line = (const char *)kit_dir_file(&kit->dir, "names", &len);
	uint32_t i;

	for (i = 0; i < kit->flat.n_pieces; i++) {
		rows[i].name = line;
		line = strchr(line, '\n');
		if (!line) {
			return report_refuse(kit->path,
			        "the file 'names' has no line for each piece; make the kit again");
		}
		line++;
	}
	return 0;
}

/*
 * Where every piece lies, for a debugger: a line ADDRESS SIZE NAME each, by address. It is as
 * secret as the seed.
 */
static int variant_write_map(
        const struct kit *kit, const struct link_layout *layout, const char *path)
{
	const uint32_t n = kit->flat.n_pieces;
	MEM_FREE struct variant_row *rows = mem_zalloc(n, sizeof(*rows));
	BUF_CLEANUP struct buf text = {0};
	uint32_t i;
	int r = variant_read_names(kit, rows);

	if (r < 0) {
		return r;
	}
	for (i = 0; i < n; i++) {
		rows[i].address = layout->address[i];
		rows[i].size = kit->flat.pieces[i].size;
	}
	qsort(rows, n, sizeof(*rows), variant_compare_row);
	for (i = 0; i < n; i++) {
		buf_printf(&text, "%016llx %u %.*s\n", (unsigned long long)rows[i].address,
		        rows[i].size, (int)strcspn(rows[i].name, "\n"), rows[i].name);
	}
	return buf_write_file(&text, path);
}

/*
 * Place and write; base 0: drawn. Everything is a function of kit and seed. What our own linker
 * finds wrong is about the kit or the base, but for the cryptographic library. What it made is
 * checked by the rules that the machine has.
 */
int variant_make(const struct kit *kit, const uint8_t seed[LINK_SEED_SIZE], uint64_t base,
        const char *map_path, struct buf *ret_payload)
{
	const struct link_request q = {
	        .seed = seed, .release_id = kit->release_id, .fixed_base = base};
	const size_t size = link_scratch_size(&kit->flat);
	MEM_FREE void *scratch = mem_zalloc(size, 1);
	struct link_layout layout;
	struct image_view view;
	enum link_error error;
	enum image_error wrong;

	error = link_place(&kit->flat, &q, scratch, size, &layout);
	if (error == LINK_OK) {
		buf_add_zero(ret_payload, layout.payload_size);
		error = link_payload_write(&kit->flat, &layout, ret_payload->bytes);
	}
	if (error == LINK_E_CIPHER) {
		return report_failed("OpenSSL", "%s", link_error_text(error));
	}
	if (error != LINK_OK) {
		return report_refuse(kit->path, "%s", link_error_text(error));
	}
	wrong = image_check(ret_payload->bytes, ret_payload->len, &view);
	if (wrong != IMAGE_OK) {
		return report_failed(
		        kit->path, "the layout breaks a rule: %s", image_error_text(wrong));
	}
	return map_path ? variant_write_map(kit, &layout, map_path) : 0;
}

/* "-" reads the seed from standard input, where other processes cannot see it. */
int variant_parse_seed(const char *text, uint8_t ret_seed[LINK_SEED_SIZE])
{
	char line[2 * LINK_SEED_SIZE + 2];

	if (strcmp(text, "-") == 0) {
		if (!fgets(line, sizeof(line), stdin)) {
			return args_wrong("--seed -: nothing on standard input");
		}
		line[strcspn(line, "\n")] = '\0';
		text = line;
	}
	if (!hex_read(text, ret_seed, LINK_SEED_SIZE)) {
		return args_wrong("--seed: not 64 hexadecimal digits");
	}
	return 0;
}

/*
 * A base that the machine would take; it is drawn from the same range. Fixing it is for tests and
 * debuggers: everything else of the layout is still drawn. 0, or FORGE_USAGE.
 */
static int variant_parse_base(const char *text, uint64_t *ret_base)
{
	int r = args_number("base", text, UINT64_MAX, ret_base);

	if (r == 0 && (*ret_base % IMAGE_WINDOW_ALIGN != 0 || *ret_base < IMAGE_BASE_MIN ||
	                      *ret_base >= IMAGE_BASE_END)) {
		return args_wrong("--base: must be 2 MiB aligned, in [0x%llx, 0x%llx)",
		        (unsigned long long)IMAGE_BASE_MIN, (unsigned long long)IMAGE_BASE_END);
	}
	return r;
}

/*
 * A release can be demanded only under a root: an id alone says nothing about who made the
 * bytes.
 */
int cmd_variant(int argc, char **argv)
{
	const char *kit_path = NULL, *seed_hex = NULL, *out = NULL, *base_text = NULL;
	const char *map = NULL;
	const char *root_path = NULL;
	BUF_CLEANUP struct buf root = {0};
	struct kit_signed_by by = {.root = &root};
	const struct args_option options[] = {
	        {"kit", "directory", &kit_path, NULL},
	        {"seed", "64 hexadecimal digits", &seed_hex, NULL},
	        {"out", "file", &out, NULL},
	        {"base", "address", &base_text, NULL},
	        {"map", "file", &map, NULL},
	        {"root", "file (root.signed)", &root_path, NULL},
	        {"release", "128 hexadecimal digits", &by.release, NULL},
	        {0},
	};
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	BUF_CLEANUP struct buf payload = {0};
	uint8_t seed[LINK_SEED_SIZE];
	uint64_t base = 0;
	int n_operands, r;

	r = args_parse(argc, argv, options, &n_operands);
	if (r != 0) {
		return r;
	}
	if (!kit_path || !seed_hex || !out || n_operands > 0) {
		return args_wrong("variant needs --kit, --seed and --out, nothing else");
	}
	if (by.release && !root_path) {
		return args_wrong("--release needs --root");
	}
	r = variant_parse_seed(seed_hex, seed);
	if (r == 0 && base_text) {
		r = variant_parse_base(base_text, &base);
	}
	if (r == 0 && root_path) {
		r = kit_read_root(&root, root_path);
	}
	if (r == 0) {
		r = kit_read(&kit, kit_path, root_path ? &by : NULL);
	}
	if (r == 0) {
		r = variant_make(&kit, seed, base, map, &payload);
	}
	return r != 0 ? r : buf_write_file(&payload, out);
}
