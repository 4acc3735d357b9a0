/*
 * lusign [--second] --keys DIR [--log FILE] [--user UID:GID] [--listen SOCKET]: the signer process. It opens the online keys,
 * the rules and its log, then does nothing but answer requests (proto/envelope/signer.h) until its
 * input ends. What it signed or refused is a line in the log, on disk before the answer leaves: a
 * log that cannot be written ends the signer. It leaves no core file and cannot be traced by
 * others, and everything it has read or written is wiped before the next request. Started as root
 * with --user, it opens its files and then becomes that user for good, before it reads a request:
 * keys and log stay root's.
 *
 * With --listen it answers at a socket, one client after the other and none for long, and what a client does wrong ends
 * that client's connection only. With --second it has a variant key only, and signs what a first
 * signer signed.
 *
 * Exit codes: 0 end of input, 1 usage, 2 keys, 3 a malformed request, 4 I/O.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "keyring/signer/clock.h"
#include "keyring/signer/listen.h"
#include "keyring/signer/sandbox.h"
#include "keyring/signer/signer.h"

enum {
	EXIT_USAGE = 1,
	EXIT_KEYS = 2,
	EXIT_REQUEST = 3,
	EXIT_IO = 4,
	LUSIGN_ON = -1,      /* not over: the next request */
	LUSIGN_UNLOGGED = 5, /* nothing is signed without a log: ends with EXIT_IO */
};

/* What goes on while it is tried again: a descriptor that does not block is waited for. */
static bool lusign_again(int fd, short events)
{
	return errno == EINTR || (errno == EAGAIN && listen_wait(fd, events));
}

/* 1 when all was read, 0 at the end of input, -1 on an error or a cut request. */
static int lusign_read(int fd, void *to, size_t len)
{
	uint8_t *p = to;
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, p + got, len - got);

		if (n == 0) {
			return got == 0 ? 0 : -1;
		}
		if (n < 0 && !lusign_again(fd, POLLIN)) {
			return -1;
		}
		got += n > 0 ? (size_t)n : 0;
	}
	return 1;
}

/*
 * What follows a request, in memory that the caller frees; 1, or -1. Nothing is read of one that is
 * too long: signer_handle() ends the signer for it.
 */
static int lusign_read_flat(int fd, const struct signer_request *request, uint8_t **ret_flat)
{
	uint32_t len = signer_flat_len(request);
	uint8_t *flat;
	int r = -1;

	if (len == 0 || len > KIT_FLAT_LEN_MAX) {
		return 1;
	}
	flat = malloc(len);
	if (flat != NULL) {
		r = lusign_read(fd, flat, len) == 1 ? 1 : -1;
	}
	if (r < 0) {
		free(flat);
		return r;
	}
	*ret_flat = flat;
	return r;
}

static int lusign_write(int fd, const void *from, size_t len)
{
	const uint8_t *p = from;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && !lusign_again(fd, POLLOUT)) {
			return -1;
		}
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/*
 * One line, on disk, before the answer leaves: a signature that exists is always in the log.
 * An empty note needs no line.
 */
static int lusign_log(int log, uint64_t now, const char *note)
{
	char line[SIGNER_NOTE_SIZE + 32];
	int n;

	if (*note == '\0') {
		return 0;
	}
	n = snprintf(line, sizeof(line), "%" PRIu64 " %s\n", now, note);
	return lusign_write(log, line, (size_t)n) < 0 || fdatasync(log) < 0 ? -1 : 0;
}

/*
 * Answer one request. Returns LUSIGN_ON to go on, else the exit code. Request and reply are static
 * and wiped: a seed that was sealed, or a manifest, does not lie in memory for a later bug to
 * show.
 */
static int lusign_serve_one(struct signer *s, int log, int in, int out)
{
	static struct signer_request request;
	static struct signer_reply reply;
	char note[SIGNER_NOTE_SIZE];
	uint8_t *flat = NULL;
	uint64_t now;
	int code = LUSIGN_ON;
	int r = lusign_read(in, &request, sizeof(request));

	if (r > 0) {
		r = lusign_read_flat(in, &request, &flat);
	}
	if (r <= 0) {
		return r == 0 ? 0 : EXIT_IO;
	}
	s->flat = flat;
	now = signer_clock_now();
	if (signer_handle(s, &request, now, &reply, note) < 0) {
		code = EXIT_REQUEST;
	} else if (lusign_log(log, now, note) < 0) {
		code = LUSIGN_UNLOGGED;
	} else if (lusign_write(out, &reply, sizeof(reply)) < 0) {
		code = EXIT_IO;
	}
	OPENSSL_cleanse(&request, sizeof(request));
	OPENSSL_cleanse(&reply, sizeof(reply));
	s->flat = NULL;
	free(flat);
	return code;
}

/* All requests of whoever started it; the exit code. */
static int lusign_serve(struct signer *s, int log)
{
	int code = LUSIGN_ON;

	while (code == LUSIGN_ON) {
		code = lusign_serve_one(s, log, STDIN_FILENO, STDOUT_FILENO);
	}
	return code;
}

/* One client after the other, each for as long as it has, until the log or the socket is lost. */
static int lusign_serve_clients(struct signer *s, int log, int listener)
{
	int code = LUSIGN_ON;

	while (code != LUSIGN_UNLOGGED) {
		int client = listen_accept(listener);

		if (client < 0) {
			return EXIT_IO;
		}
		do {
			code = lusign_serve_one(s, log, client, client);
		} while (code == LUSIGN_ON && !listen_is_over());
		(void)close(client);
	}
	return code;
}

