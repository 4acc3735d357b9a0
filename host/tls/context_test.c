/*
 * Handshakes in memory: one end is ours, the other one breaks a rule. That other end is plain OpenSSL without
 * any rule, so that it would do what is refused here.
 */
#undef NDEBUG
#include "host/tls/context.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "host/base/err.h"
#include "host/tls/test/issue.h"

#define ROUNDS 40
#define TICKET_KEYS 80

static struct test_ca ca, other_ca, mid_ca;
static SSL_CTX *our_server, *our_client;

/* What an end of plain OpenSSL does differently from a good one. */
struct loose {
	const char *certificate; /* NAME.crt and NAME.key; NULL: none */
	const char *protocol;    /* as ALPN writes it; NULL: none */
	int version;             /* 0: TLS 1.3 */
	const char *groups, *suites;
};

static struct tls_files files_of(const char *name)
{
	return (struct tls_files){.ca = test_path("ca", "ca"),
	        .crl = test_path("ca", "crl"),
	        .certificate = test_path(name, "crt"),
	        .key = test_path(name, "key")};
}

static void issue_all(void)
{
	static const struct test_says host = {.name = "URI:samsara:host/lud", .use = "serverAuth"};
	static const struct test_says user = {0};
	long revoked[] = {0, 0, 0};

	ca = test_ca("ca", NULL, -TEST_DAY, 30 * TEST_DAY);
	other_ca = test_ca("other", NULL, -TEST_DAY, 30 * TEST_DAY);
	mid_ca = test_ca("mid", &ca, -TEST_DAY, 30 * TEST_DAY);
	test_issue(&ca, "lud", &host);
	test_issue(&ca, "alice", &user);
	revoked[0] = test_issue(&ca, "revoked", &user);
	revoked[1] = test_issue(&ca, "revoked_host", &host);
	test_list("ca", &ca, &ca, revoked, -3600, 10 * TEST_DAY);
}

