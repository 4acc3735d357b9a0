#pragma once
/* What all handlers of requests share; which request has which handler is in table.c. */
#include "osd/abi/errors.h"
#include "osd/abi/message.h"
#include "osd/abi/rs.h"

/* Fills *ret_reply but for err, which it returns. */
typedef err_t handler(const struct message *msg, struct rs_reply *ret_reply);

/*
 * Copy an envelope out of the caller's grant to where RS verifies it; good until the next call.
 * E_TOO_LONG; errors of the grant.
 */
__must_check err_t handler_envelope(const struct message *msg, const void **ret_bytes);
