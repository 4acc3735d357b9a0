/*
 * Asking RS. One buffer and one grant serve all requests, since RS answers at once: what an
 * answer left there lasts until the next request. The buffer is not state; the grant is, and
 * after an update it leads to the successor's buffer.
 *
 * The requests themselves are the functions of osd/lib/request/rs.h, sent to rs_endpoint() with a
 * payload of rs_request_make(). They wait for RS, which is of higher rank and never waits for a
 * service.
 */
#include "osd/servers/agent/priv.h"

#include "osd/lib/sef/sef.h"
#include "osd/lib/state/annotate.h"
#include "osd/lib/sys/grant.h"

static uint8_t rs_memory[RS_BUFFER_BYTES] STATE_SKIP __attribute__((aligned(16)));
static uint32_t rs_grant; /* 0: not made yet; then never ended */

uint8_t *rs_buffer(void)
{
	return rs_memory;
}

endpoint_t rs_endpoint(void)
{
	return sef_start()->supervisor;
}

struct rs_request rs_request_make(uint32_t bytes, uint64_t argument, uint64_t total)
{
	if (rs_grant == 0) {
		rs_grant = grant_make(
		        rs_endpoint(), rs_memory, sizeof(rs_memory), GRANT_READ | GRANT_WRITE);
	}
	return (struct rs_request){
	        .grant = rs_grant, .bytes = bytes, .argument = argument, .total = total};
}

const struct rs_result *rs_result_of(uint64_t epoch, uint64_t txn)
{
	const struct rs_result *result = (const struct rs_result *)rs_memory;
	struct rs_request request = rs_request_make(sizeof(*result), txn, epoch);

	return rs_result(rs_endpoint(), request).err == E_OK ? result : NULL;
}
