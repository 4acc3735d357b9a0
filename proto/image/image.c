/*
 * Checking flat payloads.
 *
 * The idea: look at every field once, in an order in which each check only leans
 * on earlier ones, and compare with subtraction on the side that is known to be
 * larger, so that no sum of two untrusted numbers is ever formed.
 *
 * Does not verify build_id: whoever cares about integrity has a signature.
 */
#include "proto/image/image.h"
#include "proto/image/priv.h"

bool image_is_zero(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] != 0) {
			return false;
		}
	}
	return true;
}

bool image_magic_is(const char magic[8], const char *want)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		if (magic[i] != want[i]) {
			return false;
		}
	}
	return true;
}

static bool image_name_char(char c, const char *extra)
{
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_') {
		return true;
	}
	for (; *extra != '\0'; extra++) {
		if (c == *extra) {
			return true;
		}
	}
	return false;
}

bool image_name_is_good(const char name[IMAGE_NAME_SIZE], const char *extra)
{
	unsigned int i;

	for (i = 0; i < IMAGE_NAME_SIZE && name[i] != '\0'; i++) {
		if (!image_name_char(name[i], extra)) {
			return false;
		}
	}
	return i > 0 && i < IMAGE_NAME_SIZE && image_is_zero(name + i, IMAGE_NAME_SIZE - i);
}

bool image_range_is_inside(uint64_t off, uint64_t len, uint64_t start, uint64_t end)
{
	return off >= start && off <= end && len <= end - off;
}

static bool image_page_aligned(uint64_t v)
{
	return v % IMAGE_PAGE == 0;
}

static enum image_error image_check_header(const struct image_header *h, size_t len)
{
	if (!image_magic_is(h->magic, IMAGE_MAGIC)) {
		return IMAGE_E_MAGIC;
	}
	if (h->version != IMAGE_VERSION || h->header_size != sizeof(*h)) {
		return IMAGE_E_VERSION;
	}
	if (h->total_size != len) {
		return IMAGE_E_SHORT;
	}
	if (!image_name_is_good(h->service, "")) {
		return IMAGE_E_NAME;
	}
	if (h->base % IMAGE_WINDOW_ALIGN != 0 || h->base < IMAGE_BASE_MIN ||
	        h->base >= IMAGE_BASE_END) {
		return IMAGE_E_WINDOW;
	}
	if (h->window_len == 0 || h->window_len > IMAGE_WINDOW_MAX ||
	        !image_page_aligned(h->window_len)) {
		return IMAGE_E_WINDOW;
	}
	return IMAGE_OK;
}

static enum image_error image_check_tables(const struct image_header *h, size_t len)
{
	if (h->n_segments == 0 || h->n_segments > IMAGE_SEGMENTS_MAX ||
	        h->n_symbols > IMAGE_SYMBOLS_MAX) {
		return IMAGE_E_COUNT;
	}
	if (h->segments_off % 8 != 0 || h->symbols_off % 8 != 0) {
		return IMAGE_E_TABLE;
	}
	if (!image_range_is_inside(h->segments_off, h->n_segments * sizeof(struct image_segment),
	            sizeof(*h), len)) {
		return IMAGE_E_TABLE;
	}
	if (!image_range_is_inside(
	            h->symbols_off, h->n_symbols * sizeof(uint64_t), sizeof(*h), len)) {
		return IMAGE_E_TABLE;
	}
	return IMAGE_OK;
}

static enum image_error image_check_segment(
        const struct image_header *h, const struct image_segment *s, size_t len)
{
	if (!image_page_aligned(s->vaddr) || !image_page_aligned(s->mem_size) ||
	        !image_page_aligned(s->file_off)) {
		return IMAGE_E_SEGMENT;
	}
	if (s->mem_size == 0 || s->file_size > s->mem_size) {
		return IMAGE_E_SEGMENT;
	}
	if (!image_range_is_inside(s->vaddr, s->mem_size, h->base, h->base + h->window_len)) {
		return IMAGE_E_SEGMENT;
	}
	if (!image_range_is_inside(s->file_off, s->file_size, sizeof(*h), len)) {
		return IMAGE_E_SEGMENT;
	}
	if (s->prot > 7 || (s->prot & IMAGE_PROT_READ) == 0 ||
	        ((s->prot & IMAGE_PROT_WRITE) && (s->prot & IMAGE_PROT_EXEC))) {
		return IMAGE_E_PROT;
	}
	return s->reserved == 0 ? IMAGE_OK : IMAGE_E_RESERVED;
}

static enum image_error image_check_segments(const struct image_view *v, size_t len)
{
	uint64_t free_from = v->header->base;
	enum image_error r;
	uint32_t i;

