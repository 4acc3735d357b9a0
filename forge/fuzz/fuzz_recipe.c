/* The recipe of a kit: any text. What is accepted names each object by a path that ends. */
#include "forge/fuzz/fuzz.h"
#include "forge/kit/kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kit kit = {.path = mem_strdup("kit")};

	buf_add(&kit.recipe_text, data, size);
	if (kit_parse_recipe(&kit) == 0) {
		for (size_t i = 0; i < kit.n_objects; i++) {
			fuzz_touch_text(kit.objects[i]);
		}
	}
	kit_fini(&kit);
	return 0;
}
