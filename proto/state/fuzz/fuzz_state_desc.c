/* Whatever state_desc_check() accepts can be walked from end to end. */
#include <stdlib.h>
#include <string.h>

#include "proto/state/state_desc.h"

static uint64_t sink;

static void members_walk(const struct state_desc *desc, uint32_t id)
{
	for (uint32_t i = 0; i < state_type_count(desc, id); i++) {
		struct state_member member = state_type_member(desc, id, i);

		sink += strlen(member.name) + state_type_size(desc, member.type);
		sink += state_desc_tag(desc, STATE_TAG_TYPE, id, i, "skip", 0) != NULL;
	}
}

static void type_walk(const struct state_desc *desc, uint32_t id)
{
	enum state_btf_kind kind = state_type_kind(desc, id);
	int64_t value;

	sink += strlen(state_type_name(desc, id)) + state_type_size(desc, id);
	if (kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION) {
		members_walk(desc, id);
	} else if (kind == STATE_BTF_ENUM || kind == STATE_BTF_ENUM64) {
		for (uint32_t i = 0; i < state_type_count(desc, id); i++) {
			sink += strlen(state_type_enumerator(desc, id, i, &value));
			sink += (uint64_t)value + state_type_encoding(desc, id);
		}
	}
}

static void entry_walk(const struct state_desc *desc, uint32_t i)
{
	const struct state_entry *entry = &desc->entries[i];

	sink += strlen(state_desc_string(desc, entry->name));
	sink += state_desc_tag(desc, STATE_TAG_ENTRY, i, STATE_TAG_SELF, "handler", 1) != NULL;
	if (entry->kind != STATE_STRING &&
	        state_desc_find(desc, (enum state_entry_kind)entry->kind,
	                state_desc_string(desc, entry->unit), state_desc_string(desc, entry->scope),
	                state_desc_string(desc, entry->name)) != i) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state_desc desc;
	void *copy = malloc(size + 1);

	if (copy == NULL) {
		return 0;
	}
	memcpy(copy, data, size);
	if (state_desc_check(copy, size, &desc) == STATE_DESC_OK) {
		for (uint32_t id = 0; id < desc.n_types; id++) {
			type_walk(&desc, id);
		}
		for (uint32_t i = 0; i < desc.n_entries; i++) {
			entry_walk(&desc, i);
		}
	}
	free(copy);
	return 0;
}
