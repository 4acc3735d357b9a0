/*
 * Checking boot images and looking into them. Same manner as image.c; runs in
 * the kernel before anything else does, so it also calls nothing outside.
 */
#include "proto/image/image.h"
#include "proto/image/priv.h"

/* Printable ASCII and zeros behind it: the kernel prints it before anything else works. */
static bool boot_cmdline_is_good(const char text[BOOT_CMDLINE_SIZE])
{
	unsigned int i;

	for (i = 0; i < BOOT_CMDLINE_SIZE && text[i] != '\0'; i++) {
		if (text[i] < ' ' || text[i] > '~') {
			return false;
		}
	}
	return i < BOOT_CMDLINE_SIZE && image_is_zero(text + i, BOOT_CMDLINE_SIZE - i);
}

/*
 * A part that is absent has no place; one that is there is page-aligned and between start and
 * end.
 */
static bool boot_part_is_good(const struct boot_part *p, uint64_t start, uint64_t end)
{
	if (p->len == 0) {
		return p->off == 0;
	}
	return p->off % IMAGE_PAGE == 0 && image_range_is_inside(p->off, p->len, start, end);
}

/*
 * Magic, version and size before anything that the version could change; then every offset
 * against the size.
 */
static enum image_error boot_check_header(const struct boot_header *h, size_t len)
{
	if (!image_magic_is(h->magic, BOOT_MAGIC)) {
		return IMAGE_E_MAGIC;
	}
	if (h->version != BOOT_VERSION || h->header_size != sizeof(*h)) {
		return IMAGE_E_VERSION;
	}
	if (h->total_size != len) {
		return IMAGE_E_SHORT;
	}
	if (h->reserved != 0) {
		return IMAGE_E_RESERVED;
	}
	if (h->n_entries > BOOT_ENTRIES_MAX) {
		return IMAGE_E_COUNT;
	}
	if (h->entries_off % 8 != 0 ||
	        !image_range_is_inside(h->entries_off, h->n_entries * sizeof(struct boot_entry),
	                sizeof(*h), len)) {
		return IMAGE_E_TABLE;
	}
	if (!boot_part_is_good(&h->root, sizeof(*h), len) ||
	        !boot_part_is_good(&h->statement, sizeof(*h), len)) {
		return IMAGE_E_PART;
	}
	return boot_cmdline_is_good(h->cmdline) ? IMAGE_OK : IMAGE_E_CMDLINE;
}

static bool boot_parts_are_good(const struct boot_entry *e, size_t len)
{
	const uint64_t start = sizeof(struct boot_header);

	return boot_part_is_good(&e->manifest, start, len) &&
	       boot_part_is_good(&e->state, start, len) &&
	       boot_part_is_good(&e->flat, start, len) &&
	       boot_part_is_good(&e->payload, start, len) &&
	       boot_part_is_good(&e->envelope, start, len);
}

static enum image_error boot_check_entry(const struct boot_entry *e, size_t len)
{
	const bool service = e->kind == BOOT_KIND_SERVICE;

	if (!service && e->kind != BOOT_KIND_BLOB) {
		return IMAGE_E_KIND;
	}
	if ((e->flags & ~(uint32_t)BOOT_KERNEL_LOADED) != 0 || (e->flags != 0 && !service)) {
		return IMAGE_E_KIND;
	}
	if (!image_name_is_good(e->name, service ? "" : "#.-")) {
		return IMAGE_E_NAME;
	}
	if (!boot_parts_are_good(e, len)) {
		return IMAGE_E_PART;
	}
	if (service && (e->payload.len == 0 || e->manifest.len == 0)) {
		return IMAGE_E_PART;
	}
	return IMAGE_OK;
}

static bool boot_name_is_same(const struct boot_entry *a, const struct boot_entry *b)
{
	unsigned int i;

	for (i = 0; i < IMAGE_NAME_SIZE; i++) {
		if (a->name[i] != b->name[i]) {
			return false;
		}
	}
	return true;
}

static bool boot_name_is_taken(const struct boot_entry *entries, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (boot_name_is_same(&entries[i], &entries[n])) {
			return true;
		}
	}
	return false;
}

static enum image_error boot_check_entries(const struct boot_entry *entries, uint32_t n, size_t len)
{
	enum image_error r;
	uint32_t i;

	for (i = 0; i < n; i++) {
		r = boot_check_entry(&entries[i], len);
		if (r != IMAGE_OK) {
			return r;
		}
		if (i > 0 && entries[i].kind < entries[i - 1].kind) {
			return IMAGE_E_KIND;
		}
		if (boot_name_is_taken(entries, i)) {
			return IMAGE_E_DUPLICATE;
		}
	}
	return IMAGE_OK;
}

enum image_error boot_check(const void *bytes, size_t len, struct boot_view *ret_view)
{
	struct boot_view v = {.header = bytes, .bytes = bytes};
	enum image_error r;

	if ((uintptr_t)bytes % 8 != 0) {
		return IMAGE_E_ALIGN;
	}
	if (len < sizeof(*v.header)) {
		return IMAGE_E_SHORT;
	}
	r = boot_check_header(v.header, len);
	if (r != IMAGE_OK) {
		return r;
	}
	v.entries = (const void *)(v.bytes + v.header->entries_off);
	r = boot_check_entries(v.entries, v.header->n_entries, len);
	if (r == IMAGE_OK) {
		*ret_view = v;
	}
	return r;
}

static const uint8_t *boot_part_get(
        const struct boot_view *view, const struct boot_part *part, size_t *ret_len)
{
	*ret_len = part->len;
	return part->len != 0 ? view->bytes + part->off : NULL;
}

void boot_entry_get(const struct boot_view *view, unsigned int i, struct boot_item *ret_item)
{
	const struct boot_entry *e = &view->entries[i];

	ret_item->entry = e;
	ret_item->manifest = boot_part_get(view, &e->manifest, &ret_item->manifest_len);
	ret_item->state = boot_part_get(view, &e->state, &ret_item->state_len);
	ret_item->flat = boot_part_get(view, &e->flat, &ret_item->flat_len);
	ret_item->payload = boot_part_get(view, &e->payload, &ret_item->payload_len);
	ret_item->envelope = boot_part_get(view, &e->envelope, &ret_item->envelope_len);
}

/* Length of the value when `word` is "key=value", else -1. */
static long boot_word_match(const char *word, const char *key, const char **ret_value)
{
	long n = 0;

	while (*key != '\0' && *word == *key) {
		word++;
		key++;
	}
	if (*key != '\0' || *word != '=') {
		return -1;
	}
	*ret_value = word + 1;
	while ((*ret_value)[n] != '\0' && (*ret_value)[n] != ' ') {
		n++;
	}
	return n;
}

const char *boot_cmdline_get(const struct boot_header *header, const char *key, size_t *ret_len)
{
	const char *p = header->cmdline;
	const char *value;
	long n;

	while (*p != '\0') {
		n = boot_word_match(p, key, &value);
		if (n >= 0) {
			*ret_len = (size_t)n;
			return value;
		}
		while (*p != '\0' && *p != ' ') {
			p++;
		}
		while (*p == ' ') {
			p++;
		}
	}
	return NULL;
}
