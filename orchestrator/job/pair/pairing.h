#pragma once
/*
 * What luforge says of an update from one release to another (luforge(1), pair --json), as
 * a message that is recorded and shown.
 */
#include "host/base/failure.h"
#include "host/base/pool.h"
#include "orchestrator/store/releases.h"
#include "proto/control/control.pb-c.h"

/* What is kept of a pairing's findings; the rest is counted. */
#define PAIRING_FINDINGS_MAX 128u

/*
 * The pairing of these two releases, in the pool. An answer that is of other releases or
 * makes no sense is -EBADMSG, and ret_failure says so.
 */
int __must_check pairing_read(struct pool *pool, const char *json, const struct release_row *from,
        const struct release_row *to, Control__Pairing **ret_pairing, struct failure *ret_failure);
/* What consent would be for: state that has no place, or none if it is in use. */
bool pairing_is_lossy(const Control__Pairing *pairing);
/* "2 lost, 1 moved", or "nothing is lost"; into ret_text. */
void pairing_summary(const Control__Pairing *pairing, char *ret_text, size_t size);
