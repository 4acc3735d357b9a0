/*
 * lld as the oracle of our linker. For a kit and a seed our linker is asked for a layout and for
 * the payload; the layout is written down for lld (an order file, a script, pads), which links
 * the objects that the kit was made from; and what lld made, flattened, must be the same bytes,
 * build id and symbol addresses included.
 *
 * So two linkers that have nothing in common have to agree about everything that forge/piece
 * decided (which definition a name stands for, what is alive, what a relaxed instruction looks
 * like) and everything that proto/image placed and relocated. Only *what* a layout is, is taken
 * from our side: order, pads and places of segments.
 *
 * Usage: oracle FIRST-SEED N-SEEDS OBJECTS-ROOT KIT...; the objects of DIR/NAME.kit are in
 * OBJECTS-ROOT/NAME.objects. The first difference is shown with the piece it is in; all seeds of a kit
 * are numbers, so that a failure can be repeated alone.
 */
#include <stdio.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/base/tool.h"
#include "forge/kit/kit.h"
#include "forge/layout/layout.h"
#include "forge/lld/pad.h"
#include "forge/lld/flat.h"
#include "forge/link/link.h"
#include "proto/image/flat.h"
#include "proto/image/image.h"
#include "proto/image/link.h"

/* A kit and what lld needs to link it. */
struct oracle {
	struct kit kit;
	struct buf list; /* text of the objects' names; owned */
	struct buf symbols_text;
	const char **symbols; /* names of the description's entries, in symbols_text; owned */
	size_t n_symbols, symbols_capacity;
	char **paths; /* of the objects, in link order, the pads last; owned, as the strings */
	size_t n_paths, capacity;
	char *work; /* temporary directory; owned */
	uint64_t *scratch;
};

static void oracle_fini(struct oracle *o)
{
	size_t i;

	for (i = 0; i < o->n_paths; i++) {
		free(o->paths[i]);
	}
	free(o->paths);
	free(o->scratch);
	free(o->symbols);
	buf_fini(&o->symbols_text);
	buf_fini(&o->list);
	kit_fini(&o->kit);
	if (o->work) {
		mem_remove_dir(o->work);
		free(o->work);
	}
}

/* The names that lld is asked for: what our linker has as pieces and offsets. */
static int oracle_read_symbols(struct oracle *o, const char *dir)
{
	MEM_FREE char *path = mem_printf("%s/symbols", dir);
	int r = buf_read_file(&o->symbols_text, path);
	char *next = (char *)o->symbols_text.bytes, *line;

	while (r == 0 && (line = strsep(&next, "\n"))) {
		if (*line) {
			MEM_PUSH(o->symbols, o->n_symbols, o->symbols_capacity);
			o->symbols[o->n_symbols++] = line;
		}
	}
	return r;
}

static int oracle_open(struct oracle *o, const char *kit_path, const char *root)
{
	const char *slash = strrchr(kit_path, '/');
	const char *name = slash ? slash + 1 : kit_path;
	MEM_FREE char *dir = mem_printf("%s/%.*s.objects", root, (int)strcspn(name, "."), name);
	MEM_FREE char *list = mem_printf("%s/list", dir);
	char *next, *line;
	int r;

	r = kit_read(&o->kit, kit_path, NULL);
	if (r == 0) {
		r = buf_read_file(&o->list, list);
	}
	next = (char *)o->list.bytes;
	while (r == 0 && (line = strsep(&next, "\n"))) {
		if (*line) {
			MEM_PUSH(o->paths, o->n_paths, o->capacity);
			o->paths[o->n_paths++] = mem_printf("%s/%s", dir, line);
		}
	}
	if (r == 0) {
		r = oracle_read_symbols(o, dir);
	}
	if (r == 0) {
		o->scratch = mem_zalloc(link_scratch_size(&o->kit.flat) / 8 + 1, 8);
		r = mem_temp_dir(&o->work);
	}
	if (r == 0) {
		MEM_PUSH(o->paths, o->n_paths, o->capacity);
		o->paths[o->n_paths++] = mem_printf("%s/pads.o", o->work);
	}
	return r;
}

