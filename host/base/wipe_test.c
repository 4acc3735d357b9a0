#undef NDEBUG
/* What was queued is wiped when it has been sent, and when the queue ends before. */
#include "host/base/wipe.h"

#include <assert.h>
#include <event2/buffer.h>
#include <string.h>

static char wiped[64];
static size_t n_wiped;

/* Stands before libc's: what was there, and how much. */
void explicit_bzero(void *at, size_t size)
{
	assert(size <= sizeof(wiped));
	memcpy(wiped, at, size);
	memset(at, 0, size);
	n_wiped += size;
}

int main(void)
{
	struct evbuffer *queue = evbuffer_new();
	char sent[16], secret[] = "a seed", other[] = "another";

	wipe_queue(queue, "", 0);
	wipe_queue(queue, secret, sizeof(secret));
	memset(secret, 0, sizeof(secret)); /* a copy is queued */
	wipe_queue(queue, other, sizeof(other));
	assert(evbuffer_get_length(queue) == sizeof(secret) + sizeof(other) && n_wiped == 0);
	assert(evbuffer_remove(queue, sent, sizeof(secret)) == sizeof(secret));
	assert(!strcmp(sent, "a seed") && !strcmp(wiped, "a seed") && n_wiped == sizeof(secret));
	evbuffer_free(queue);
	assert(!strcmp(wiped, "another") && n_wiped == sizeof(secret) + sizeof(other));
	return 0;
}
