#pragma once
/* Requests to the console. */
#include "osd/abi/message.h"

enum {
#define REQUEST(name, number, idempotent, text) name = number,
#include "osd/abi/tty.def"
#undef REQUEST
};
struct tty_request {
	uint32_t grant, bytes;
};
struct tty_reply {
	err_t err;
	uint64_t bytes, n_lines, n_waiting;
};
