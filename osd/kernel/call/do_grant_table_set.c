/*
 * The caller's grant table: only its place is kept. Entries are read anew at each copy, so the
 * table may change at any time, and state transfer moves it like other data.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/abi/grant.h"

/* Half of an id is the index. */
#define GRANTS_MAX 0x10000u

static err_t check_grant_table_set(struct instance *self, vaddr_t table, uint64_t n)
{
	struct grant entry;
	err_t err;

	if (n > GRANTS_MAX) {
		return E_INVAL;
	}
	if (n == 0) {
		return E_OK;
	}
	if (!call_range_is_user(table, n * sizeof(entry))) {
		return E_FAULT;
	}
	err = user_read(self, table, &entry, sizeof(entry));
	if (err == E_OK) {
		err = user_read(self, table + (n - 1) * sizeof(entry), &entry, sizeof(entry));
	}
	return err;
}

err_t do_grant_table_set(struct instance *self, const uint64_t *args)
{
	vaddr_t table = args[0];
	uint32_t n = (uint32_t)args[1];
	err_t err = check_grant_table_set(self, table, n);

	if (err != E_OK) {
		return err;
	}
	self->grant_table = n > 0 ? table : 0;
	self->n_grants = n;
	return E_OK;
}
