#pragma once
/*
 * Inside remote:
 *
 *   listen (the socket) -> newcomer (a handshake) -> peer (a session)
 *
 * with source.c and holder.c counting by address and identity, and trust.c having what both are judged by.
 */
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "host/tls/context.h"
#include "orchestrator/access/rights.h"
#include "orchestrator/remote/remote.h"

#define REMOTE_FDS_KEPT 64u      /* descriptors that are not for peers */
#define REMOTE_SOURCES_MAX 4096u /* addresses that are remembered without a connection */
#define REMOTE_BUCKETS 1024u     /* of addresses, and of identities */
#define REMOTE_TURN_USEC                                                                           \
	2000 /* of handshakes in one turn of the loop; a step of one takes about half */
#define REMOTE_LOOK_SEC 5    /* between two looks at what has ended, however clocks are set */
#define REMOTE_READ_SEC 60   /* between two tries of files that were not good at the start */
#define REMOTE_LINES 20      /* of the log in a minute, of who is not known */
#define REMOTE_UNREAD_SEC 30 /* that a peer may leave unread what was said to it */
#define REMOTE_WARN_SEC (14 * 86400) /* before something ends */

/*
 * An address of connections: of IPv6 its first 64 bits, which somebody has as a whole. It is there while a
 * connection is, and while failures of its handshakes are remembered.
 */
struct source {
	LIST_ENTRY(source) link;     /* in its bucket */
	TAILQ_ENTRY(source) resting; /* in remote->resting, without connections */
	struct in6_addr address;
	char name[INET6_ADDRSTRLEN];
	size_t n_newcomers;
	size_t n_peers;
	uint64_t n_failures;
	int64_t failing_since; /* elapsed_usec() of the first of these */
	int64_t refused_since; /* elapsed_usec(); 0: it never was */
};

/* An identity that has connections. */
struct holder {
	LIST_ENTRY(holder) link; /* in its bucket */
	char name[72];           /* "user/alice" */
	size_t n_peers;
	bool is_coming;     /* one more may be let in: it stays, whoever goes for that */
	double requests;    /* that it may make now; below 0: how many too many */
	int64_t counted_at; /* elapsed_usec() of that */
};

/* A connection whose handshake is not over. */
struct newcomer {
	TAILQ_ENTRY(newcomer) link;  /* in remote->newcomers, oldest first */
	TAILQ_ENTRY(newcomer) ready; /* in remote->ready */
	struct remote *remote;
	struct source *source;
	SSL *ssl;
	struct event *event; /* its socket, or its time */
	int fd;
	bool is_ready;
	int64_t deadline; /* elapsed_usec() */
};

/* A connection that was let in. */
struct peer {
	LIST_ENTRY(peer) link; /* in remote->peers */
	struct remote *remote;
	struct source *source;
	struct holder *holder;
	struct link *stream;       /* owned, and with it the TLS */
	struct bufferevent *bytes; /* the stream's */
	SSL *ssl;                  /* the bytes' */
	struct control_client *client;
	struct event *limit; /* of saying Hello, then of asking nothing */
	bool open;           /* said Hello, and may ask */
	bool has_no_role;    /* is there to be told that, and for nothing else */
	int64_t quiet_since; /* elapsed_usec() of the last request or answer */
	int64_t ends;        /* of its certificate, seconds since 1970 */
};

struct remote {
	struct event_base *base;
	const struct config *config;
	struct control *control;
	struct link_buffers *buffers;

	SSL_CTX *context; /* NULL: nobody is let in */
	struct access_identities *identities;
	struct failure failure; /* of reading the files last; its place "": they were good */
	struct failure deaf;    /* of listening last; its place "": it listens, or did not try */
	struct ev_token_bucket_cfg *rate; /* of the bytes of each peer */

	int fd; /* the listener, or -1 */
	struct event *accept_event;
	struct event *accept_again; /* when descriptors ran out */
	struct event *look;         /* at what ends */
	int64_t look_at;            /* seconds since 1970 */
	int64_t read_usec;          /* elapsed_usec() when the files were read last */
	struct event *turn;         /* for newcomers that are ready */

	size_t n_newcomers;
	TAILQ_HEAD(newcomers, newcomer) newcomers;
	TAILQ_HEAD(, newcomer) ready;
	size_t n_peers;
	LIST_HEAD(, peer) peers;

	LIST_HEAD(, source) sources[REMOTE_BUCKETS];
	size_t n_resting;
	TAILQ_HEAD(, source) resting; /* longest first */
	LIST_HEAD(, holder) holders[REMOTE_BUCKETS];

	int64_t lines_since; /* elapsed_usec(): of the minute that lines are counted in */
	unsigned int n_lines;

	uint64_t outcomes[_REMOTE_OUTCOME_N];
};

/* tally.c: what became of a connection */
void remote_count(struct remote *remote, enum remote_outcome outcome);
/* Part of a sentence, or "". */
const char *remote_outcome_text(enum remote_outcome outcome);
bool remote_is_well(const struct remote *remote);

/* listen.c: something ends then, perhaps before the next look. */
void remote_look_by(struct remote *remote, int64_t at);

/* source.c: of a table of REMOTE_BUCKETS */
unsigned int remote_bucket(const void *key, size_t len);
/* The entry of an address, of which the caller is to count something. */
struct source *source_of(struct remote *remote, const struct sockaddr_storage *address);
/* After a count of it went down: keeps or forgets it. */
void source_done(struct remote *remote, struct source *source);
/* All; none has connections. */
void sources_free(struct remote *remote);
/* A handshake failed. */
void source_failed(struct remote *remote, struct source *source);
bool source_is_refused(const struct remote *remote, const struct source *source);
/* Whether a line about somebody unknown may be written: there are only so many in a minute. */
bool remote_may_log(struct remote *remote);
/* holder.c: the entry of an identity, of which the caller is to count something */
struct holder *holder_of(struct remote *remote, const char *name);
void holder_done(struct holder *holder);
/* One more request; 0, or in how many milliseconds the next one is due. */
unsigned int holder_charge(const struct remote *remote, struct holder *holder);

/* newcomer.c: takes fd, whatever becomes of it */
void newcomer_admit(struct remote *remote, int fd, const struct sockaddr_storage *address);
struct newcomer *newcomer_free(struct newcomer *newcomer);
void newcomer_on_turn(evutil_socket_t fd, short what, void *remote);

/* peer.c: takes fd and ssl, whatever becomes of them */
void peer_admit(struct remote *remote, int fd, SSL *ssl, struct source *source);
struct peer *peer_free(struct peer *peer);
/* Says Bye, and why in the log. */
struct peer *peer_end(struct peer *peer, const char *why);
/* Ends the connection that can be missed most. False: there is none. */
bool peer_make_room(struct remote *remote, const struct holder *of);
/* Ends those whose certificate or rights are gone by what counts now. */
void peers_look(struct remote *remote);
/* Ends those whose certificates have expired. When the next one will have, in seconds since 1970. */
int64_t peers_end(struct remote *remote, int64_t now);
void peers_end_all(struct remote *remote, const char *why);
/* The configured rate is theirs from now on. */
void peers_rate(struct remote *remote);

/* trust.c: reads the files; what is good replaces what was, as a whole. False: what was stays, if there is any. */
bool trust_read(struct remote *remote);
void trust_free(struct remote *remote);
/* When the next of what it has ends that ends connections, in seconds since 1970; says what is wrong, or soon will be. */
int64_t trust_look(struct remote *remote, int64_t now);
