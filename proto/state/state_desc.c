/*
 * The door to a state description: everything but the BTF part is validated here, and found here
 * afterwards. Descriptions are signed with their release, but they are read in machines, on hosts
 * and by luforge before anybody signed, and once with a fuzzer's; so state_desc_check() believes
 * nothing:
 *
 *	header -> parts -> strings -> type index -> BTF (state_btf.c) -> entries -> tags
 *
 * Each step uses only what those before it have checked. Nothing is copied and nothing allocated:
 * the view that comes out points into the file. Everything that the format promises and a search
 * relies on (orders, unique keys) is checked too, so that binary searches cannot miss.
 *
 * After that no function here fails: what is asked for exists, or the answer is that it does not.
 */
#include "proto/state/state_desc.h"

#include <string.h>

#include "proto/state/priv.h"

static const uint32_t desc_part_unit[_STATE_PART_N] = {
        [STATE_PART_BTF] = 1,
        [STATE_PART_TYPES] = sizeof(uint32_t),
        [STATE_PART_ENTRIES] = sizeof(struct state_entry),
        [STATE_PART_TAGS] = sizeof(struct state_tag),
        [STATE_PART_STRINGS] = 1,
};

/* The service's name must end inside its field; the size is the file's, to the byte. */
static bool desc_header_check(const struct state_header *header, size_t size)
{
	return memcmp(header->magic, STATE_MAGIC, sizeof(header->magic)) == 0 &&
	       header->format == STATE_FORMAT && header->header_size == sizeof(*header) &&
	       header->total_size == size && size <= UINT32_MAX &&
	       header->service[STATE_SERVICE_MAX - 1] == 0 && header->zero == 0;
}

/*
 * Parts lie in the order of their kinds, inside the file, do not overlap, and are whole numbers of
 * their units. Written as differences: offsets and sizes are 64 bits wide and may be anything.
 */
static bool desc_parts_check(const struct state_header *header)
{
	uint64_t end = sizeof(*header);

	for (unsigned i = 0; i < _STATE_PART_N; i++) {
		const struct state_part *part = &header->part[i];

		if (part->off < end || part->off % 8 != 0 || part->off > header->total_size ||
		        part->size > header->total_size - part->off ||
		        part->size % desc_part_unit[i] != 0) {
			return false;
		}
		end = part->off + part->size;
	}
	return true;
}

/* Views into the parts; of BTF state_btf_check() makes them. Nothing in them is checked yet. */
static void desc_fill(const uint8_t *bytes, struct state_desc *desc)
{
	const struct state_header *header = (const void *)bytes;
	const struct state_part *part = header->part;

	desc->header = header;
	desc->type_off = (const void *)(bytes + part[STATE_PART_TYPES].off);
	desc->n_types = (uint32_t)(part[STATE_PART_TYPES].size / sizeof(uint32_t));
	desc->entries = (const void *)(bytes + part[STATE_PART_ENTRIES].off);
	desc->n_entries = (uint32_t)(part[STATE_PART_ENTRIES].size / sizeof(*desc->entries));
	desc->tags = (const void *)(bytes + part[STATE_PART_TAGS].off);
	desc->n_tags = (uint32_t)(part[STATE_PART_TAGS].size / sizeof(*desc->tags));
	desc->strings = (const char *)bytes + part[STATE_PART_STRINGS].off;
	desc->strings_size = (uint32_t)part[STATE_PART_STRINGS].size;
}

static bool desc_entry_has_type(const struct state_entry *entry)
{
	return entry->kind == STATE_VARIABLE || entry->kind == STATE_SITE;
}

/*
 * A variable may be larger than its type, as one that ends in a flexible array is; an object of a
 * site is as large as its type. What has no type must not name one.
 */
static bool desc_entry_type_check(const struct state_desc *desc, const struct state_entry *entry)
{
	uint64_t size;

	if (!desc_entry_has_type(entry)) {
		return entry->type == 0;
	}
	if (entry->type == 0 || entry->type >= desc->n_types) {
		return false;
	}
	size = state_type_size(desc, entry->type);
	return size > 0 && entry->size >= size && entry->size <= UINT32_MAX &&
	       (entry->kind != STATE_SITE || entry->size == size);
}

/* The bytes of a string literal must be in the table, its NUL included; a text ends in any case. */
static bool desc_entry_check(const struct state_desc *desc, const struct state_entry *entry)
{
	if (entry->kind >= _STATE_KIND_N || (entry->flags & ~STATE_ENTRY_READONLY) != 0 ||
	        entry->zero != 0 || (entry->align & (entry->align - 1)) != 0 ||
	        entry->unit >= desc->strings_size || entry->scope >= desc->strings_size ||
	        entry->name >= desc->strings_size) {
		return false;
	}
	if (entry->kind == STATE_STRING &&
	        (entry->size == 0 || entry->size > desc->strings_size - entry->name ||
	                desc->strings[entry->name + entry->size - 1] != 0)) {
		return false;
	}
	return desc_entry_type_check(desc, entry);
}

