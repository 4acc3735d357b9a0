#pragma once
/*
 * Handlers of requests to the staging store, and what orders do to it. The handlers are for
 * services with the right to control RS (table.c); what they bring is believed only as far as it is
 * signed.
 */
#include "osd/servers/rs/base/handler.h"
#include "osd/servers/rs/trust/trust.h"

/* Forget a variant or a kit, and drop what only it names. E_BUSY: it runs, or is about to. */
__must_check err_t stage_request_drop(struct trust_variant *variant);
