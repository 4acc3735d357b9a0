#pragma once
/* Requests to assist (assist.def; tests only) and their payloads. What a, b, c and d are, the row says. */
#include "osd/abi/request.h"

enum assist_request_number {
#define REQUEST(kind, server, verb, name, n, ...) name = ASSIST_BASE + (n),
#include "osd/abi/assist.def"
#undef REQUEST
#define REQUEST REQUEST_COUNT
	ASSIST_REQUEST_N = 0
#include "osd/abi/assist.def"
#undef REQUEST
};

enum assist_crash {
	ASSIST_CRASH_NULL = 1, /* write through NULL */
	ASSIST_CRASH_ILLEGAL,
	ASSIST_CRASH_JUMP, /* execute data */
	ASSIST_CRASH_TEXT, /* write to code */
	ASSIST_CRASH_DIVIDE,
	ASSIST_CRASH_STACK,   /* run out of stack */
	ASSIST_CRASH_SYSCALL, /* a Linux system call */
	ASSIST_CRASH_STRAY,   /* our own system call, but not through the gate page */
	ASSIST_CRASH_PANIC,
	ASSIST_CRASH_EXIT,
	ASSIST_CRASH_HANG,       /* never answer, never receive again */
	ASSIST_CRASH_DAMAGE,     /* damage a pointer of its own state and go on */
	ASSIST_CRASH_LATER,      /* damage: crash at the next preparation */
	ASSIST_CRASH_HANG_LATER, /* damage: hang at the next preparation */
	ASSIST_CRASH_OBJECT,     /* execute an object of the heap */
	ASSIST_CRASH_N
};

struct assist_request {
	uint64_t a, b;
};
_Static_assert(sizeof(struct assist_request) == 16, "layout of requests to assist");
struct assist_reply {
	err_t err;
	uint64_t a, b, c, d;
};
_Static_assert(sizeof(struct assist_reply) == 40, "layout of replies of assist");
