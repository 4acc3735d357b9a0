#pragma once
/*
 * Messages: 64 bytes, moved in eight registers through the gate page.
 * `source` is written by the kernel; what a sender puts there is ignored.
 */
#include "osd/abi/errors.h"
#include "osd/abi/types.h"

struct message {
	uint32_t type;
	endpoint_t source;
	uint64_t w[7];
};
_Static_assert(sizeof(struct message) == 64, "a message is eight registers");

/* Reply type: w[0] holds an err_t, further words belong to the request. */
#define MSG_REPLY 0x1u
/*
 * Notification: w[0] = bits (IRQ hook cookies for EP_HARDWARE, else 0), w[1] = kernel clock.
 * One bit per source is kept; notifying twice before a receive is the same as once.
 */
#define MSG_NOTIFY 0x2u
/*
 * A system call of a foreign thread: w[0] its number, w[1..6] its arguments. w[0] of the answer, of
 * whatever type, is the result of the call.
 */
#define MSG_FOREIGN 0x3u

/* Request numbers are disjoint per service: number = base of the service + n. */
#define SEF_BASE 0x100u
#define RS_BASE 0x200u
#define VM_BASE 0x300u
#define DS_BASE 0x400u
#define TTY_BASE 0x500u
#define CHARDEV_BASE 0x600u
#define ASSIST_BASE 0x700u

/* View of a message's payload words as a request or reply structure (at most 56 bytes). */
#define MSG_AS(type, msg)                                                                          \
	({                                                                                         \
		_Static_assert(sizeof(type) <= sizeof((msg)->w), "fits a message");                \
		(type *)(void *)(msg)->w;                                                          \
	})