/* Each class in its order, with the pads that were drawn before, between and behind. */
static void oracle_write_order(const struct flat_view *flat, const struct link_layout *l,
        struct pad_list *pads, struct buf *order)
{
	uint32_t i;
	int c;

	for (c = 0; c < _FLAT_CLASS_N; c++) {
		if (flat->first[c] == flat->first[c + 1]) {
			continue;
		}
		for (i = flat->first[c]; i <= flat->first[c + 1]; i++) {
			buf_printf(order, "lupad.%zu\n",
			        pad_list_add(pads, (enum flat_class)c, l->pad[i + c]));
			if (i < flat->first[c + 1]) {
				buf_printf(order, "lu.piece.%u\n", l->order[i]);
			}
		}
	}
}

/*
 * Segments where the layout has them. Zeroed data gets an address, because lld would align the
 * beginning of an output section to the largest alignment in it.
 */
static void oracle_write_script(const struct link_layout *l, struct buf *text)
{
	static const char *const sections[_LINK_SEGMENT_N] = {
	        [LINK_TEXT] = "  .text : { *(.text .text.*) } :text =0xcccccccc\n",
	        [LINK_CONST] = "  .rodata : { *(.rodata .rodata.* .data.rel.ro .data.rel.ro.*) } "
	                       ":rodata\n",
	        [LINK_DATA] = "  .data : { *(" LAYOUT_DATA_PATTERN ") } :data\n"
	                      "  .bss . : { *(.bss .bss.* COMMON) } :data\n",
	};
	uint32_t i;

	buf_printf(text, LAYOUT_HEAD);
	for (i = 0; i < l->n_segments; i++) {
		buf_printf(text, "  . = 0x%llx;\n%s", (unsigned long long)l->segment[i].vaddr,
		        sections[l->kind[i]]);
	}
	buf_printf(text, "  /DISCARD/ : { *(.eh_frame .eh_frame.* .eh_frame_hdr .comment .note"
	                 " .note.* .got .got.plt) }\n}\n");
}

/* What lld makes of the layout. */
static int oracle_link(const struct oracle *o, const struct link_layout *l, struct buf *ret_payload)
{
	MEM_CLEANUP(pad_list_fini) struct pad_list pads = {0};
	MEM_CLEANUP(elf_file_fini) struct elf_file linked = {0};
	BUF_CLEANUP struct buf order = {0}, script = {0}, object = {0};
	const struct link_job job = {.work_dir = o->work,
	        .objects = (const char *const *)o->paths,
	        .n_objects = o->n_paths,
	        .script = &script,
	        .order = &order};
	int r;

	oracle_write_order(&o->kit.flat, l, &pads, &order);
	oracle_write_script(l, &script);
	pad_list_write(&pads, &object);
	r = buf_write_file(&object, o->paths[o->n_paths - 1]);
	if (r == 0) {
		r = link_run(&job, &linked);
	}
	return r < 0 ? r
	             : flat_write(&linked, o->kit.manifest->service, l->base, o->symbols,
	                       o->n_symbols, ret_payload);
}

/* The name of a piece is a line of the kit's file `names`. */
static void oracle_print_piece(const struct oracle *o, uint32_t piece)
{
	size_t len;
	const char *line = (const char *)kit_dir_file(&o->kit.dir, "names", &len);

	for (; piece > 0 && line; piece--) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	fprintf(stderr, " %.*s", line ? (int)strcspn(line, "\n") : 1, line ? line : "?");
}

/* The piece at an address, or the last one before it. */
static void oracle_print_address(
        const struct oracle *o, const struct link_layout *l, uint64_t address)
{
	uint32_t i, best = FLAT_NO_PIECE;

	for (i = 0; i < o->kit.flat.n_pieces; i++) {
		if (l->address[i] <= address &&
		        (best == FLAT_NO_PIECE || l->address[i] > l->address[best])) {
			best = i;
		}
	}
	fprintf(stderr, "address 0x%llx", (unsigned long long)address);
	if (best != FLAT_NO_PIECE) {
		fprintf(stderr, ", %llu bytes behind the start of piece %u (%u bytes)",
		        (unsigned long long)(address - l->address[best]), best,
		        o->kit.flat.pieces[best].size);
		oracle_print_piece(o, best);
	}
}

