#pragma once
/* Requests to a byte-channel driver (chardev.def) and their payloads. */
#include "osd/abi/request.h"

enum chardev_request_number {
#define REQUEST(kind, server, verb, name, n, ...) name = CHARDEV_BASE + (n),
#include "osd/abi/chardev.def"
#undef REQUEST
#define REQUEST REQUEST_COUNT
	CHARDEV_REQUEST_N = 0
#include "osd/abi/chardev.def"
#undef REQUEST
};

struct chardev_request { /* CHARDEV_READ, CHARDEV_WRITE */
	uint32_t grant, bytes;
};
_Static_assert(sizeof(struct chardev_request) == 8, "layout of CHARDEV_READ, CHARDEV_WRITE");
struct chardev_reply {
	err_t err;
	uint64_t bytes;                  /* moved by this request */
	uint64_t n_in, n_out, n_waiting; /* CHARDEV_STATS, in bytes */
};
_Static_assert(sizeof(struct chardev_reply) == 40, "layout of replies of a byte-channel driver");
