#pragma once
/*
 * Grants of this process: memory that one other process may read or write by
 * copy_from_grant and copy_to_grant. The table is static and typed, so a live update
 * carries open grants over; ids stay valid.
 */
#include "osd/abi/grant.h"
#include "osd/lib/sys/sys.h"

#define GRANT_TABLE_MAX 64u

/* Tell the kernel where the table is. Done by the start code in every new instance. */
void grant_table_register(void);

/*
 * Grant `to` access (GRANT_*) to [address, address + bytes). Return the
 * id, or 0: the table is full.
 */
uint32_t grant_make(endpoint_t to, void *address, size_t bytes, uint32_t access);

/* End a grant. What is not a live id is a panic: it would be a bug of ours. */
void grant_revoke(uint32_t id);

uint32_t grant_count(void);
