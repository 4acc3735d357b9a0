/*
 * Asking RS. One buffer and one grant serve all requests, since RS answers at once: what an
 * answer left there lasts until the next request. The buffer is not state; the grant is, and
 * after an update it leads to the successor's buffer.
 */
#include "osd/servers/agent/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/state/annotate.h"
#include "osd/lib/sys/grant.h"

static uint8_t rs_memory[RS_BUFFER_BYTES] STATE_SKIP __attribute__((aligned(16)));
static uint32_t rs_grant;

uint8_t *rs_buffer(void)
{
	return rs_memory;
}

static struct rs_reply rs_sendrec(struct message *msg)
{
	err_t r = sys_sendrec(sef_start()->supervisor, msg);

	if (r != E_OK) {
		return (struct rs_reply){.err = r};
	}
	return *MSG_AS(struct rs_reply, msg);
}

static struct rs_reply rs_request(uint32_t type, struct rs_request req)
{
	struct message msg = {.type = type};

	if (rs_grant == 0) {
		rs_grant = grant_make(sef_start()->supervisor, rs_memory, sizeof(rs_memory),
		        GRANT_READ | GRANT_WRITE);
	}
	req.grant = rs_grant;
	*MSG_AS(struct rs_request, &msg) = req;
	return rs_sendrec(&msg);
}

struct rs_reply rs_tell(uint32_t type, uint64_t word)
{
	struct message msg = {.type = type, .w = {word}};

	return rs_sendrec(&msg);
}

struct rs_reply rs_ask(uint32_t type, uint32_t bytes, uint64_t argument, uint64_t total)
{
	struct rs_request req = {.bytes = bytes, .argument = argument, .total = total};

	return rs_request(type, req);
}

struct rs_reply rs_ask_of(uint32_t type, uint32_t bytes, const char *service)
{
	struct rs_request req = {.bytes = bytes};

	strncpy(req.service, service, sizeof(req.service) - 1);
	return rs_request(type, req);
}

const struct rs_result *rs_result_of(uint64_t epoch, uint64_t txn)
{
	const struct rs_result *result = (const struct rs_result *)rs_memory;

	return rs_ask(RS_RESULT, sizeof(*result), txn, epoch).err == E_OK ? result : NULL;
}