static int choose_first(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
        const unsigned char *names, unsigned int len, void *arg)
{
	*ret_name = names + 1;
	*ret_len = names[0];
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *loose_context(const SSL_METHOD *method, const struct loose *loose)
{
	SSL_CTX *context = SSL_CTX_new(method);
	int version = loose->version ? loose->version : TLS1_3_VERSION;

	assert(context);
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_max_proto_version(context, version);
	assert(!loose->groups || SSL_CTX_set1_groups_list(context, loose->groups) == 1);
	assert(!loose->suites || SSL_CTX_set_ciphersuites(context, loose->suites) == 1);
	if (loose->certificate) {
		assert(SSL_CTX_use_certificate_chain_file(
		               context, test_path(loose->certificate, "crt")) == 1);
		assert(SSL_CTX_use_PrivateKey_file(context, test_path(loose->certificate, "key"),
		               SSL_FILETYPE_PEM) == 1);
	}
	if (loose->protocol) {
		assert(!SSL_CTX_set_alpn_protos(context, (const unsigned char *)loose->protocol,
		        (unsigned int)strlen(loose->protocol)));
		SSL_CTX_set_alpn_select_cb(context, choose_first, NULL);
	}
	return context;
}

struct meeting {
	SSL *client, *server;
};

static struct meeting meeting_new(SSL_CTX *client, SSL_CTX *server)
{
	struct meeting meeting = {SSL_new(client), SSL_new(server)};
	BIO *ours, *theirs;

	assert(meeting.client && meeting.server);
	assert(BIO_new_bio_pair(&ours, 1 << 17, &theirs, 1 << 17) == 1);
	SSL_set_bio(meeting.client, ours, ours);
	SSL_set_bio(meeting.server, theirs, theirs);
	SSL_set_connect_state(meeting.client);
	SSL_set_accept_state(meeting.server);
	return meeting;
}

static void meeting_free(struct meeting *meeting)
{
	SSL_free(meeting->client);
	SSL_free(meeting->server);
	ERR_clear_error();
}

/* Until neither end goes on. NULL: the end that is asked about is content; else what it says. */
static const char *meet(struct meeting *meeting, SSL *asked)
{
	SSL *other = asked == meeting->client ? meeting->server : meeting->client;
	int r = 0;

	for (int i = 0; i < ROUNDS; i++) {
		ERR_clear_error();
		(void)SSL_do_handshake(other);
		ERR_clear_error();
		r = SSL_do_handshake(asked);
		if (r != 1 && SSL_get_error(asked, r) != SSL_ERROR_WANT_READ) {
			return tls_verify_error(asked);
		}
	}
	return r == 1 ? NULL : "it waits";
}

static const char *server_says(const struct loose *loose)
{
	SSL_CTX *client = loose_context(TLS_client_method(), loose);
	struct meeting meeting = meeting_new(client, our_server);
	const char *why = meet(&meeting, meeting.server);
	struct tls_identity peer;

	assert((tls_connected(meeting.server, &peer) == 0) == !why);
	err_forget();
	if (!why) {
		assert(peer.kind == TLS_USER && !strcmp(peer.name, "alice"));
	}
	meeting_free(&meeting);
	SSL_CTX_free(client);
	return why;
}

static const char *client_says(const struct loose *loose, const char *expected)
{
	SSL_CTX *server = loose_context(TLS_server_method(), loose);
	struct meeting meeting = meeting_new(our_client, server);
	const char *why;
	struct tls_identity peer;

	if (expected) {
		assert(tls_expect(meeting.client, "another") == 0);
		assert(tls_expect(meeting.client, expected) == 0);
	}
	why = meet(&meeting, meeting.client);
	assert((tls_connected(meeting.client, &peer) == 0) == !why);
	err_forget();
	meeting_free(&meeting);
	SSL_CTX_free(server);
	return why;
}

#define SPOKEN "\x11samsara-control/1"

static void check(const char *why, const char *expected, const char *of)
{
	if (expected ? !why || !strstr(why, expected) : why != NULL) {
		(void)fprintf(stderr, "%s: %s, expected %s\n", of, why ? why : "let in",
		        expected ? expected : "let in");
		abort();
	}
}

/* A certificate that is not good, shown to an end of ours by a peer that finds it good. */
struct shown {
	const char *of;
	const struct test_ca *ca;
	struct test_says says;
	const char *why; /* NULL: it is let in */
};

static const struct shown users[] = {
        {"good", &ca, {0}, NULL},
        {"with its CA", &ca, {.shown = &ca}, NULL},
        {"other CA", &other_ca, {0}, "not from a CA that is believed"},
        {"other CA, shown", &other_ca, {.shown = &other_ca}, "from one that it shows"},
        {"for servers", &ca, {.use = "serverAuth"}, "not for this end"},
        {"for both", &ca, {.use = "serverAuth,clientAuth"}, "exactly one of"},
        {"for anything", &ca, {.use = ""}, "exactly one of"},
        {"and for code", &ca, {.use = "clientAuth,codeSigning"}, "exactly one of"},
        {"expired", &ca, {.from = -7200, .to = -3600}, "expired"},
        {"not yet", &ca, {.from = 3600, .to = 7200}, "not valid yet"},
        {"unnamed", &ca, {.name = ""}, "names nobody"},
        {"two names", &ca, {.name = "URI:samsara:user/alice,URI:samsara:user/bob"},
                "more than one"},
        {"a host's name", &ca, {.name = "URI:samsara:host/lud"}, "does not fit its name"},
        {"a CA", &ca, {.is_ca = true}, "that of a CA"},
        {"deep", &mid_ca, {.shown = &mid_ca}, "from one that it shows"},
        {"deep, hidden", &mid_ca, {0}, "not from a CA that is believed"},
        {"long", &ca, {.shown = &ca, .shown_2 = &other_ca}, "more than two certificates"},
        {"as large as may be", &ca, {.padding = 7400}, NULL},
        {"huge", &ca, {.padding = 8200}, "more than 8 KiB"},
        {"P-384", &ca, {.key = "P-384"}, "no certificate"},
        {"RSA", &ca, {.key = "RSA"}, "no certificate"},
};

static const struct shown hosts[] = {
        {"good", &ca, {0}, NULL},
        {"other CA", &other_ca, {0}, "not from a CA that is believed"},
        {"for clients", &ca, {.use = "clientAuth"}, "not for this end"},
        {"for both", &ca, {.use = "serverAuth,clientAuth"}, "exactly one of"},
        {"expired", &ca, {.from = -7200, .to = -3600}, "expired"},
        {"a user's name", &ca, {.name = "URI:samsara:user/lud"}, "does not fit its name"},
        {"another host", &ca, {.name = "URI:samsara:host/lud2"}, "another host"},
        {"a name of DNS", &ca, {.name = "DNS:lud"}, "no URI"},
        {"deep", &mid_ca, {.shown = &mid_ca}, "from one that it shows"},
        {"huge", &ca, {.padding = 8200}, "more than 8 KiB"},
};

static void test_users(void)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		test_issue(users[i].ca, "shown", &users[i].says);
		check(server_says(&(struct loose){.certificate = "shown", .protocol = SPOKEN}),
		        users[i].why, users[i].of);
	}
	check(server_says(&(struct loose){.certificate = "revoked", .protocol = SPOKEN}), "revoked",
	        "revoked");
	check(server_says(&(struct loose){.certificate = NULL, .protocol = SPOKEN}),
	        "no certificate", "none");
}

