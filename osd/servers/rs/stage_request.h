#pragma once
/* What orders do to the staging store. */
#include "osd/servers/rs/priv.h"

/* Forget a variant, and drop what only it names. E_BUSY: it runs, or is about to. */
err_t stage_request_drop(struct trust_variant *variant) __must_check;
