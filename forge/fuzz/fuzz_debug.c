/*
 * Debug data to types: every variable and function of an ELF file, merged and written as BTF, which
 * our own reader must be able to walk.
 */
#include "forge/debug/info.h"
#include "forge/debug/type_btf.h"
#include "forge/debug/type_graph.h"
#include "forge/fuzz/fuzz.h"

static void types_write(const struct debug_info *info)
{
	struct buf btf = {0}, offsets = {0};
	struct type_graph graph;
	uint32_t node;
	int r = 0;

	type_graph_init(&graph);
	for (size_t i = 0; r == 0 && i < info->n_places; i++) {
		Dwarf_Die die = info->places[i].die;

		fuzz_touch_text(info->places[i].name);
		r = type_graph_add_of(&graph, &die, &node);
		if (r == 0) {
			(void)type_graph_size(&graph, node);
			(void)type_graph_align(&graph, node);
			(void)type_graph_add_tags(&graph, &die);
		}
	}
	if (r == 0) {
		type_graph_merge(&graph);
		if (type_btf_write(&graph, &btf, &offsets) == 0) {
			fuzz_touch(btf.bytes, btf.len);
			fuzz_touch(offsets.bytes, offsets.len);
		}
	}
	buf_fini(&btf);
	buf_fini(&offsets);
	type_graph_fini(&graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf bytes = fuzz_buf(data, size);
	struct debug_info info;
	struct elf_file elf;

	if (elf_file_init(&elf, "fuzz", &bytes) == 0) {
		if (debug_info_init(&info, &elf) == 0) {
			types_write(&info);
			debug_info_fini(&info);
		}
		elf_file_fini(&elf);
	}
	buf_fini(&bytes);
	return 0;
}
