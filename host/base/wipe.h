#pragma once
/*
 * Bytes on their way out that may hold a secret. libevent frees what it has sent as it is, so it
 * is given these by reference, and they are wiped as soon as it needs them no more.
 */
#include <stddef.h>

struct evbuffer;

/* A copy goes to the end of the queue. */
void wipe_queue(struct evbuffer *queue, const void *bytes, size_t size);
