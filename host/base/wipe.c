/* Bytes that are wiped when they have been sent; see wipe.h. */
#include "host/base/wipe.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/err.h"
#include "host/base/file.h"

static void wipe_sent(const void *bytes, size_t size, void *copy)
{
	explicit_bzero(copy, size);
	free(copy);
}

void wipe_queue(struct evbuffer *queue, const void *bytes, size_t size)
{
	void *copy;

	if (!size) {
		return;
	}
	copy = mem_zero(size);
	memcpy(copy, bytes, size);
	if (evbuffer_add_reference(queue, copy, size, wipe_sent, copy) < 0) {
		abort(); /* of memory, as everywhere here */
	}
}
