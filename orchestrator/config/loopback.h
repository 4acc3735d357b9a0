#pragma once
/* Where something is served that nobody from outside may reach: at a UNIX socket, or at an address of this host itself. */
#include <sys/socket.h>

#include "host/base/err.h"

enum loopback_kind {
	LOOPBACK_NONE, /* nowhere: "none" */
	LOOPBACK_UNIX, /* a path from / on */
	LOOPBACK_TCP,  /* ADDRESS:PORT, of 127.0.0.0/8 or [::1] */
	_LOOPBACK_N,
};

/* The address of LOOPBACK_TCP. -EINVAL: it is none of these; -EACCES: an address that others can reach. */
int __must_check loopback_parse(const char *text, enum loopback_kind *ret_kind,
        struct sockaddr_storage *ret_address, int *ret_len);
