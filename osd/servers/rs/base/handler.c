/*
 * Requests bring larger things by grant. A caller can change what it granted at any time, so RS
 * looks at a copy only. One buffer is enough: a request is handled to its end before the next is
 * received.
 */
#include "osd/servers/rs/base/handler.h"

#include <string.h>

#include "osd/lib/sys/sys.h"

/* A seed may stand behind a variant. */
static uint64_t handler_bytes[(RS_ENVELOPE_MAX + RS_SEED_LEN) / sizeof(uint64_t)];

err_t handler_envelope(endpoint_t who, const struct rs_request *request, const void **ret_bytes)
{
	if (request->bytes > sizeof(handler_bytes)) {
		return E_TOO_LONG;
	}
	*ret_bytes = handler_bytes;
	return sys_copy_from_grant(who, request->grant, 0, handler_bytes, request->bytes);
}

void handler_envelope_wipe(void)
{
	memset(handler_bytes, 0, sizeof(handler_bytes));
}
