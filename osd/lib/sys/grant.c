/*
 * The grant table. It is ordinary state: a successor gets it with relocated addresses, so the ids
 * that other processes hold keep their meaning. Sequence numbers start at 1, so no id is 0.
 */
#include "osd/lib/sys/grant.h"

#include <assert.h>

static struct grant grants[GRANT_TABLE_MAX];
static uint32_t next_entry; /* where the search for a free entry starts */
static uint32_t n_open;

void grant_table_register(void)
{
	err_t err = sys_grant_table_set(grants, GRANT_TABLE_MAX);

	assert(err == E_OK);
}

uint32_t grant_make(endpoint_t to, void *address, size_t bytes, uint32_t access)
{
	assert(address && access && !(access & ~(GRANT_READ | GRANT_WRITE)));
	for (uint32_t i = 0; i < GRANT_TABLE_MAX; i++) {
		uint32_t index = (next_entry + i) % GRANT_TABLE_MAX;
		struct grant *entry = &grants[index];

		if (entry->address) {
			continue;
		}
		entry->bytes = bytes;
		entry->to = to;
		entry->access = (uint16_t)access;
		entry->sequence = entry->sequence == UINT16_MAX ? 1 : entry->sequence + 1;
		entry->address = address;
		next_entry = index + 1;
		n_open++;
		return GRANT_ID(index, entry->sequence);
	}
	return 0;
}

void grant_revoke(uint32_t id)
{
	uint32_t index = id & 0xffff;

	assert(index < GRANT_TABLE_MAX && "grant_revoke: no such grant");
	assert(grants[index].address && grants[index].sequence == id >> 16 &&
	        "grant_revoke: no such grant");
	grants[index].address = NULL;
	n_open--;
}

uint32_t grant_count(void)
{
	return n_open;
}
