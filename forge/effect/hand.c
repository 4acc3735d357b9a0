/* Pieces of a class are alike, so that what is true of one can be told of all. */
#undef NDEBUG
#include "forge/effect/hand.h"

#include <assert.h>

#include "proto/image/flat_sample.h"
#include "proto/image/link.h"

void *hand_file(const struct hand *hand, size_t *ret_len)
{
	struct flat_piece pieces[HAND_PIECES_MAX] = {0};
	struct sample_kit kit = {.header = {.magic = FLAT_MAGIC,
	                                 .version = FLAT_VERSION,
	                                 .header_size = sizeof(struct flat_header),
	                                 .service = "hand",
	                                 .recipe = LINK_RECIPE},
	        .pieces = pieces};
	uint32_t n = 0, i;
	int c;

	for (c = 0; c < _FLAT_CLASS_N; c++) {
		kit.header.n_pieces[c] = hand->n[c];
		for (i = 0; i < hand->n[c]; i++) {
			pieces[n++] = (struct flat_piece){
			        .size = hand->size[c], .align_log2 = hand->align_log2[c]};
			kit.n_bytes += c == FLAT_ZERO ? 0 : hand->size[c];
		}
	}
	assert(n <= HAND_PIECES_MAX);
	return sample_file(&kit, ret_len);
}