	for (i = 0; i < v->header->n_segments; i++) {
		r = image_check_segment(v->header, &v->segments[i], len);
		if (r != IMAGE_OK) {
			return r;
		}
		if (v->segments[i].vaddr < free_from) {
			return IMAGE_E_ORDER;
		}
		free_from = v->segments[i].vaddr + v->segments[i].mem_size;
	}
	return IMAGE_OK;
}

static bool image_entry_is_good(const struct image_view *v)
{
	const struct image_segment *s;
	uint32_t i;

	for (i = 0; i < v->header->n_segments; i++) {
		s = &v->segments[i];
		if ((s->prot & IMAGE_PROT_EXEC) && v->header->entry >= s->vaddr &&
		        v->header->entry - s->vaddr < s->file_size) {
			return true;
		}
	}
	return false;
}

/* One past the end of a segment is allowed: an empty object may lie there. */
static bool image_symbol_is_good(const struct image_view *v, uint64_t addr)
{
	const struct image_segment *s;
	uint32_t i;

	if (addr == 0) {
		return true;
	}
	for (i = 0; i < v->header->n_segments; i++) {
		s = &v->segments[i];
		if (addr >= s->vaddr && addr - s->vaddr <= s->mem_size) {
			return true;
		}
	}
	return false;
}

static enum image_error image_check_symbols(const struct image_view *v)
{
	uint32_t i;

	for (i = 0; i < v->header->n_symbols; i++) {
		if (!image_symbol_is_good(v, v->symbols[i])) {
			return IMAGE_E_SYMBOL;
		}
	}
	return IMAGE_OK;
}

static enum image_error image_check_content(const struct image_view *v, size_t len)
{
	enum image_error r = image_check_segments(v, len);

	if (r != IMAGE_OK) {
		return r;
	}
	if (!image_entry_is_good(v)) {
		return IMAGE_E_ENTRY;
	}
	return image_check_symbols(v);
}

enum image_error image_check(const void *bytes, size_t len, struct image_view *ret_view)
{
	struct image_view v = {.header = bytes, .bytes = bytes};
	enum image_error r;

	if ((uintptr_t)bytes % 8 != 0) {
		return IMAGE_E_ALIGN;
	}
	if (len < sizeof(*v.header)) {
		return IMAGE_E_SHORT;
	}
	r = image_check_header(v.header, len);
	if (r == IMAGE_OK) {
		r = image_check_tables(v.header, len);
	}
	if (r != IMAGE_OK) {
		return r;
	}
	v.segments = (const void *)(v.bytes + v.header->segments_off);
	v.symbols = (const void *)(v.bytes + v.header->symbols_off);
	r = image_check_content(&v, len);
	if (r == IMAGE_OK) {
		*ret_view = v;
	}
	return r;
}

const uint8_t *image_segment_bytes(const struct image_view *view, unsigned int i)
{
	return view->bytes + view->segments[i].file_off;
}

const char *image_error_text(enum image_error error)
{
	static const char *const texts[_IMAGE_E_N] = {
	        [IMAGE_OK] = "no error",
	        [IMAGE_E_ALIGN] = "the buffer is not 8-byte aligned",
	        [IMAGE_E_SHORT] = "the size in the header is not the size of the file",
	        [IMAGE_E_MAGIC] = "the magic number is wrong",
	        [IMAGE_E_VERSION] = "the format version is unknown",
	        [IMAGE_E_NAME] = "a name is empty, unpadded or has forbidden letters",
	        [IMAGE_E_COUNT] = "too few or too many table entries",
	        [IMAGE_E_TABLE] = "a table is unaligned or outside the file",
	        [IMAGE_E_WINDOW] = "the address window is outside the allowed range",
	        [IMAGE_E_SEGMENT] = "a segment is unaligned, empty or out of bounds",
	        [IMAGE_E_ORDER] = "segments overlap or do not rise in address",
	        [IMAGE_E_PROT] = "a segment's protection is not allowed",
	        [IMAGE_E_ENTRY] = "the entry point is not in executable bytes",
	        [IMAGE_E_SYMBOL] = "a symbol address is outside every segment",
	        [IMAGE_E_PART] = "a part of an entry is unaligned, missing or outside the file",
	        [IMAGE_E_KIND] = "an entry has an unknown kind or flag, or is out of order",
	        [IMAGE_E_DUPLICATE] = "two entries have the same name",
	        [IMAGE_E_CMDLINE] = "the command line is not padded printable text",
	        [IMAGE_E_RESERVED] = "a reserved field is not zero",
	};

	return (unsigned int)error < _IMAGE_E_N ? texts[error] : "unknown error";
}
