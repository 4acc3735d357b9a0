#pragma once
/*
 * The socket where luctl and other clients ask. Who may: root, the user lud runs as, and those to whom the
 * configuration gives a role, as the kernel tells them (SO_PEERCRED). What a client may make lud
 * hold for it has limits.
 */
#include "orchestrator/config/config.h"
#include "orchestrator/request/request.h"
#include "orchestrator/link/link.h"

struct server;

/*
 * Takes the place of a stale socket; refuses when another lud answers there. Everything is borrowed; what is
 * sent waits as `buffers` say.
 */
int __must_check server_new(struct event_base *base, const struct config *config,
        struct control *control, struct link_buffers *buffers, struct server **ret_server,
        struct failure *ret_failure);
struct server_tally {
	uint64_t open;              /* now */
	uint64_t admitted, refused; /* since lud started */
};
struct server_tally server_tally(const struct server *server);
/* The configuration changed. */
void server_reloaded(struct server *server);
/* Says Bye to every client and removes the socket. */
struct server *server_free(struct server *server);
