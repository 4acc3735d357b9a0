/*
 * luforge inspect: say what a payload, boot image or kit holds. A file is what its first bytes
 * say; it passes the checker of its format before anything of it is printed. A kit's signature
 * is verified only with --root.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "forge/base/report.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/kit/kit.h"
#include "proto/image/image.h"

/* A line with bytes in hexadecimal, in the order in which they lie in the file. */
static void inspect_hex(const char *what, const uint8_t *bytes, size_t n)
{
	printf("  %-12s ", what);
	while (n-- > 0) {
		printf("%02x", *bytes++);
	}
	printf("\n");
}

/* What a segment takes in memory, what of it comes from the file, and how it is mapped. */
static void inspect_segment(const struct image_segment *s)
{
	printf("  segment      0x%" PRIx64 "  %8" PRIu64 " bytes, %8" PRIu64
	       " from the file  %c%c%c\n",
	        s->vaddr, s->mem_size, s->file_size, s->prot & IMAGE_PROT_READ ? 'r' : '-',
	        s->prot & IMAGE_PROT_WRITE ? 'w' : '-', s->prot & IMAGE_PROT_EXEC ? 'x' : '-');
}

/* Checked as the machine would, so every offset that is printed is inside it. */
static int inspect_payload(const char *path, const struct buf *b)
{
	const struct image_header *h;
	struct image_view view;
	enum image_error error;
	uint32_t i;

	error = image_check(b->bytes, b->len, &view);
	if (error != IMAGE_OK) {
		return report_refuse(path, "bad payload: %s", image_error_text(error));
	}
	h = view.header;
	printf("payload of %s, %" PRIu64 " bytes\n", h->service, h->total_size);
	printf("  window       0x%" PRIx64 " + %" PRIu64 " bytes\n", h->base, h->window_len);
	printf("  entry        0x%" PRIx64 "\n", h->entry);
	inspect_hex("build id", h->build_id, sizeof(h->build_id));
	for (i = 0; i < h->n_segments; i++) {
		inspect_segment(&view.segments[i]);
	}
	printf("  symbols      %u\n", h->n_symbols);
	return 0;
}

/* Lengths of its parts are enough: a payload or a kit is inspected as a file of its own. */
static void inspect_entry(const struct boot_item *item)
{
	const struct boot_entry *e = item->entry;

	printf("  %-8s %-16s generation %" PRIu64 ", floor %" PRIu64 "%s\n",
	        e->kind == BOOT_KIND_SERVICE ? "service" : "blob", e->name, e->generation, e->floor,
	        e->flags & BOOT_KERNEL_LOADED ? ", loaded by the kernel" : "");
	printf("           manifest %zu, state %zu, flat kit %zu, payload %zu, envelope %zu "
	       "bytes\n",
	        item->manifest_len, item->state_len, item->flat_len, item->payload_len,
	        item->envelope_len);
}

/* Settings and entries. The seed of the random source is in the image and is not shown. */
static int inspect_boot(const char *path, const struct buf *b)
{
	struct boot_view view;
	struct boot_item item;
	enum image_error error;
	uint32_t i;

	error = boot_check(b->bytes, b->len, &view);
	if (error != IMAGE_OK) {
		return report_refuse(path, "bad boot image: %s", image_error_text(error));
	}
	printf("boot image, %" PRIu64 " bytes, %u entries\n", view.header->total_size,
	        view.header->n_entries);
	inspect_hex("machine id", view.header->machine_id, sizeof(view.header->machine_id));
	inspect_hex("root hash", view.header->root_hash, sizeof(view.header->root_hash));
	printf("  boot time    %" PRIu64 "\n", view.header->boot_time_unix);
	printf("  command line %s\n", view.header->cmdline);
	for (i = 0; i < view.header->n_entries; i++) {
		boot_entry_get(&view, i, &item);
		inspect_entry(&item);
	}
	return 0;
}

/* Names of a checked manifest end inside their place. */
static void inspect_names(const char *what, const char *names, size_t size, uint32_t n)
{
	uint32_t i;

	printf("  %-12s", what);
	for (i = 0; i < n; i++) {
		printf(" %s", names + i * size);
	}
	printf("%s\n", n ? "" : " none");
}

/* Devices that the service may touch: ports (both ends included), memory, interrupt lines. */
static void inspect_manifest_ranges(const struct kit_manifest *m)
{
	uint32_t i;

	for (i = 0; i < m->n_io; i++) {
		printf("  ports        0x%x-0x%x\n", m->io[i].first, m->io[i].last);
	}
	for (i = 0; i < m->n_mmio; i++) {
		printf("  mmio         0x%" PRIx64 " + %" PRIu64 "\n", m->mmio[i].base,
		        m->mmio[i].len);
	}
	for (i = 0; i < m->n_irqs; i++) {
		printf("  irq          %u\n", m->irqs[i]);
	}
}

