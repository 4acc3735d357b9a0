#pragma once
/* Inside server: the listener, and the connections that it lets in. */
#include <sys/queue.h>

#include "orchestrator/server/server.h"

#define SERVER_CONNECTIONS_MAX 64u
#define SERVER_KEPT 16u       /* of these, for root, lud's own user and admins */
#define SERVER_GUESTS_MAX 16u /* of any one user but root and lud's own */
/* Of the places of all such users the last ones, for those with fewer than SERVER_SHARE; of these the last, for those with none. */
#define SERVER_SHARED 16u
#define SERVER_SHARE 4u
#define SERVER_FIRST 4u

/* Whose place one may take: only of those of its own rank and below. */
enum connection_rank {
	CONNECTION_GUEST,
	CONNECTION_ADMIN, /* and root, and lud's own user */
	_CONNECTION_RANK_N,
};

/* Who it is comes from the kernel, never from what it says. */
struct connection {
	LIST_ENTRY(connection) link; /* in server->connections */
	struct server *server;
	struct link *stream;           /* owned; its callbacks get the connection */
	struct control_client *client; /* owned */
	struct event *limit;           /* of saying Hello, then of asking nothing */
	struct access_peer peer;
	enum connection_rank rank;
	bool open;           /* said Hello */
	int64_t quiet_since; /* elapsed_usec() of the last request or answer */
};

struct server {
	struct event_base *base;
	const struct config *config;
	struct control *control;
	struct link_buffers *buffers; /* of all connections */
	struct event *accept_event;   /* the listener is readable */
	struct event *accept_again;   /* when descriptors ran out */
	int fd;                       /* the listener */
	bool is_handed;               /* by a service manager, whose the file is */
	char *path;                   /* of its socket, removed at the end */
	size_t n_connections;
	uint64_t n_admitted, n_refused; /* ever */
	LIST_HEAD(, connection) connections;
};

/* connection.c: who is connected, for how long, and who goes when there is no room */
void connection_admit(struct server *server, int fd);
struct connection *connection_free(struct connection *connection);
/*
 * Ends the connection that can be missed most for one of this rank, of this peer (NULL: of anybody); false: every one that it
 * may end waits for an answer.
 */
bool connection_make_room(
        struct server *server, enum connection_rank rank, const struct access_peer *peer);
/* Looks at the roles of everybody again. */
void connections_reloaded(struct server *server);