static void test_hosts(void)
{
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct test_says says = hosts[i].says;

		says.name = says.name ? says.name : "URI:samsara:host/lud";
		says.use = says.use ? says.use : "serverAuth";
		test_issue(hosts[i].ca, "shown", &says);
		check(client_says(
		              &(struct loose){.certificate = "shown", .protocol = SPOKEN}, "lud"),
		        hosts[i].why, hosts[i].of);
	}
	check(client_says(
	              &(struct loose){.certificate = "revoked_host", .protocol = SPOKEN}, "lud"),
	        "revoked", "revoked");
	check(client_says(&(struct loose){.certificate = "lud", .protocol = SPOKEN}, "lu"),
	        "another host", "shorter");
	check(client_says(&(struct loose){.certificate = "lud", .protocol = SPOKEN}, NULL),
	        "another host", "nobody expected");
}

static void test_protocol(void)
{
	static const char *const none = "does not speak samsara-control/1";
	/* Plain OpenSSL as a server takes the first protocol that it is offered, which is ours. */
	static const struct {
		const char *of;
		struct loose loose;
		const char *by_server, *by_client;
	} cases[] = {
	        {"no ALPN", {.protocol = NULL}, none, none},
	        {"another", {.protocol = "\x02h2"}, none, NULL},
	        {"a longer one", {.protocol = "\x12samsara-control/12"}, none, NULL},
	        {"TLS 1.2", {.protocol = SPOKEN, .version = TLS1_2_VERSION}, "unsupported protocol",
	                "protocol version"},
	        {"TLS 1.0", {.protocol = SPOKEN, .version = TLS1_VERSION}, "unsupported protocol",
	                "protocol version"},
	        {"P-384", {.protocol = SPOKEN, .groups = "P-384"}, "no suitable key share",
	                "handshake failure"},
	        {"X448", {.protocol = SPOKEN, .groups = "X448"}, "no suitable key share",
	                "handshake failure"},
	        {"P-256", {.protocol = SPOKEN, .groups = "P-256"}, NULL, NULL},
	        {"CHACHA20", {.protocol = SPOKEN, .suites = "TLS_CHACHA20_POLY1305_SHA256"}, NULL,
	                NULL},
	        {"CCM", {.protocol = SPOKEN, .suites = "TLS_AES_128_CCM_SHA256"},
	                "no shared cipher", "handshake failure"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct loose loose = cases[i].loose;

		loose.certificate = "alice";
		check(server_says(&loose), cases[i].by_server, cases[i].of);
		loose.certificate = "lud";
		check(client_says(&loose, "lud"), cases[i].by_client, cases[i].of);
	}
}

/*
 * A ticket that a server of the same keys gave out is worth nothing here; and none is given out. Early data, which
 * goes with a ticket, ends the handshake.
 */
static SSL_SESSION *ticket_of(SSL_CTX *client, const unsigned char *keys)
{
	SSL_CTX *server = loose_context(
	        TLS_server_method(), &(struct loose){.certificate = "lud", .protocol = SPOKEN});
	struct meeting meeting = meeting_new(client, server);
	SSL_SESSION *session;
	char byte;

	assert(SSL_CTX_set_tlsext_ticket_keys(server, (void *)keys, TICKET_KEYS) == 1);
	SSL_free(meeting.server);
	SSL_free(meeting.client);
	SSL_CTX_set_max_early_data(server, 4096);
	meeting = meeting_new(client, server);
	check(meet(&meeting, meeting.client), NULL, "for a ticket");
	assert(SSL_read(meeting.client, &byte, 1) < 0);
	session = SSL_get1_session(meeting.client);
	assert(SSL_SESSION_is_resumable(session));
	/* Who frees it unshut would have it declared invalid. */
	SSL_set_shutdown(meeting.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	meeting_free(&meeting);
	SSL_CTX_free(server);
	return session;
}

static void test_resumption(void)
{
	static const unsigned char keys[TICKET_KEYS] = "the same";
	SSL_CTX *client = loose_context(
	        TLS_client_method(), &(struct loose){.certificate = "alice", .protocol = SPOKEN});
	SSL_SESSION *ticket = ticket_of(client, keys);
	struct meeting meeting;
	size_t n;
	char byte;

	assert(SSL_CTX_set_tlsext_ticket_keys(our_server, (void *)keys, sizeof(keys)) == 1);
	meeting = meeting_new(client, our_server);
	assert(SSL_set_session(meeting.client, ticket) == 1);
	check(meet(&meeting, meeting.server), NULL, "with a ticket");
	assert(!SSL_session_reused(meeting.server) && !SSL_session_reused(meeting.client));
	assert(SSL_read(meeting.client, &byte, 1) < 0);
	assert(!SSL_SESSION_is_resumable(SSL_get0_session(meeting.client)));
	meeting_free(&meeting);

	meeting = meeting_new(client, our_server);
	assert(SSL_set_session(meeting.client, ticket) == 1);
	assert(SSL_write_early_data(meeting.client, "early", 5, &n) == 1);
	check(meet(&meeting, meeting.server), "early data", "early data");
	meeting_free(&meeting);
	SSL_SESSION_free(ticket);
	SSL_CTX_free(client);
}

/* Both ends ours; and each hears from the other why it was refused. */
static void test_ours(void)
{
	struct meeting meeting = meeting_new(our_client, our_server);
	struct tls_identity peer;
	char byte;

	assert(tls_expect(meeting.client, "lud") == 0);
	check(meet(&meeting, meeting.client), NULL, "ours");
	check(meet(&meeting, meeting.server), NULL, "ours");
	assert(tls_connected(meeting.client, &peer) == 0);
	assert(peer.kind == TLS_HOST && !strcmp(peer.name, "lud"));
	assert(llabs(tls_peer_end(meeting.server) - (time(NULL) + TEST_DAY)) < 600);
	meeting_free(&meeting);

	SSL_CTX *client = loose_context(
	        TLS_client_method(), &(struct loose){.certificate = "revoked", .protocol = SPOKEN});

	meeting = meeting_new(client, our_server);
	assert(meet(&meeting, meeting.server));
	ERR_clear_error();
	assert(SSL_read(meeting.client, &byte, 1) <= 0);
	check(tls_verify_error(meeting.client), "certificate revoked", "heard");
	meeting_free(&meeting);
	SSL_CTX_free(client);
	meeting = meeting_new(our_client, our_server);
	assert(tls_connected(meeting.client, &peer) == -EPROTO);
	err_forget();
	meeting_free(&meeting);
}

static SSL_CTX *server_of(const struct tls_files *files)
{
	SSL_CTX *context = NULL;
	struct failure failure = {0};

	if (tls_server_context(files, &context, &failure) < 0) {
		(void)fprintf(stderr, "%s: %s\n", failure.place, failure.cause);
		abort();
	}
	return context;
}

/* What was let in by one context is looked at again by the next. */
static void test_again(void)
{
	static const struct test_says user = {.from = -3600, .to = 5 * TEST_DAY};
	struct tls_files files = files_of("lud");
	long serials[] = {test_issue(&ca, "carol", &user), 0};
	SSL_CTX *client = loose_context(
	        TLS_client_method(), &(struct loose){.certificate = "carol", .protocol = SPOKEN});
	struct meeting meeting = meeting_new(client, our_server);
	SSL_CTX *next;

	check(meet(&meeting, meeting.server), NULL, "carol");
	check(tls_context_objection(our_server, meeting.server), NULL, "as it was");

	test_list("next", &ca, &ca, serials, -3600, TEST_DAY);
	files.crl = test_path("next", "crl");
	next = server_of(&files);
	check(tls_context_objection(next, meeting.server), "revoked", "revoked since");
	SSL_CTX_free(next);

	/* Another CA has revoked another one of this number. */
	test_issue(&other_ca, "lud3",
	        &(struct test_says){.name = "URI:samsara:host/lud", .use = "serverAuth"});
	test_list("next", &other_ca, &other_ca, NULL, -3600, TEST_DAY);
	files = files_of("lud3");
	files.ca = test_path("other", "ca");
	files.crl = test_path("next", "crl");
	next = server_of(&files);
	check(tls_context_objection(next, meeting.server), "not from a CA", "another CA");
	SSL_CTX_free(next);

	/* The same CA with a certificate of another date: what it signed is good. */
	struct test_ca renewed = ca;

	renewed.certificate = X509_dup(ca.certificate);
	assert(X509_gmtime_adj(X509_getm_notAfter(renewed.certificate), 60 * TEST_DAY));
	assert(X509_sign(renewed.certificate, ca.key, EVP_sha256()) > 0);
	test_issue(&renewed, "lud4",
	        &(struct test_says){
	                .name = "URI:samsara:host/lud", .use = "serverAuth", .shown = &renewed});
	files = files_of("lud4");
	{
		FILE *file = fopen(test_path("renewed", "ca"), "w");

		assert(file && PEM_write_X509(file, renewed.certificate) == 1 && !fclose(file));
	}
	files.ca = test_path("renewed", "ca");
	next = server_of(&files);
	check(tls_context_objection(next, meeting.server), NULL, "a renewed CA");
	SSL_CTX_free(next);
	X509_free(renewed.certificate);
	meeting_free(&meeting);
	SSL_CTX_free(client);
}

/* A list that ends while it is in use: nobody is let in any more. */
static void test_ends(void)
{
	static const struct test_says user = {.from = -3600, .to = 20 * TEST_DAY};
	struct tls_files files = files_of("lud");
	SSL_CTX *context = server_of(&files), *was = our_server;
	struct tls_end end = tls_context_end(context);

	assert(!strcmp(end.what, "the certificate"));
	assert(llabs(end.at - (time(NULL) + TEST_DAY)) < 600);
	assert(llabs(tls_context_ends(context).list - (time(NULL) + 10 * TEST_DAY)) < 600);
	assert(llabs(tls_context_begin(context).at - (time(NULL) - 3600)) < 600);
	X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(context), time(NULL) + 11 * TEST_DAY);
	test_issue(&ca, "alice", &user);
	our_server = context;
	check(server_says(&(struct loose){.certificate = "alice", .protocol = SPOKEN}),
	        "list of revoked certificates is too old", "an old list");
	our_server = was;
	SSL_CTX_free(context);
}

/* A connection is no longer good than what its peer was believed by. */
static void test_peer_end(void)
{
	static const struct test_says host = {.name = "URI:samsara:host/lud", .use = "serverAuth"};
	static const struct loose loose = {.certificate = "brief_user", .protocol = SPOKEN};
	struct test_ca brief = test_ca("brief", NULL, -3600, 7200);
	struct tls_files files = files_of("brief_host");
	struct meeting meeting;
	SSL_CTX *server, *client;

	test_issue(&brief, "brief_host", &host);
	test_issue(&brief, "brief_user", &(struct test_says){0});
	test_list("brief", &brief, &brief, NULL, -60, TEST_DAY);
	files.ca = test_path("brief", "ca");
	files.crl = test_path("brief", "crl");
	server = server_of(&files);
	client = loose_context(TLS_client_method(), &loose);
	meeting = meeting_new(client, server);
	check(meet(&meeting, meeting.server), NULL, "a CA that ends first");
	assert(llabs(tls_peer_end(meeting.server) - (time(NULL) + 7200)) < 600);
	meeting_free(&meeting);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	test_ca_free(&brief);
}

int main(void)
{
	struct failure failure = {0};
	struct tls_files files;

	test_start();
	issue_all();
	files = files_of("lud");
	our_server = server_of(&files);
	files = files_of("alice");
	assert(tls_client_context(&files, &our_client, &failure) == 0);
	test_ours();
	test_users();
	test_hosts();
	test_protocol();
	test_resumption();
	test_again();
	test_ends();
	test_peer_end();
	SSL_CTX_free(our_server);
	SSL_CTX_free(our_client);
	test_ca_free(&ca);
	test_ca_free(&other_ca);
	test_ca_free(&mid_ca);
	test_end();
	return 0;
}
