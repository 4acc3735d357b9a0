#pragma once
/*
 * The way in from other hosts: TLS, with the rules of host/tls, in front of the same boundary as the control
 * socket. Off until `remote.listen` names an address. Who it is comes from its certificate, what it may from
 * the identities file; what it can make lud hold has limits, and most of all before it is known.
 */
#include "host/base/failure.h"
#include "host/tls/context.h"
#include "orchestrator/config/config.h"
#include "orchestrator/link/link.h"
#include "orchestrator/request/request.h"

struct remote;

enum remote_outcome {
#define OUTCOME(NAME, label, sentence) REMOTE_##NAME,
#include "orchestrator/remote/outcomes.def"
	_REMOTE_OUTCOME_N
};

/* How the listener is now, and what it counted since it was made. */
struct remote_tally {
	bool is_well;             /* it listens, and its files were good when they were read last */
	size_t n_peers;           /* connections that were let in */
	size_t n_handshakes;      /* that are not over */
	const uint64_t *outcomes; /* of connections, by enum remote_outcome; borrowed */
	bool has_ends;            /* false: its files were never good */
	struct tls_ends ends;
};

/*
 * Everything is borrowed. Files that are missing, too old or wrong do not keep lud from starting, which has
 * machines to look after: nobody is let in then, the log and the status say why, and they are looked at again.
 */
struct remote *remote_new(struct event_base *base, const struct config *config,
        struct control *control, struct link_buffers *buffers);
/*
 * The configuration or the files changed: all are read anew. If one is not good, what was read before stays. Whose
 * certificate is revoked or whose rights are gone is disconnected, and nobody else.
 */
void remote_reloaded(struct remote *remote);
struct remote_tally remote_tally(const struct remote *remote);
/* "address_full" */
const char *remote_outcome_name(enum remote_outcome outcome);
/* Says Bye to everybody. NULL is allowed, and what it returns. */
struct remote *remote_free(struct remote *remote);
