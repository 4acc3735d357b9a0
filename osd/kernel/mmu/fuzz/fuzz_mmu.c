/* Page tables against a plain map (osd/kernel/mmu/test/model.c): each eight bytes are an operation. */
#include "osd/kernel/mmu/test/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	model_start();
	for (; n >= MODEL_STEP_BYTES; n -= MODEL_STEP_BYTES, data += MODEL_STEP_BYTES) {
		model_step(data);
	}
	model_end();
	return 0;
}
