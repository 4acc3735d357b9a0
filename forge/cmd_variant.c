/* luforge variant: a pure function of kit, seed and toolchain. */
#include <stdio.h>
#include <string.h>

#include "forge/args.h"
#include "forge/cmd.h"
#include "forge/flat.h"
#include "forge/kit.h"
#include "forge/layout.h"
#include "forge/link.h"
#include "forge/report.h"
#include "proto/image/image.h"

static int variant_link(
        const struct kit *kit, const struct layout *layout, struct elf_file *ret_linked)
{
	MEM_FREE char *work = NULL;
	MEM_FREE char **paths = mem_zalloc(kit->n_objects, sizeof(*paths));
	struct link_job job = {.objects = (const char *const *)paths,
	        .n_objects = kit->n_objects,
	        .layout = layout};
	size_t i;
	int r;

	r = mem_temp_dir(&work);
	if (r < 0) {
		return r;
	}
	for (i = 0; i < kit->n_objects; i++) {
		paths[i] = mem_printf("%s/%s", kit->path, kit->objects[i]);
	}
	job.work_dir = work;
	r = link_run(&job, ret_linked);
	for (i = 0; i < kit->n_objects; i++) {
		free(paths[i]);
	}
	mem_remove_dir(work);
	return r;
}

static int variant_make(const struct kit *kit, const uint8_t seed[DRAW_SEED_SIZE], uint64_t base,
        struct buf *ret_payload)
{
	MEM_CLEANUP(layout_fini) struct layout layout = {0};
	MEM_CLEANUP(elf_file_fini) struct elf_file linked = {0};
	int r;

	r = layout_draw(&layout, &kit->order, seed, base);
	if (r == 0) {
		r = variant_link(kit, &layout, &linked);
	}
	if (r < 0) {
		return r;
	}
	return flat_write(&linked, kit->manifest->service, layout.base, kit->vector, kit->n_vector,
	        ret_payload);
}

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

int cmd_variant(int argc, char **argv)
{
	const char *kit_path = NULL, *seed_hex = NULL, *out = NULL, *base_text = NULL;
	const struct args_option options[] = {
	        {"kit", "directory", &kit_path, NULL},
	        {"seed", "64 hexadecimal digits", &seed_hex, NULL},
	        {"out", "file", &out, NULL},
	        {"base", "address", &base_text, NULL},
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
	if (draw_seed_parse(seed_hex, seed) < 0) {
		return args_wrong("--seed: not 64 hexadecimal digits");
	}
	r = base_text ? variant_parse_base(base_text, &base) : 0;
	if (r == 0) {
		r = kit_read(&kit, kit_path);
	}
	if (r == 0) {
		r = variant_make(&kit, seed, base, &payload);
	}
	return r != 0 ? r : buf_write_file(&payload, out);
}
