#pragma once
/*
 * The way in from other hosts: TLS, with the rules of host/tls, in front of the same boundary as the control
 * socket. Off until `remote.listen` names an address. Who it is comes from its certificate, what it may from
 * the identities file; what it can make lud hold has limits, and most of all before it is known.
 */
#include "host/base/failure.h"
#include "orchestrator/config/config.h"
#include "orchestrator/link/link.h"
#include "orchestrator/request/request.h"

struct remote;

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
/* Says Bye to everybody. NULL is allowed, and what it returns. */
struct remote *remote_free(struct remote *remote);
