#pragma once
/*
 * What luforge says of an update from one release to another (luforge(1), pair --json), as
 * a message that is recorded and shown.
 */
#include "host/base/failure.h"
#include "host/base/pool.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/releases.h"
#include "proto/control/control.pb-c.h"

/* What is kept of a pairing's findings; the rest is counted. */
#define PAIRING_FINDINGS_MAX 128u

/* Which way through the two kits that luforge was given. */
enum pairing_way {
	PAIRING_FORWARD, /* from the first to the second */
	PAIRING_BACK,
	_PAIRING_WAY_N,
};

/*
 * The pairing of these two releases, in the pool: from `from` to `to`, whichever of them luforge was
 * given first. An answer that is of other releases or makes no sense is -EBADMSG, and ret_failure
 * says so.
 */
int __must_check pairing_read(struct pool *pool, const char *json, enum pairing_way way,
        const struct release_row *from, const struct release_row *to,
        Control__Pairing **ret_pairing, struct failure *ret_failure);
/*
 * Whether a job of this kind would be refused because of the pairing: it is impossible, or state would
 * be lost and nobody consents (accepts). What is lost only if it is in use does not refuse: RS sees at
 * the transfer whether it is.
 */
bool pairing_refuses(const Control__Pairing *pairing, enum job_kind kind, const char *service,
        bool accepts, struct failure *ret_failure);
/* The release that runs is not registered: there is no kit to pair with. */
void pairing_unregistered(const char *service, struct failure *ret_failure);
/* What consent would be for: state that has no place, or none if it is in use. */
bool pairing_is_lossy(const Control__Pairing *pairing);
/* "2 lost, 1 moved", or "nothing is lost"; into ret_text. */
void pairing_summary(const Control__Pairing *pairing, char *ret_text, size_t size);