/* Where in the payload the byte is. */
static void oracle_print_place(const struct oracle *o, const struct link_layout *l, size_t at)
{
	const size_t symbols =
	        sizeof(struct image_header) + l->n_segments * sizeof(struct image_segment);
	uint32_t i;

	for (i = 0; i < l->n_segments; i++) {
		const struct image_segment *s = &l->segment[i];

		if (at >= s->file_off && at - s->file_off < s->file_size) {
			oracle_print_address(o, l, s->vaddr + (at - s->file_off));
			return;
		}
	}
	if (at >= symbols && (at - symbols) / 8 < o->n_symbols) {
		fprintf(stderr, "address of symbol %s", o->symbols[(at - symbols) / 8]);
	} else {
		fprintf(stderr, "header or table");
	}
}

/* The build id is a hash of all the rest: it is looked at last. */
static bool oracle_compare(const struct oracle *o, const struct link_layout *l,
        const struct buf *ours, const struct buf *theirs)
{
	const size_t id = offsetof(struct image_header, build_id);
	const size_t id_end = id + sizeof(((struct image_header *)0)->build_id);
	const size_t n = ours->len < theirs->len ? ours->len : theirs->len;
	size_t i, shown = 0;

	if (ours->len == theirs->len && memcmp(ours->bytes, theirs->bytes, n) == 0) {
		return true;
	}
	fprintf(stderr, "%s: %zu bytes by our linker, %zu by lld\n", o->kit.path, ours->len,
	        theirs->len);
	for (i = 0; i < n && shown < 5; i++) {
		if (ours->bytes[i] != theirs->bytes[i] && (i < id || i >= id_end)) {
			fprintf(stderr, "  at %zu ours %02x, lld's %02x: ", i, ours->bytes[i],
			        theirs->bytes[i]);
			oracle_print_place(o, l, i);
			fprintf(stderr, "\n");
			shown++;
		}
	}
	return false;
}

/* One variant by both. */
static bool oracle_try(struct oracle *o, uint64_t number)
{
	MEM_FREE char *label = mem_printf("oracle %llu", (unsigned long long)number);
	uint8_t hash[TOOL_HASH_SIZE];
	const struct link_request q = {.seed = hash, .release_id = o->kit.release_id};
	BUF_CLEANUP struct buf ours = {0}, theirs = {0};
	struct link_layout l;
	enum link_error error;

	if (tool_hash(label, strlen(label), hash) < 0) {
		return false;
	}
	error = link_place(&o->kit.flat, &q, o->scratch, link_scratch_size(&o->kit.flat), &l);
	if (error == LINK_OK) {
		buf_add_zero(&ours, l.payload_size);
		error = link_payload_write(&o->kit.flat, &l, ours.bytes);
	}
	if (error != LINK_OK) {
		(void)report_failed(o->kit.path, "our linker: %s", link_error_text(error));
		return false;
	}
	return oracle_link(o, &l, &theirs) == 0 && oracle_compare(o, &l, &ours, &theirs);
}

int main(int argc, char **argv)
{
	const uint64_t first = argc > 3 ? strtoull(argv[1], NULL, 0) : 0;
	const uint64_t n = argc > 3 ? strtoull(argv[2], NULL, 0) : 0;
	uint64_t seed;
	int i;

	if (argc < 5 || n == 0) {
		fprintf(stderr, "usage: oracle FIRST-SEED N-SEEDS OBJECTS-ROOT KIT...\n");
		return 2;
	}
	for (i = 4; i < argc; i++) {
		MEM_CLEANUP(oracle_fini) struct oracle o = {0};

		if (oracle_open(&o, argv[i], argv[3]) < 0) {
			return 1;
		}
		for (seed = first; seed < first + n; seed++) {
			if (!oracle_try(&o, seed)) {
				fprintf(stderr, "failed; again: oracle %llu 1 %s %s\n",
				        (unsigned long long)seed, argv[3], argv[i]);
				printf("not ok %s\n", argv[i]);
				return 1;
			}
		}
		printf("ok %s: %llu layouts\n", argv[i], (unsigned long long)n);
	}
	return 0;
}
