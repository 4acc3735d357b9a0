/*
 * A kit as a linker lays it out that hides nothing: pieces in the order of the kit, which is that of
 * the objects, one behind the other with no more between them than their alignment asks for, and
 * segments page by page. Benchmarks run it beside drawn layouts, to see what those cost; no
 * `luforge` makes one, and no machine takes one but in a boot image.
 *
 * Only places are chosen here. The bytes are written by the linker that writes all payloads, so that
 * nothing but the layout differs.
 *
 * Usage: plain KIT BASE OUT; the base is a multiple of 2 MiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forge/base/mem.h"
#include "forge/base/report.h"
#include "forge/kit/kit.h"
#include "proto/image/flat.h"
#include "proto/image/image.h"
#include "proto/image/link.h"

/* Classes [first, end), of which those before `zero` are in the file. */
static const struct plain_part {
	enum flat_class first, end, zero;
	uint32_t prot;
} plain_parts[_LINK_SEGMENT_N] = {
        [LINK_TEXT] = {FLAT_TEXT, FLAT_CONST, FLAT_CONST, IMAGE_PROT_READ | IMAGE_PROT_EXEC},
        [LINK_CONST] = {FLAT_CONST, FLAT_DATA, FLAT_DATA, IMAGE_PROT_READ},
        [LINK_DATA] = {FLAT_DATA, _FLAT_CLASS_N, FLAT_ZERO, IMAGE_PROT_READ | IMAGE_PROT_WRITE},
};

static uint64_t plain_up(uint64_t at, uint64_t align)
{
	return (at + align - 1) / align * align;
}

/* Place the pieces of a part from `at` on. Return where it ends. */
static uint64_t plain_place(const struct flat_view *kit, enum link_segment kind, uint64_t at,
        uint64_t *address, struct link_layout *l)
{
	const struct plain_part *part = &plain_parts[kind];
	struct image_segment s = {.vaddr = at, .prot = part->prot};
	uint32_t i;

	for (i = kit->first[part->first]; i < kit->first[part->end]; i++) {
		address[i] = plain_up(at, UINT64_C(1) << kit->pieces[i].align_log2);
		at = address[i] + kit->pieces[i].size;
		if (i < kit->first[part->zero]) {
			s.file_size = at - s.vaddr;
		}
	}
	if (at > s.vaddr) {
		at = plain_up(at, IMAGE_PAGE);
		s.mem_size = at - s.vaddr;
		l->kind[l->n_segments] = kind;
		l->segment[l->n_segments++] = s;
	}
	return at;
}

/* Addresses of everything, and where segments stand in a payload. */
static void plain_place_all(
        const struct flat_view *kit, uint64_t base, uint64_t *address, struct link_layout *l)
{
	uint64_t at = base;
	uint32_t i;

	*l = (struct link_layout){.base = base, .address = address};
	for (i = 0; i < _LINK_SEGMENT_N; i++) {
		at = plain_place(kit, (enum link_segment)i, at, address, l);
	}
	l->window_len = at - base;
	l->entry = address[kit->header->entry_piece] + kit->header->entry_offset;
	at = sizeof(struct image_header) + l->n_segments * sizeof(struct image_segment) +
	     kit->header->n_symbols * sizeof(uint64_t);
	for (i = 0; i < l->n_segments; i++) {
		l->segment[i].file_off = plain_up(at, IMAGE_PAGE);
		at = l->segment[i].file_off + l->segment[i].file_size;
	}
	l->payload_size = at;
}

static bool plain_save(const char *path, const struct buf *payload)
{
	FILE *f = fopen(path, "wb");
	bool is_written = f != NULL && fwrite(payload->bytes, 1, payload->len, f) == payload->len;

	return f != NULL && fclose(f) == 0 && is_written;
}

int main(int argc, char **argv)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	BUF_CLEANUP struct buf payload = {0};
	MEM_FREE uint64_t *address = NULL;
	struct image_view image;
	struct link_layout l;

	if (argc != 4) {
		fprintf(stderr, "usage: plain KIT BASE OUT\n");
		return 1;
	}
	if (kit_read(&kit, argv[1], NULL) < 0) {
		return 2;
	}
	address = mem_zalloc(kit.flat.n_pieces, sizeof(*address));
	plain_place_all(&kit.flat, strtoull(argv[2], NULL, 0), address, &l);
	buf_add_zero(&payload, l.payload_size);
	if (link_payload_write(&kit.flat, &l, payload.bytes) != LINK_OK ||
	        image_check(payload.bytes, payload.len, &image) != IMAGE_OK ||
	        !plain_save(argv[3], &payload)) {
		fprintf(stderr, "plain: %s cannot be laid out at %s for %s\n", argv[1], argv[2],
		        argv[3]);
		return 3;
	}
	return 0;
}
