#pragma once
/* Requests to a byte-channel driver. */
#include "osd/abi/message.h"

enum {
#define REQUEST(name, number, idempotent, text) name = number,
#include "osd/abi/chardev.def"
#undef REQUEST
};
struct chardev_request {
	uint32_t grant, bytes;
};
struct chardev_reply {
	err_t err;
	uint64_t bytes, n_in, n_out, n_waiting;
};
