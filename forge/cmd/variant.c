/*
 * luforge variant: a pure function of kit, seed and toolchain. The seed is a secret until the
 * variant is retired, so it can come by standard input (`--seed -`), where other processes do
 * not see it. With --root, only the release that was named, as a release key of that root
 * signed it, is made into anything.
 */
#include <stdio.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/kit/kit.h"
#include "forge/layout/layout.h"
#include "forge/link/flat.h"
#include "proto/image/image.h"

/*
 * Draw, link, flatten. base 0: drawn, too. The program with symbols goes to elf_path, for a
 * debugger; it has all addresses of the layout, so it is as secret as the seed. Negative errno,
 * reported.
 */
static int variant_make(const struct kit *kit, const uint8_t seed[DRAW_SEED_SIZE], uint64_t base,
        const char *elf_path, struct buf *ret_payload)
{
	MEM_CLEANUP(layout_fini) struct layout layout = {0};
	MEM_CLEANUP(elf_file_fini) struct elf_file linked = {0};
	int r;

	r = layout_draw(&layout, &kit->order, seed, base);
	if (r == 0) {
		r = kit_link(kit, &layout, &linked);
	}
	if (r < 0) {
		return r;
	}
	r = flat_write(&linked, kit->manifest->service, layout.base, kit->vector, kit->n_vector,
	        ret_payload);
	if (r == 0 && elf_path) {
		r = buf_write_file(&linked.data, elf_path);
	}
	return r;
}

/* "-" reads the seed from standard input, where other processes cannot see it. */
static int variant_parse_seed(const char *text, uint8_t ret_seed[DRAW_SEED_SIZE])
{
	char line[2 * DRAW_SEED_SIZE + 2];

	if (strcmp(text, "-") == 0) {
		if (!fgets(line, sizeof(line), stdin)) {
			return args_wrong("--seed -: nothing on standard input");
		}
		line[strcspn(line, "\n")] = '\0';
		text = line;
	}
	if (draw_seed_parse(text, ret_seed) < 0) {
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
	const char *elf = NULL;
	const char *root_path = NULL;
	BUF_CLEANUP struct buf root = {0};
	struct kit_signed_by by = {.root = &root};
	const struct args_option options[] = {
	        {"kit", "directory", &kit_path, NULL},
	        {"seed", "64 hexadecimal digits", &seed_hex, NULL},
	        {"out", "file", &out, NULL},
	        {"base", "address", &base_text, NULL},
	        {"elf", "file", &elf, NULL},
	        {"root", "file (root.signed)", &root_path, NULL},
	        {"release", "128 hexadecimal digits", &by.release, NULL},
	        {0},
	};
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	BUF_CLEANUP struct buf payload = {0};
	uint8_t seed[DRAW_SEED_SIZE];
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
		r = variant_make(&kit, seed, base, elf, &payload);
	}
	return r != 0 ? r : buf_write_file(&payload, out);
}