/*
 * The log is ours and nobody else's; a line is never written over another. O_NONBLOCK so that
 * a FIFO put in its place cannot stop the start; default: signer.log beside the keys.
 */
static int lusign_log_open(const char *keys, const char *path)
{
	char beside[4096];
	int n = path != NULL ? snprintf(beside, sizeof(beside), "%s", path)
	                     : snprintf(beside, sizeof(beside), "%s/signer.log", keys);

	if (n < 0 || (size_t)n >= sizeof(beside)) {
		return -1;
	}
	return open(
	        beside, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
}

/*
 * No core file, no ptrace by others of this user, nothing gained by exec. First of all,
 * before a key is in memory. SIGPIPE is an error of write() here: the signer ends by its own
 * exit code.
 */
static void lusign_harden(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
}

struct options {
	const char *keys;
	const char *log;
	const char *user;
	const char *listen;
	enum signer_kind kind;
	unsigned int uid, gid; /* of --user */
};

/*
 * Another user, never root, for good (real, effective and saved ids; no groups), then no more
 * processes and a bound on memory. A change of ids sets anew what PR_SET_DUMPABLE has set,
 * hence a second time. After this nothing can be opened that the new user could not.
 */
static int lusign_become_user(const struct options *options)
{
	const struct rlimit memory = {UINT64_C(256) << 20, UINT64_C(256) << 20};
	const struct rlimit none = {0, 0};

	if (options->user != NULL &&
	        (setgroups(0, NULL) < 0 ||
	                setresgid(options->gid, options->gid, options->gid) < 0 ||
	                setresuid(options->uid, options->uid, options->uid) < 0)) {
		return -1;
	}
	return chdir("/") < 0 || setrlimit(RLIMIT_AS, &memory) < 0 ||
	                       setrlimit(RLIMIT_NPROC, &none) < 0 ||
	                       prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0
	               ? -1
	               : 0;
}

/*
 * UID:GID in numbers: names would need files that the sandbox has no call for. Root is no
 * user to become.
 */
static bool lusign_parse_user(struct options *options)
{
	char rest;

	return options->user == NULL ||
	       (sscanf(options->user, "%u:%u%c", &options->uid, &options->gid, &rest) == 2 &&
	               options->uid != 0 && options->gid != 0);
}

/* False: invalid command line. Every option but --second takes a value, and is given once. */
static bool lusign_parse_options(int argc, char **argv, struct options *ret)
{
	*ret = (struct options){.keys = NULL};
	for (int i = 1; i < argc; i += 2) {
		const char **to = strcmp(argv[i], "--keys") == 0     ? &ret->keys
		                  : strcmp(argv[i], "--log") == 0    ? &ret->log
		                  : strcmp(argv[i], "--user") == 0   ? &ret->user
		                  : strcmp(argv[i], "--listen") == 0 ? &ret->listen
		                                                     : NULL;

		if (strcmp(argv[i], "--second") == 0 && ret->kind == SIGNER_FIRST) {
			ret->kind = SIGNER_SECOND;
			i--;
			continue;
		}

		if (to == NULL || *to != NULL || i + 1 == argc) {
			return false;
		}
		*to = argv[i + 1];
	}
	return ret->keys != NULL && lusign_parse_user(ret);
}

/* The keys and their rules; else the exit code, and what is wrong is told. */
static int lusign_open(const struct options *options, struct signer *signer)
{
	const char *what;
	int r = signer_init(signer, options->keys, options->kind, &what);

	if (r != 0 && signer->rules_line != 0) {
		(void)fprintf(stderr, "lusign: %s/%s:%u: %s\n", options->keys, what,
		        signer->rules_line, signer->rules_why);
	} else if (r != 0) {
		(void)fprintf(
		        stderr, "lusign: %s/%s: %s\n", options->keys, what, keyring_error_text(r));
	}
	return r != 0 ? EXIT_KEYS : 0;
}

/* Of errno, which listen_open() has left. */
static const char *lusign_no_socket(void)
{
	return errno == EBUSY
	               ? "another signer listens at its socket: end that one, or see --listen"
	               : "cannot make its socket: see --listen";
}

int main(int argc, char **argv)
{
	struct signer signer;
	struct options options;
	const char *what;
	int log, listener = -1, code;

	if (!lusign_parse_options(argc, argv, &options)) {
		(void)fprintf(stderr, "usage: lusign [--second] --keys DIR [--log FILE] "
		                      "[--user UID:GID] [--listen SOCKET]\n");
		return EXIT_USAGE;
	}
	lusign_harden();
	if (lusign_open(&options, &signer) != 0) {
		return EXIT_KEYS;
	}
	log = lusign_log_open(options.keys, options.log);
	if (options.listen != NULL) {
		listener = listen_open(options.listen, options.uid, options.gid);
	}
	what = log < 0                                  ? "cannot open its log: see --log"
	       : options.listen != NULL && listener < 0 ? lusign_no_socket()
	       : lusign_become_user(&options) < 0       ? "cannot become the user of --user"
	       : sandbox_enter() < 0                    ? "cannot enter the sandbox"
	                                                : NULL;
	if (what != NULL) {
		(void)fprintf(stderr, "lusign: %s\n", what);
		signer_fini(&signer);
		return EXIT_IO;
	}
	code = listener < 0 ? lusign_serve(&signer, log)
	                    : lusign_serve_clients(&signer, log, listener);
	signer_fini(&signer);
	return code == LUSIGN_UNLOGGED ? EXIT_IO : code;
}
