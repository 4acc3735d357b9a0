#pragma once
/* Requests to the console (tty.def) and their payloads. */
#include "osd/abi/request.h"

enum tty_request_number {
#define REQUEST(kind, server, verb, name, n, ...) name = TTY_BASE + (n),
#include "osd/abi/tty.def"
#undef REQUEST
#define REQUEST REQUEST_COUNT
	TTY_REQUEST_N = 0
#include "osd/abi/tty.def"
#undef REQUEST
};

#define TTY_TEXT_MAX 48u

struct tty_request { /* TTY_WRITE, TTY_READ */
	uint32_t grant, bytes;
};
_Static_assert(sizeof(struct tty_request) == 8, "layout of TTY_WRITE, TTY_READ");
struct tty_text { /* TTY_LOG */
	char text[TTY_TEXT_MAX];
	uint64_t bytes; /* of text that count */
};
_Static_assert(sizeof(struct tty_text) == 56, "layout of TTY_LOG");
struct tty_reply {
	err_t err;
	uint64_t bytes;              /* moved; TTY_STATS: written since the start */
	uint64_t n_lines, n_waiting; /* TTY_STATS: lines of the log, bytes not yet sent */
};
_Static_assert(sizeof(struct tty_reply) == 32, "layout of replies of tty");
