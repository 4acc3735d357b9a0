/*
 * From a linked program to a flat payload: segments by rising address, then the address of
 * every symbol that the state description has an entry for, in the entries' order. The
 * machine needs no ELF: it maps segments and hands the vector to the transfer.
 *
 *   header | segment table | symbol vector | segment 0 | segment 1 ...     (segments page-aligned)
 *
 * The build id is the start of the hash of the payload with that field zero. image_check(),
 * which the machine runs, is asked last: a layout that breaks a rule is found here. Nothing
 * of ELF is left in the payload: no names, no relocations, no debug data.
 */
#include "forge/lld/flat.h"

#include <stdio.h>
#include <string.h>

#include "forge/base/names.h"
#include "forge/base/report.h"
#include "forge/base/tool.h"
#include "proto/image/image.h"

static uint64_t flat_page_up(uint64_t v)
{
	return (v + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
}

/* ELF's bits have other places than the image's. */
static uint32_t flat_prot(const Elf64_Phdr *p)
{
	return (p->p_flags & PF_R ? IMAGE_PROT_READ : 0) |
	       (p->p_flags & PF_W ? IMAGE_PROT_WRITE : 0) |
	       (p->p_flags & PF_X ? IMAGE_PROT_EXEC : 0);
}

/* Memory is whole pages, the file only what is not zero. */
static int flat_add_segment(const struct elf_file *linked, const Elf64_Phdr *p, struct buf *table)
{
	const struct image_segment s = {
	        .vaddr = p->p_vaddr,
	        .mem_size = flat_page_up(p->p_memsz),
	        .file_size = p->p_filesz,
	        .prot = flat_prot(p),
	};

	if (p->p_offset > linked->data.len || p->p_filesz > linked->data.len - p->p_offset) {
		return report_failed(linked->label, "a segment lies outside the file");
	}
	buf_add(table, &s, sizeof(s));
	return 0;
}

/* Loadable segments that are not empty, in the order of the program headers. */
static int flat_segments(const struct elf_file *linked, struct buf *ret_table)
{
	size_t i;
	int r;

	for (i = 0; i < linked->n_segments; i++) {
		const Elf64_Phdr *p = &linked->segments[i];

		if (p->p_type == PT_TLS) {
			return report_refuse(linked->label,
			        "thread-local storage is not supported; a library needs it");
		}
		if (p->p_type == PT_LOAD && p->p_memsz > 0) {
			r = flat_add_segment(linked, p, ret_table);
			if (r < 0) {
				return r;
			}
		}
	}
	return 0;
}

/* ELF program headers may come in any order; images rise in address. */
static int flat_segment_compare(const void *a, const void *b)
{
	const struct image_segment *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

/* Bytes of the segment at an address; segments do not share one. */
static const uint8_t *flat_source(const struct elf_file *linked, uint64_t vaddr)
{
	size_t i;

	for (i = 0; i < linked->n_segments; i++) {
		if (linked->segments[i].p_type == PT_LOAD && linked->segments[i].p_vaddr == vaddr &&
		        linked->segments[i].p_memsz > 0) {
			return linked->data.bytes + linked->segments[i].p_offset;
		}
	}
	return NULL;
}

/*
 * The vector. A symbol that is missing would shift none of the others, but an update could
 * not find it: refused.
 */
static int flat_addresses(const struct elf_file *linked, const char *const vector[],
        size_t n_vector, struct buf *ret_addresses)
{
	struct names names = {0};
	uint64_t *found;
	size_t i;
	int r = 0;

	for (i = 0; i < linked->n_symbols; i++) {
		if (elf_symbol_section(linked, &linked->symbols[i])) {
			(void)names_add(&names, linked->symbols[i].name, linked->symbols[i].value);
		}
	}
	for (i = 0; i < n_vector && r == 0; i++) {
		found = names_find(&names, vector[i]);
		if (found) {
			buf_add(ret_addresses, found, sizeof(*found));
		} else {
			r = report_refuse(linked->label,
			        "symbol %s of the state description is missing; the kit is "
			        "damaged: make it again",
			        vector[i]);
		}
	}
	names_fini(&names);
	return r;
}

/* Bytes behind file_size up to the page are zero, and part of what is hashed. */
static void flat_copy_segments(
        const struct elf_file *linked, struct image_segment *segments, size_t n, struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		buf_align(out, IMAGE_PAGE);
		segments[i].file_off = out->len;
		buf_add(out, flat_source(linked, segments[i].vaddr), segments[i].file_size);
	}
}

/* The payload's own rules are the last word on what was written. */
static int flat_finish(struct buf *payload)
{
	struct image_header *h = (void *)payload->bytes;
	uint8_t hash[TOOL_HASH_SIZE];
	struct image_view view;
	enum image_error e;
	int r;

	r = tool_hash(payload->bytes, payload->len, hash);
	if (r < 0) {
		return r;
	}
	memcpy(h->build_id, hash, sizeof(h->build_id));
	e = image_check(payload->bytes, payload->len, &view);
	if (e != IMAGE_OK) {
		return report_failed(
		        "payload", "the layout breaks a rule: %s", image_error_text(e));
	}
	return 0;
}

/*
 * *ret_payload is set on success only. `base` is the layout's; every segment must lie in the
 * window above it, which image_check() asks.
 */
int flat_write(const struct elf_file *linked, const char *service, uint64_t base,
        const char *const vector[], size_t n_vector, struct buf *ret_payload)
{
	BUF_CLEANUP struct buf segments = {0}, addresses = {0}, out = {0};
	struct image_header h = {.magic = IMAGE_MAGIC,
	        .version = IMAGE_VERSION,
	        .header_size = sizeof(h),
	        .base = base,
	        .entry = linked->header.e_entry};
	struct image_segment *table;
	int r;

	r = flat_segments(linked, &segments);
	if (r == 0) {
		r = flat_addresses(linked, vector, n_vector, &addresses);
	}
	if (r < 0) {
		return r;
	}
	table = (void *)segments.bytes;
	h.n_segments = (uint32_t)(segments.len / sizeof(*table));
	h.n_symbols = (uint32_t)n_vector;
	if (h.n_segments == 0) {
		return report_refuse(linked->label, "the program is empty");
	}
	qsort(table, h.n_segments, sizeof(*table), flat_segment_compare);
	h.segments_off = sizeof(h);
	h.symbols_off = h.segments_off + segments.len;
	h.window_len = table[h.n_segments - 1].vaddr + table[h.n_segments - 1].mem_size - base;
	(void)snprintf(h.service, sizeof(h.service), "%s", service);
	buf_add_zero(&out, h.symbols_off);
	buf_add(&out, addresses.bytes, addresses.len);
	flat_copy_segments(linked, table, h.n_segments, &out);
	h.total_size = out.len;
	memcpy(out.bytes, &h, sizeof(h));
	memcpy(out.bytes + h.segments_off, table, segments.len);
	r = flat_finish(&out);
	if (r == 0) {
		*ret_payload = out;
		out = (struct buf){0};
	}
	return r;
}
