/* Files that a context is made of: each that is not what it is to be is refused, and the failure names it. */
#undef NDEBUG
#include "host/tls/context.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/err.h"
#include "host/tls/test/issue.h"

static const struct test_says host = {.name = "URI:samsara:host/lud", .use = "serverAuth"};
static struct test_ca ca, other_ca;

/* The files of a good server, whose certificate and key have this name. */
static struct tls_files files_of(const char *name)
{
	return (struct tls_files){.ca = test_path("ca", "ca"),
	        .crl = test_path("ca", "crl"),
	        .certificate = test_path(name, "crt"),
	        .key = test_path(name, "key")};
}

/* error: 0: they are good. at: the file that is named. */
static void check(const struct tls_files *files, int error, const char *at, const char *cause)
{
	struct failure failure = {0};
	SSL_CTX *context = NULL;
	int r = tls_server_context(files, &context, &failure);

	if (r != error || !strstr(failure.cause, cause)) {
		(void)fprintf(stderr, "%d: %s: %s; expected %d: %s\n", r, failure.place,
		        failure.cause, error, cause);
		abort();
	}
	assert(!error || (!strcmp(failure.place, at) && *failure.remedy && !context));
	/* What begins later is not made anew: a clock is wrong. */
	assert(!strstr(failure.remedy, "clock") == !strstr(failure.cause, "not valid yet"));
	err_forget();
	SSL_CTX_free(context);
}

static void check_own(const char *of, const struct test_says *says, int error, const char *cause)
{
	struct tls_files files;

	test_issue(&ca, of, says);
	files = files_of(of);
	check(&files, error, files.certificate, cause);
}

static void test_own(void)
{
	struct test_says says = host;
	struct tls_files files;
	long serials[] = {0, 0};

	check_own("good", &host, 0, "");
	says.shown = &ca;
	check_own("with_ca", &says, 0, "");
	says.shown_2 = &other_ca;
	check_own("too_many", &says, -EBADMSG, "too many");
	check_own("user", &(struct test_says){0}, -EKEYREJECTED, "not for this end");
	says = host;
	says.use = "serverAuth,clientAuth";
	check_own("both", &says, -EKEYREJECTED, "exactly one of");
	says = host;
	says.from = -7200, says.to = -60;
	check_own("expired", &says, -EKEYEXPIRED, "expired");
	says.from = 60, says.to = 7200;
	check_own("early", &says, -EKEYEXPIRED, "not valid yet");
	says = host;
	says.key = "P-384";
	check_own("p384", &says, -EKEYREJECTED, "not of P-256");
	says.key = "RSA";
	check_own("rsa", &says, -EKEYREJECTED, "not of P-256");
	serials[0] = test_issue(&ca, "revoked", &host);
	test_list("revoked", &ca, &ca, serials, -60, TEST_DAY);
	files = files_of("revoked");
	files.crl = test_path("revoked", "crl");
	check(&files, -EKEYREVOKED, files.certificate, "revoked");
	files = files_of("nobody");
	check(&files, -ENOENT, files.certificate, "cannot be read");
	files.certificate = files.crl;
	check(&files, -EBADMSG, files.certificate, "no file of PEM certificates");
}

static void test_key(void)
{
	struct tls_files files = files_of("good");
	char text[4096];
	FILE *file;
	size_t n;

	for (unsigned int mode = 0; mode < 0100; mode++) {
		assert(chmod(files.key, 0600 | mode) == 0);
		check(&files, mode ? -EPERM : 0, files.key, mode ? "others could" : "");
	}
	assert(chmod(files.key, 0400) == 0);
	check(&files, 0, files.key, "");
	assert(symlink(files.key, test_path("link", "key")) == 0);
	files.key = test_path("link", "key");
	check(&files, -ELOOP, files.key, "a link");
	files = files_of("good");
	files.key = test_path("user", "key");
	check(&files, -EKEYREJECTED, files.key, "not the key of the certificate");
	files.key = test_path("none", "key");
	check(&files, -ENOENT, files.key, "cannot be read");
	test_write(files.key, "", 0600);
	check(&files, -EBADMSG, files.key, "no private key");
	/* What would ask for a passphrase asks nobody. */
	file = fopen(test_path("good", "key"), "r");
	assert(file && (n = fread(text, 1, sizeof(text) - 1, file)) > 0 && !fclose(file));
	text[n] = '\0';
	memcpy(strstr(text, "BEGIN PRIVATE"), "BEGIN ENCRYPT", 13);
	test_write(files.key, text, 0600);
	check(&files, -EBADMSG, files.key, "no private key");
	/* Whose it is counts as well; only root can give a file away. */
	if (geteuid() == 0) {
		files = files_of("good");
		assert(chown(files.key, 1, (gid_t)-1) == 0);
		check(&files, -EPERM, files.key, "others could");
		assert(chown(files.key, 0, (gid_t)-1) == 0);
	}
}

