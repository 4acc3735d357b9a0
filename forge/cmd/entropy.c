/*
 * luforge entropy: how much of a layout is left to guess when one pointer has leaked. The work is
 * done by forge/effect; here it becomes a table, or JSON whose rows have the form of benchmark
 * figures.
 */
#include <jansson.h>
#include <stdio.h>

#include "forge/base/report.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/effect/entropy.h"
#include "forge/kit/kit.h"
#include "proto/image/link.h"

/* One row. Pairs of pieces stand by name, bits of the worst by what so many layouts can show. */
static void entropy_print_row(const struct kit *kit, const struct entropy_row *row)
{
	printf("%-6s %-6s %7.1f", entropy_class_name(row->given), entropy_class_name(row->of),
	        row->theory);
	if (row->is_measured) {
		MEM_FREE char *piece = kit_piece_name(kit, row->piece);
		MEM_FREE char *leak = kit_piece_name(kit, row->leak);

		printf(" %8.1f %s%6.1f %4.0f %6u  %s, given %s", row->mean,
		        row->is_bound ? ">" : " ", row->worst, row->aim, row->n_below, piece, leak);
	}
	printf("\n");
}

static void entropy_print(
        const struct kit *kit, const struct layouts *sample, const struct entropy_table *table)
{
	uint32_t i;

	printf("%s: bits left after one pointer has leaked, in units of the alignment of what is "
	       "looked for\n"
	       "theory beside collision entropy measured over %u layouts of %u pieces\n\n"
	       "given  left   theory     mean   worst  aim  below  worst piece\n",
	        kit->manifest->service, sample->n, kit->flat.n_pieces);
	for (i = 0; i < table->n; i++) {
		entropy_print_row(kit, &table->rows[i]);
	}
	printf("\nbelow: pieces that miss the aim. heap, stack and gate page: drawn by the "
	       "machine, theory only.\n"
	       "forge.size.ratio: payload %.2f, memory %.2f (to a linking without pads)\n",
	        table->payload_ratio, table->memory_ratio);
}

/* A row as benchmarks print them, with what else is known. Its value is the worst piece's. */
static json_t *entropy_json_row(const struct kit *kit, const struct entropy_row *row)
{
	const char *left = entropy_class_name(row->of), *given = entropy_class_name(row->given);
	MEM_FREE char *name = mem_printf("entropy.bits.%s.given.%s", left, given);
	MEM_FREE char *note = NULL;
	json_t *out;

	if (!row->is_measured) {
		return json_pack("{ss ss ss sf ss ss ss sf}", "name", name, "given", given, "left",
		        left, "value", row->theory, "unit", "bits", "better", "higher", "note",
		        "theory", "theory", row->theory);
	}
	MEM_FREE char *piece = kit_piece_name(kit, row->piece);
	MEM_FREE char *leak = kit_piece_name(kit, row->leak);

	note = mem_printf("worst piece; mean %.1f, theory %.1f, aim %.0f: %u below", row->mean,
	        row->theory, row->aim, row->n_below);
	out = json_pack("{ss ss ss sf ss ss ss sf sf sf si sb}", "name", name, "given", given,
	        "left", left, "value", row->worst, "unit", "bits", "better", "higher", "note", note,
	        "theory", row->theory, "mean", row->mean, "aim", row->aim, "below",
	        (int)row->n_below, "bound", (int)row->is_bound);
	(void)json_object_set_new(out, "piece", json_string(piece));
	(void)json_object_set_new(out, "leak", json_string(leak));
	return out;
}

static json_t *entropy_json_ratio(const char *what, double ratio)
{
	MEM_FREE char *name = mem_printf("forge.size.ratio.%s", what);

	return json_pack("{ss sf ss ss ss}", "name", name, "value", ratio, "unit", "ratio",
	        "better", "lower", "note", "to a linking without pads; aim 1.5");
}

static void entropy_print_json(
        const struct kit *kit, const struct layouts *sample, const struct entropy_table *table)
{
	json_t *rows = json_array(), *out;
	char release[129];
	uint32_t i;

	args_hex(kit->release_id, release);
	for (i = 0; i < table->n; i++) {
		(void)json_array_append_new(rows, entropy_json_row(kit, &table->rows[i]));
	}
	(void)json_array_append_new(rows, entropy_json_ratio("payload", table->payload_ratio));
	(void)json_array_append_new(rows, entropy_json_ratio("memory", table->memory_ratio));
	out = json_pack("{si ss ss si ss si si so}", "format", 1, "service", kit->manifest->service,
	        "release_id", release, "recipe", (int)LINK_RECIPE, "estimator", "collision",
	        "variants", (int)sample->n, "pieces", (int)kit->flat.n_pieces, "rows", rows);
	(void)json_dumpf(out, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	(void)putchar('\n');
	json_decref(out);
}

static int entropy_show(const char *path, uint32_t n, bool is_json)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	MEM_CLEANUP(layouts_fini) struct layouts sample = {0};
	MEM_FREE struct entropy_table *table = mem_zalloc(1, sizeof(*table));
	int r = kit_read(&kit, path, NULL);

	if (r == 0) {
		r = layouts_draw(&sample, kit.path, &kit.flat, kit.release_id, n);
	}
	if (r < 0) {
		return r;
	}
	const struct entropy_room room = {
	        .heap_limit = kit.manifest->heap_limit, .stack_size = kit.manifest->stack_size};

	entropy_measure(&sample, &room, table);
	if (is_json) {
		entropy_print_json(&kit, &sample, table);
	} else {
		entropy_print(&kit, &sample, table);
	}
	return 0;
}

int cmd_entropy(int argc, char **argv)
{
	const char *variants = NULL;
	const struct args_option options[] = {{"variants", "a number", &variants, NULL}, {0}};
	const bool is_json = args_take_flag(&argc, argv, "--json");
	uint64_t n = LAYOUTS_DEFAULT;
	int n_operands, r;

	r = args_parse(argc, argv, options, &n_operands);
	if (r == 0 && variants) {
		r = args_number("variants", variants, LAYOUTS_MAX, &n);
	}
	if (r != 0) {
		return r;
	}
	if (n_operands != 1 || n < 2) {
		return args_wrong("entropy needs a kit, and at least two variants");
	}
	return entropy_show(argv[1], (uint32_t)n, is_json);
}
