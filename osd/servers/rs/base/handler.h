#pragma once
/*
 * What all handlers of requests share, and their prototypes, made from osd/abi/rs.def: rs_on_VERB()
 * of a row stands in tell/, stage/ or update/order.c. A handler returns the reply's `err`; the
 * dispatcher (table.c) has checked the right of the row.
 */
#include "osd/abi/errors.h"
#include "osd/abi/message.h"
#include "osd/abi/rs.h"
#include "osd/lib/request/serve.h"

#define REQUEST SERVE_PROTOTYPE
#include "osd/abi/rs.def"
#undef REQUEST

/*
 * Copy an envelope out of the caller's grant to where RS verifies it; good until the next call.
 * E_TOO_LONG; errors of the grant.
 */
__must_check err_t handler_envelope(
        endpoint_t who, const struct rs_request *request, const void **ret_bytes);
/* Wipe it, where something secret came with it. */
void handler_envelope_wipe(void);
