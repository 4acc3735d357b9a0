/* What RS shows to an ordinary service: it must not tell where others lie in memory. */
#include "osd/suites/assist/priv.h"

#include <string.h>

#include "osd/abi/rs.h"
#include "osd/lib/annotate/annotate.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

static union {
	struct rs_service services[16];
	struct rs_event events[64];
	struct rs_result result;
	struct rs_blob blobs[32];
	uint8_t bytes[RS_ENVELOPE_MAX];
} peek_buffer STATE_SKIP;

static bool peek_is_zero(const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	while (n > 0 && at[n - 1] == 0) {
		n--;
	}
	return n == 0;
}

static uint64_t peek_n_services(uint64_t n)
{
	uint64_t n_seen = 0;

	for (uint64_t i = 0; i < n; i++) {
		const struct rs_service *service = &peek_buffer.services[i];

		n_seen += service->base != 0 || !peek_is_zero(service->payload, RS_HASH_LEN) ||
		          !peek_is_zero(service->build_id, sizeof(service->build_id));
	}
	return n_seen;
}

static uint64_t peek_n_events(uint64_t n)
{
	uint64_t n_seen = 0;

	for (uint64_t i = 0; i < n; i++) {
		n_seen += !peek_is_zero(
		        peek_buffer.events[i].text, sizeof(peek_buffer.events[i].text));
	}
	return n_seen;
}

static uint64_t peek_n_results(void)
{
	const struct rs_result *result = &peek_buffer.result;

	return result->base != 0 || result->image_bytes != 0 ||
	       !peek_is_zero(result->build_id, sizeof(result->build_id)) ||
	       result->transfer.element[0] != '\0' || result->transfer.message[0] != '\0' ||
	       result->transfer.removed[0] != '\0';
}

static uint64_t peek_n_seen(uint32_t request, uint64_t n)
{
	switch (request) {
	case RS_STATUS:
		return peek_n_services(n);
	case RS_EVENTS:
		return peek_n_events(n);
	case RS_RESULT:
		return peek_n_results();
	default:
		return n;
	}
}

/* The request may be any number, so this fills a message by hand. */
err_t assist_on_peek(
        endpoint_t who, const struct assist_request *ask, struct assist_reply *ret_reply)
{
	struct message msg = {.type = (uint32_t)ask->a};
	const struct rs_reply *reply = MSG_AS(const struct rs_reply, &msg);
	struct rs_request *request = MSG_AS(struct rs_request, &msg);
	endpoint_t rs = sef_start()->supervisor;
	err_t err;
	uint32_t grant = grant_make(rs, &peek_buffer, sizeof(peek_buffer), GRANT_WRITE);

	memset(&peek_buffer, 0, sizeof(peek_buffer));
	request->grant = grant;
	request->bytes = sizeof(peek_buffer);
	request->argument = ask->b;
	request->total = (uint32_t)(ask->a >> 32);
	strcpy(request->service, "assist");
	err = sys_sendrec(rs, &msg);
	grant_revoke(grant);
	if (err != E_OK) {
		return err;
	}
	ret_reply->a = reply->count;
	ret_reply->b = reply->err == E_OK ? peek_n_seen((uint32_t)ask->a, reply->count) : 0;
	return reply->err;
}
