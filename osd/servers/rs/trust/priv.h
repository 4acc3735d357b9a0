#pragma once
/* What the files of this room share. */
#include "osd/servers/rs/trust/trust.h"

#define TRUST_KIND(kind) (1u << (kind))

/*
 * Open and verify an envelope of one of the kinds (TRUST_KIND()s). What it proves of root and time
 * is kept.
 */
__must_check err_t trust_verify(struct trust_state *t, const void *bytes, size_t len,
        uint64_t uptime, unsigned int kinds, struct envelope_view *ret_view);
/* What a statement of this epoch tells of a service. It only raises. */
void trust_service_told(struct trust_state *t, const struct statement_service *s, uint64_t epoch);
/* What was verified once may have become invalid: by a newer root (E_V_ROOT), or by time. */
__must_check err_t trust_variant_is_current(
        const struct trust_state *t, struct trust_variant *v, uint64_t uptime);
