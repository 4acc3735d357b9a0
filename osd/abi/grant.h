#pragma once
/*
 * Direct grants. The table lives in the granter's memory with typed pointers, so that state
 * transfer relocates it; messages carry grant ids, never addresses. id = index | sequence << 16.
 */
#include "osd/abi/types.h"

#define GRANT_READ 1u
#define GRANT_WRITE 2u
#define GRANT_ID(index, sequence) ((uint32_t)(index) | (uint32_t)(sequence) << 16)

struct grant {
	void *address; /* NULL: free entry */
	uint64_t bytes;
	endpoint_t to;
	uint16_t access;   /* GRANT_* */
	uint16_t sequence; /* rises at each reuse of the entry, so that a stale id is refused */
};
_Static_assert(sizeof(struct grant) == 24, "read by the kernel");
