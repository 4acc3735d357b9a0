/*
 * lusign --keys DIR: the signer process. It opens the online keys, then does
 * nothing but answer requests (proto/envelope/signer.h) until its input ends. It
 * leaves no core file and cannot be traced by others, and everything it has read or
 * written is wiped before the next request.
 *
 * Exit codes: 0 end of input, 1 usage, 2 keys, 3 a malformed request, 4 I/O.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <openssl/crypto.h>

#include "keyring/clock.h"
#include "keyring/priv.h"
#include "keyring/sandbox.h"
#include "keyring/signer.h"

enum {
	EXIT_USAGE = 1,
	EXIT_KEYS = 2,
	EXIT_REQUEST = 3,
	EXIT_IO = 4,
};

/* 1 when all was read, 0 at the end of input, -1 on an error or a cut request. */
static int read_all(int fd, void *to, size_t len)
{
	uint8_t *p = to;
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, p + got, len - got);

		if (n == 0) {
			return got == 0 ? 0 : -1;
		}
		if (n < 0 && errno != EINTR) {
			return -1;
		}
		got += n > 0 ? (size_t)n : 0;
	}
	return 1;
}

static int write_all(int fd, const void *from, size_t len)
{
	const uint8_t *p = from;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR) {
			return -1;
		}
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Answer one request. Returns -1 to go on, else the exit code. */
static int serve_one(const struct signer *s)
{
	struct signer_request request;
	struct signer_reply reply;
	int code = -1;
	int r = read_all(STDIN_FILENO, &request, sizeof(request));

	if (r <= 0) {
		return r == 0 ? 0 : EXIT_IO;
	}
	if (signer_handle(s, &request, signer_clock_now(), &reply) < 0) {
		code = EXIT_REQUEST;
	} else if (write_all(STDOUT_FILENO, &reply, sizeof(reply)) < 0) {
		code = EXIT_IO;
	}
	OPENSSL_cleanse(&request, sizeof(request));
	OPENSSL_cleanse(&reply, sizeof(reply));
	return code;
}

static void process_harden(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct signer signer;
	const char *what;
	int code = -1;
	int r;

	if (argc != 3 || strcmp(argv[1], "--keys") != 0) {
		(void)fprintf(stderr, "usage: lusign --keys DIR\n");
		return EXIT_USAGE;
	}
	process_harden();
	r = signer_init(&signer, argv[2], &what);
	if (r != 0) {
		(void)fprintf(stderr, "lusign: %s/%s: %s\n", argv[2], what, keyring_error_text(r));
		return EXIT_KEYS;
	}
	if (sandbox_enter() < 0) {
		(void)fprintf(stderr, "lusign: cannot enter the sandbox\n");
		signer_fini(&signer);
		return EXIT_IO;
	}
	while (code < 0) {
		code = serve_one(&signer);
	}
	signer_fini(&signer);
	return code;
}