/*
 * Each entry, and that none is before the one in front of it. Equal keys are allowed of literals
 * only: a variant may have several with one text.
 */
static bool desc_entries_check(const struct state_desc *desc)
{
	const struct state_entry *entry = desc->entries;

	for (uint32_t i = 0; i < desc->n_entries; i++) {
		int order;

		if (!desc_entry_check(desc, &entry[i])) {
			return false;
		}
		if (i == 0 || entry[i - 1].kind < entry[i].kind) {
			continue;
		}
		order = state_entry_compare(desc, &entry[i - 1], desc, &entry[i]);
		if (entry[i - 1].kind > entry[i].kind || order > 0 ||
		        (order == 0 && entry[i].kind != STATE_STRING)) {
			return false;
		}
	}
	return desc->header->n_entries == desc->n_entries;
}

/* The order of the tag table: by scope, owner and member. */
static int desc_tag_compare(
        const struct state_tag *tag, uint32_t scope, uint32_t owner, uint32_t member)
{
	if (tag->scope != scope) {
		return tag->scope < scope ? -1 : 1;
	}
	if (tag->owner != owner) {
		return tag->owner < owner ? -1 : 1;
	}
	return tag->member == member ? 0 : tag->member < member ? -1 : 1;
}

/* Does the tag stand on something that exists? */
static bool desc_tag_owner_check(const struct state_desc *desc, const struct state_tag *tag)
{
	if (tag->scope == STATE_TAG_ENTRY) {
		return tag->owner < desc->n_entries && tag->member == STATE_TAG_SELF;
	}
	return tag->scope == STATE_TAG_TYPE && tag->owner > 0 && tag->owner < desc->n_types &&
	       (tag->member == STATE_TAG_SELF || tag->member < state_type_count(desc, tag->owner));
}

/* Owners, texts, the prefix and the order, on which desc_tag_first() relies. */
static bool desc_tags_check(const struct state_desc *desc)
{
	static const char prefix[] = STATE_TAG_PREFIX;
	const struct state_tag *tag = desc->tags;

	for (uint32_t i = 0; i < desc->n_tags; i++) {
		if (!desc_tag_owner_check(desc, &tag[i]) || tag[i].text >= desc->strings_size ||
		        strncmp(desc->strings + tag[i].text, prefix, sizeof(prefix) - 1) != 0) {
			return false;
		}
		if (i > 0 && desc_tag_compare(
		                     &tag[i - 1], tag[i].scope, tag[i].owner, tag[i].member) > 0) {
			return false;
		}
	}
	return true;
}

enum state_desc_error state_desc_check(const void *bytes, size_t size, struct state_desc *ret)
{
	const struct state_header *header = bytes;
	const struct state_part *btf;
	struct state_desc desc = {0};
	enum state_desc_error error;

	if ((uintptr_t)bytes % 8 != 0 || size < sizeof(*header) ||
	        !desc_header_check(header, size)) {
		return STATE_DESC_E_HEADER;
	}
	if (!desc_parts_check(header)) {
		return STATE_DESC_E_PART;
	}
	desc_fill(bytes, &desc);
	if (desc.n_types == 0) {
		return STATE_DESC_E_PART;
	}
	if (desc.strings_size == 0 || desc.strings[0] != 0 ||
	        desc.strings[desc.strings_size - 1] != 0) {
		return STATE_DESC_E_STRINGS;
	}
	btf = &header->part[STATE_PART_BTF];
	error = state_btf_check((const uint8_t *)bytes + btf->off, btf->size, &desc);
	if (error != STATE_DESC_OK) {
		return error;
	}
	if (!desc_entries_check(&desc)) {
		return STATE_DESC_E_ENTRY;
	}
	if (!desc_tags_check(&desc)) {
		return STATE_DESC_E_TAG;
	}
	*ret = desc;
	return STATE_DESC_OK;
}

void state_desc_read(const void *bytes, struct state_desc *ret)
{
	const struct state_header *header = bytes;
	struct state_desc desc = {0};

	desc_fill(bytes, &desc);
	state_btf_fill((const uint8_t *)bytes + header->part[STATE_PART_BTF].off, &desc);
	*ret = desc;
}

const char *state_desc_error_text(enum state_desc_error error)
{
	static const char *const text[_STATE_DESC_ERROR_N] = {
	        [STATE_DESC_OK] = "no error",
	        [STATE_DESC_E_HEADER] = "bad header",
	        [STATE_DESC_E_PART] = "bad part",
	        [STATE_DESC_E_STRINGS] = "bad string table",
	        [STATE_DESC_E_BTF] = "malformed BTF",
	        [STATE_DESC_E_TYPE] = "bad type",
	        [STATE_DESC_E_ENTRY] = "bad entry",
	        [STATE_DESC_E_TAG] = "bad tag",
	};

	return text[error];
}

