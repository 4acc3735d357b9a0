/*
 * luforge-compare, which `luforge compare` becomes: what somebody who knows one layout of a
 * release knows of another. Operands are payloads, or with --seeds what they are made from.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/base/tool.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/effect/compare.h"
#include "forge/kit/kit.h"
#include "host/text/hex.h"
#include "proto/image/link.h"

/* The payload of a seed, in memory: nothing of it is written to disk. */
static int compare_link(const struct kit *kit, const char *hex, struct buf *ret_payload)
{
	uint8_t seed[LINK_SEED_SIZE];
	const struct link_request q = {.seed = seed, .release_id = kit->release_id};
	const size_t size = link_scratch_size(&kit->flat);
	MEM_FREE void *scratch = mem_zalloc(size, 1);
	struct link_layout layout;
	enum link_error error;

	if (!hex_read(hex, seed, sizeof(seed))) {
		return args_wrong("--seeds: '%s' is not 64 hexadecimal digits", hex);
	}
	error = link_place(&kit->flat, &q, scratch, size, &layout);
	if (error == LINK_OK) {
		buf_add_zero(ret_payload, layout.payload_size);
		error = link_payload_write(&kit->flat, &layout, ret_payload->bytes);
	}
	return error == LINK_OK ? 0 : report_refuse(kit->path, "%s", link_error_text(error));
}

/* One side. Payloads are checked as the machine would check them. */
static int compare_open(const struct kit *kit, const char *what, bool is_seed,
        struct buf *ret_bytes, struct compare_side *ret_side)
{
	enum image_error error;
	int r = is_seed ? compare_link(kit, what, ret_bytes) : buf_read_file(ret_bytes, what);

	if (r != 0) {
		return r;
	}
	ret_side->where = what;
	error = image_check(ret_bytes->bytes, ret_bytes->len, &ret_side->payload);
	return error == IMAGE_OK ? 0
	                         : report_refuse(what, "bad payload: %s", image_error_text(error));
}

/* What is counted, of how many: one table for text and JSON. */
struct compare_row {
	const char *name, *unit, *what;
	double value;
	uint32_t of; /* 0: the value says it */
};

#define COMPARE_N_ROWS 9u

static void compare_rows(
        const struct compare_result *c, struct compare_row ret_rows[COMPARE_N_ROWS])
{
	const struct compare_row rows[COMPARE_N_ROWS] = {
	        {"pieces.kept.address", "pieces", "at the same address", c->kept_address,
	                c->pieces},
	        {"pieces.kept.base", "pieces", "as far from the base", c->kept_base, c->pieces},
	        {"pieces.kept.before", "pieces", "as far from the piece before", c->kept_before,
	                c->pieces},
	        {"returns.kept.address", "return addresses", "at the same address",
	                c->returns_address, c->returns},
	        {"returns.kept.base", "return addresses", "as far from the base", c->returns_base,
	                c->returns},
	        {"gadgets.same", "gadgets", "with the same bytes, wherever they are", c->same_bytes,
	                c->gadgets},
	        {"gadgets.known.none", "%", "of gadgets known without a leak", c->known_none, 0},
	        {"gadgets.known", "%", "after one leaked code pointer, mean; aim 2", c->known_mean,
	                0},
	        {"gadgets.known.worst", "%", "after one leaked code pointer, worst piece",
	                c->known_worst, 0},
	};

	memcpy(ret_rows, rows, sizeof(rows));
}

static void compare_print(const struct compare_result *c, const char *worst)
{
	struct compare_row rows[COMPARE_N_ROWS];
	unsigned int i;

	compare_rows(c, rows);
	for (i = 0; i < COMPARE_N_ROWS; i++) {
		if (rows[i].of > 0) {
			printf("%-22s %8.0f of %u %s %s\n", rows[i].name, rows[i].value, rows[i].of,
			        rows[i].unit, rows[i].what);
		} else {
			printf("%-22s %8.3f %s %s%s%s\n", rows[i].name, rows[i].value, rows[i].unit,
			        rows[i].what, i + 1 == COMPARE_N_ROWS ? ": " : "",
			        i + 1 == COMPARE_N_ROWS ? worst : "");
		}
	}
	if (c->unplaced > 0) {
		printf("%u pieces that nothing leads to are not in these figures\n", c->unplaced);
	}
}

/* Who records the figures must know of which payloads they are: their hashes, as they are signed. */
static int compare_json_payloads(const struct buf *const sides[2], json_t **ret_list)
{
	uint8_t hash[TOOL_HASH_SIZE];
	char text[2 * TOOL_HASH_SIZE + 1];
	json_t *list = json_array();
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++) {
		r = tool_hash(sides[i]->bytes, sides[i]->len, hash);
		args_hex(hash, text);
		(void)json_array_append_new(list, json_string(text));
	}
	*ret_list = list;
	return r;
}

static int compare_print_json(const struct kit *kit, const struct buf *const sides[2],
        const struct compare_result *c, const char *worst)
{
	struct compare_row rows[COMPARE_N_ROWS];
	json_t *list = json_array(), *payloads, *out;
	char release[2 * TOOL_HASH_SIZE + 1];
	unsigned int i;
	int r = compare_json_payloads(sides, &payloads);

	args_hex(kit->release_id, release);
	compare_rows(c, rows);
	for (i = 0; i < COMPARE_N_ROWS; i++) {
		out = json_pack("{ss sf ss ss ss}", "name", rows[i].name, "value", rows[i].value,
		        "unit", rows[i].unit, "better", "lower", "note", rows[i].what);
		if (strcmp(rows[i].unit, "%") != 0) {
			(void)json_object_set_new(out, "of", json_integer(rows[i].of));
		}
		(void)json_array_append_new(list, out);
	}
	out = json_pack("{si ss ss so si ss so}", "format", 1, "service", kit->manifest->service,
	        "release_id", release, "payloads", payloads, "unplaced", (int)c->unplaced, "worst",
	        worst, "rows", list);
	if (r == 0) {
		(void)json_dumpf(out, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		(void)putchar('\n');
	}
	json_decref(out);
	return r;
}

static int compare_show(const char *kit_path, char *const operands[2], bool is_seeds, bool is_json)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	BUF_CLEANUP struct buf first = {0}, second = {0};
	struct compare_side sides[2];
	struct compare_result result;
	int r = kit_read(&kit, kit_path, NULL);

	if (r == 0) {
		r = compare_open(&kit, operands[0], is_seeds, &first, &sides[0]);
	}
	if (r == 0) {
		r = compare_open(&kit, operands[1], is_seeds, &second, &sides[1]);
	}
	if (r == 0) {
		r = compare_sides(&kit.flat, sides, &result);
	}
	if (r != 0) {
		return r;
	}
	MEM_FREE char *worst = kit_piece_name(&kit, result.worst_piece);

	if (is_json) {
		return compare_print_json(
		        &kit, (const struct buf *const[]){&first, &second}, &result, worst);
	}
	compare_print(&result, worst);
	return 0;
}

int cmd_compare_layouts(int argc, char **argv)
{
	const char *kit = NULL;
	const struct args_option options[] = {{"kit", "directory", &kit, NULL}, {0}};
	const bool is_json = args_take_flag(&argc, argv, "--json");
	const bool is_seeds = args_take_flag(&argc, argv, "--seeds");
	int n_operands;
	int r = args_parse(argc, argv, options, &n_operands);

	if (r != 0) {
		return r;
	}
	if (!kit || n_operands != 2) {
		return args_wrong("compare needs --kit and two payloads, or --seeds and two seeds");
	}
	return compare_show(kit, argv + 1, is_seeds, is_json);
}