static void test_lists(void)
{
	static const struct {
		const struct test_ca *of, *signer;
		long from, to;
		int error;
		const char *cause;
	} cases[] = {
	        {&ca, &ca, -60, TEST_DAY, 0, ""},
	        {&ca, &ca, -7200, -60, -EKEYEXPIRED, "too old"},
	        {&ca, &ca, -7200, 0, -EKEYEXPIRED, "too old"},
	        {&ca, &ca, 60, 7200, -EKEYEXPIRED, "not valid yet"},
	        {&ca, &other_ca, -60, TEST_DAY, -EKEYREJECTED, "not signed by a CA"},
	        {&other_ca, &ca, -60, TEST_DAY, -EKEYREJECTED, "not signed by a CA"},
	        {&other_ca, &other_ca, -60, TEST_DAY, -EKEYREJECTED, "not signed by a CA"},
	};
	struct tls_files files = files_of("good");

	files.crl = test_path("list", "crl");
	check(&files, -ENOENT, files.crl, "cannot be read");
	test_write(files.crl, "", 0644);
	check(&files, -EBADMSG, files.crl, "no list of what a CA");
	test_write(files.crl, "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n", 0644);
	check(&files, -EBADMSG, files.crl, "no file of PEM lists");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		test_list("list", cases[i].of, cases[i].signer, NULL, cases[i].from, cases[i].to);
		check(&files, cases[i].error, files.crl, cases[i].cause);
	}
}

static void append(const char *to, const char *from)
{
	char command[400];

	(void)snprintf(command, sizeof(command), "cat %s >>%s", from, to);
	assert(system(command) == 0);
}

/* Two CAs while one takes over from the other, each with its list. */
static void test_cas(void)
{
	struct tls_files files = files_of("good");
	struct test_ca old = test_ca("old", NULL, -7200, -60);
	struct test_ca early = test_ca("early", NULL, 3600, 7200);

	files.ca = test_path("old", "ca");
	check(&files, -EKEYEXPIRED, files.ca, "has expired");
	files.ca = test_path("early", "ca");
	check(&files, -EKEYEXPIRED, files.ca, "not valid yet");
	files.ca = files.certificate;
	check(&files, -EKEYREJECTED, files.ca, "not that of a CA");
	files.ca = test_path("none", "ca");
	check(&files, -ENOENT, files.ca, "cannot be read");
	append(files.ca, test_path("ca", "ca"));
	append(files.ca, test_path("other", "ca"));
	check(&files, -EBADMSG, files.crl, "no list of what a CA");
	files.crl = test_path("two", "crl");
	test_list("two", &other_ca, &other_ca, NULL, -60, TEST_DAY);
	check(&files, -EBADMSG, files.crl, "no list of what a CA");
	append(files.crl, test_path("ca", "crl"));
	check(&files, 0, files.crl, "");
	for (int i = 0; i < 3; i++) {
		append(files.ca, test_path("other", "ca"));
	}
	check(&files, -EBADMSG, files.ca, "too many");
	test_ca_free(&early);
	test_ca_free(&old);
}

/* What no handshake would take is refused when it is read, and not when the first peer comes. */
static void test_weak(void)
{
	struct test_ca weak = test_weak_ca("weak");
	struct tls_files files;

	test_issue(&weak, "weak", &host);
	test_list("weak", &weak, &weak, NULL, -60, TEST_DAY);
	files = files_of("weak");
	files.ca = test_path("weak", "ca");
	files.crl = test_path("weak", "crl");
	check(&files, -EKEYREJECTED, files.certificate, "too weak");
	test_ca_free(&weak);
}

int main(void)
{
	test_start();
	ca = test_ca("ca", NULL, -TEST_DAY, 30 * TEST_DAY);
	other_ca = test_ca("other", NULL, -TEST_DAY, 30 * TEST_DAY);
	test_list("ca", &ca, &ca, NULL, -3600, TEST_DAY);
	test_own();
	test_key();
	test_lists();
	test_cas();
	test_weak();
	test_ca_free(&ca);
	test_ca_free(&other_ca);
	test_end();
	return 0;
}