const char *state_desc_string(const struct state_desc *desc, uint32_t off)
{
	return desc->strings + off;
}

uint32_t state_desc_kind_first(
        const struct state_desc *desc, enum state_entry_kind kind, uint32_t *ret_n)
{
	uint32_t first = 0;
	uint32_t n = 0;

	while (first < desc->n_entries && desc->entries[first].kind < kind) {
		first++;
	}
	while (first + n < desc->n_entries && desc->entries[first + n].kind == kind) {
		n++;
	}
	*ret_n = n;
	return first;
}

/*
 * Texts that many entries share stand in the table once, so that most comparisons within a
 * description are over with the address.
 */
static int desc_text_compare(const char *a, const char *b)
{
	return a == b ? 0 : strcmp(a, b);
}

/* Order of an entry against a key, bytewise as the writer sorted them. */
static int desc_key_compare(const struct state_desc *desc, const struct state_entry *entry,
        const char *unit, const char *scope, const char *name)
{
	int order = desc_text_compare(desc->strings + entry->unit, unit);

	if (order == 0) {
		order = desc_text_compare(desc->strings + entry->scope, scope);
	}
	return order != 0 ? order : desc_text_compare(desc->strings + entry->name, name);
}

/* String literals compare by their length first, then by all of their bytes: they may hold NULs. */
int state_entry_compare(const struct state_desc *a, const struct state_entry *x,
        const struct state_desc *b, const struct state_entry *y)
{
	if (x->kind == STATE_STRING) {
		if (x->size != y->size) {
			return x->size < y->size ? -1 : 1;
		}
		return memcmp(a->strings + x->name, b->strings + y->name, x->size);
	}
	return desc_key_compare(
	        a, x, b->strings + y->unit, b->strings + y->scope, b->strings + y->name);
}

uint32_t state_desc_find(const struct state_desc *desc, enum state_entry_kind kind,
        const char *unit, const char *scope, const char *name)
{
	uint32_t n;
	uint32_t first = state_desc_kind_first(desc, kind, &n);

	while (n > 0) {
		uint32_t middle = first + n / 2;
		int order = desc_key_compare(desc, &desc->entries[middle], unit, scope, name);

		if (order == 0) {
			return middle;
		}
		if (order < 0) {
			n -= n / 2 + 1;
			first = middle + 1;
		} else {
			n /= 2;
		}
	}
	return UINT32_MAX;
}

bool state_desc_find_global(const struct state_desc *desc, const char *name, uint32_t *ret)
{
	uint32_t n;
	uint32_t first = state_desc_kind_first(desc, STATE_VARIABLE, &n);
	uint32_t found = UINT32_MAX;

	for (uint32_t i = first; i < first + n; i++) {
		const struct state_entry *entry = &desc->entries[i];

		if (desc->strings[entry->scope] != 0 ||
		        strcmp(desc->strings + entry->name, name) != 0) {
			continue;
		}
		if (found != UINT32_MAX) {
			return false;
		}
		found = i;
	}
	*ret = found;
	return true;
}

/* First tag that is not before the owner's. */
static uint32_t desc_tag_first(
        const struct state_desc *desc, uint32_t scope, uint32_t owner, uint32_t member)
{
	uint32_t first = 0;
	uint32_t n = desc->n_tags;

	while (n > 0) {
		uint32_t middle = first + n / 2;

		if (desc_tag_compare(&desc->tags[middle], scope, owner, member) < 0) {
			n -= n / 2 + 1;
			first = middle + 1;
		} else {
			n /= 2;
		}
	}
	return first;
}

/* The text after KEY or KEY=, or NULL. */
static const char *desc_tag_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	text += sizeof(STATE_TAG_PREFIX) - 1;
	if (strncmp(text, key, len) != 0) {
		return NULL;
	}
	return text[len] == '=' ? text + len + 1 : text[len] == 0 ? text + len : NULL;
}

bool state_desc_is_tagged(
        const struct state_desc *desc, enum state_tag_scope scope, uint32_t owner, uint32_t member)
{
	uint32_t i = desc_tag_first(desc, scope, owner, member);

	return i < desc->n_tags && desc_tag_compare(&desc->tags[i], scope, owner, member) == 0;
}

const char *state_desc_tag(const struct state_desc *desc, enum state_tag_scope scope,
        uint32_t owner, uint32_t member, const char *key, unsigned n)
{
	uint32_t i = desc_tag_first(desc, scope, owner, member);

	for (; i < desc->n_tags; i++) {
		const char *value;

		if (desc_tag_compare(&desc->tags[i], scope, owner, member) != 0) {
			break;
		}
		value = desc_tag_value(desc->strings + desc->tags[i].text, key);
		if (value != NULL && n-- == 0) {
			return value;
		}
	}
	return NULL;
}