/*
 * Everything the release key vouches for, in words: what the service may do, and what becomes of it
 * when it crashes. Hashes are whole, so that they can be compared.
 */
static void inspect_manifest(const struct kit_manifest *m)
{
	static const char *const restart[_KIT_RESTART_N] = {"none", "same", "reset"};

	printf("  release      %u (floor %u), issued %" PRIu64 "\n", m->counter, m->floor,
	        m->issued);
	inspect_hex("source", m->source_id, sizeof(m->source_id));
	inspect_hex("state", m->state_hash, sizeof(m->state_hash));
	inspect_hex("flat kit", m->flat_hash, sizeof(m->flat_hash));
	inspect_hex("files", m->files_hash, sizeof(m->files_hash));
	inspect_hex("call mask", (const uint8_t *)m->call_mask, sizeof(m->call_mask));
	printf("  slots        %u\n", m->n_slots);
	inspect_names("targets", m->targets[0], SERVICE_NAME_SIZE, m->n_targets);
	inspect_names("depends", m->depends[0], SERVICE_NAME_SIZE, m->n_depends);
	inspect_names("metrics", m->metrics[0], KIT_METRIC_NAME_SIZE, m->n_metrics);
	inspect_manifest_ranges(m);
	printf("  rank         %u, priority %u, quantum %u us\n", m->rank, m->priority,
	        m->quantum_usec);
	printf("  restart      %s, at most %u in a row; heartbeat %u ms\n", restart[m->restart],
	        m->restart_limit, m->heartbeat_ms);
	printf("  state        %s\n", m->quiescent);
	printf("  memory       heap %" PRIu64 ", stack %" PRIu64 " bytes\n", m->heap_limit,
	        m->stack_size);
}

/* What variants are made from, and how much each class of it weighs. */
static void inspect_pieces(const struct flat_view *flat)
{
	static const char *const names[_FLAT_CLASS_N] = {"text", "const", "data", "zero"};
	int c;

	printf("  program      %" PRIu64 " bytes, %u relocations, recipe %u\n",
	        flat->header->total_size, flat->header->n_relocs, flat->header->recipe);
	for (c = 0; c < _FLAT_CLASS_N; c++) {
		printf("  pieces       %u of %s, %" PRIu64 " bytes\n",
		        flat->first[c + 1] - flat->first[c], names[c], flat->memory[c]);
	}
}

/*
 * Whole by its own list in any case; signed only where `by` says by whom. Without it, the rights
 * that are printed are those that the kit asks for, and nobody has vouched for them.
 */
static int inspect_kit(const char *path, const struct kit_signed_by *by)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	uint8_t id[TOOL_HASH_SIZE];
	int r;

	r = kit_read(&kit, path, by);
	if (r == 0) {
		r = tool_hash(kit.manifest, sizeof(*kit.manifest), id);
	}
	if (r < 0) {
		return r;
	}
	printf("kit of %s\n", kit.manifest->service);
	inspect_hex("release id", id, sizeof(id));
	inspect_manifest(kit.manifest);
	printf("  description  %zu bytes, %u entries\n", kit.state.len, kit.flat.header->n_symbols);
	inspect_pieces(&kit.flat);
	return 0;
}

/*
 * With --root only a kit can be meant. Otherwise a directory is a kit, and a file what its
 * magic says.
 */
int cmd_inspect(int argc, char **argv)
{
	const char *root_path = NULL;
	BUF_CLEANUP struct buf b = {0}, root = {0};
	struct kit_signed_by by = {.root = &root};
	const struct args_option options[] = {
	        {"root", "file (root.signed)", &root_path, NULL},
	        {"release", "128 hexadecimal digits", &by.release, NULL},
	        {0},
	};
	struct stat st;
	int n_operands, r;

	r = args_parse(argc, argv, options, &n_operands);
	if (r != 0) {
		return r;
	}
	if (n_operands != 1) {
		return args_wrong("inspect needs one file or kit");
	}
	if (by.release && !root_path) {
		return args_wrong("--release needs --root");
	}
	if (root_path) {
		r = kit_read_root(&root, root_path);
		return r < 0 ? r : inspect_kit(argv[1], &by);
	}
	if (stat(argv[1], &st) == 0 && S_ISDIR(st.st_mode)) {
		return inspect_kit(argv[1], NULL);
	}
	r = buf_read_file(&b, argv[1]);
	if (r < 0) {
		return r;
	}
	if (b.len >= 8 && memcmp(b.bytes, IMAGE_MAGIC, 8) == 0) {
		return inspect_payload(argv[1], &b);
	}
	if (b.len >= 8 && memcmp(b.bytes, BOOT_MAGIC, 8) == 0) {
		return inspect_boot(argv[1], &b);
	}
	return report_refuse(argv[1], "neither a payload nor a boot image nor a kit");
}
