#pragma once
/*
 * Requests that only a test build of RS understands
 * (osd/servers/rs/update/hook_test.c); any other answers E_NOSYS.
 */
#include "osd/abi/rs.h"

/* Do harm once, when a transaction enters a step: struct hook_harm. */
#define HOOK_ARM (RS_BASE + 0x80)
/* Copy bytes of a boot image entry into a grant: struct hook_blob. Reply (struct rs_reply): count =
 * bytes of the part. */
#define HOOK_BLOB (RS_BASE + 0x81)

/* Overwrite the code of a service (name in w[0..2]) and wake it. */
#define HOOK_KILL (RS_BASE + 0x82)

enum hook_who { HOOK_OLD = 1, HOOK_NEW };
enum hook_how {
	HOOK_CRASH = 1, /* its code is overwritten: it faults as soon as it runs */
	HOOK_HANG,      /* it is stopped and never goes on */
	HOOK_STARVE,    /* at CREATE: the new one's heap is next to nothing */
	HOOK_FAIL,      /* at COMMIT: a kernel call fails; `who` is an enum hook_operation */
	HOOK_CROWD,     /* at once, until the next harm: layouts of assist use up their budget */
};
/* The kernel calls of a commit. */
enum hook_operation { HOOK_COMMIT = 1, HOOK_RESUME };

struct hook_harm {
	uint32_t step; /* enum rs_step; RS_STEP_NONE: disarm */
	uint32_t who, how;
	uint32_t is_done; /* in the reply's count: the last harm was done */
};

enum hook_part { HOOK_MANIFEST = 0, HOOK_STATE, HOOK_PAYLOAD, HOOK_ENVELOPE, HOOK_FLAT };
struct hook_blob {
	uint32_t grant, bytes;
	uint64_t offset;
	uint32_t part, pad;
	char name[SERVICE_NAME_LEN]; /* of the boot entry */
};
