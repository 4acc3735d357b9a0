/*
 * Names are looked up in a thread of libc's (getaddrinfo_a), since a server of names that is silent would keep luctl for a
 * minute, deaf for Ctrl-C. An address is tried as long as its share of the time lasts, so that one that swallows everything
 * leaves some for the next. What is told at the end is what became of the last one.
 */
#include "ctl/client/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/base/base.h"
#include "ctl/client/wait.h"

/* What Ctrl-C is looked for at least so often. */
#define RESOLVE_SLICE_MSEC 200

int resolve_wait(int fd, short events, int64_t until)
{
	while (!wait_is_interrupted()) {
		struct pollfd poll_fd = {.fd = fd, .events = events};
		int64_t left = until - wait_now_msec();
		int n;

		if (left <= 0) {
			return 0;
		}
		n = poll(&poll_fd, 1, left < RESOLVE_SLICE_MSEC ? (int)left : RESOLVE_SLICE_MSEC);
		if (n > 0) {
			return 1;
		}
	}
	return -1;
}

/* A request that is under way. Its thread writes into it: one that does not end is left to the end of the program. */
struct resolve_request {
	struct gaicb ask;
	struct addrinfo hints;
};

static int resolve_interrupted(const char *name)
{
	return ctl_fail(CTL_INTERRUPTED, name, "", "interrupted before lud was asked");
}

/* Waits for libc's thread. 0, EAI_INPROGRESS: the time is over; EAI_INTR: Ctrl-C; or why there is no address. */
static int resolve_suspend(const struct resolve_request *request, int64_t until)
{
	const struct gaicb *const list[] = {&request->ask};
	const struct timespec slice = {0, RESOLVE_SLICE_MSEC * 1000000L};
	int r;

	while ((r = gai_error((struct gaicb *)&request->ask)) == EAI_INPROGRESS) {
		if (wait_is_interrupted()) {
			return EAI_INTR;
		}
		if (wait_now_msec() >= until) {
			return r;
		}
		(void)gai_suspend(list, 1, &slice);
	}
	return r;
}

/* The addresses of a name; freed by freeaddrinfo(). */
static int resolve_name(const char *name, const char *host, const char *port, int64_t until,
        struct addrinfo **ret_list)
{
	struct resolve_request *request = ctl_zero(sizeof(*request));
	struct gaicb *list[] = {&request->ask};
	int r;

	request->hints.ai_socktype = SOCK_STREAM;
	request->hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
	r = getaddrinfo(host, port, &request->hints, ret_list);
	if (r == 0) {
		free(request);
		return CTL_OK;
	}
	request->hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
	request->ask.ar_name = ctl_format("%s", host);
	request->ask.ar_service = ctl_format("%s", port);
	request->ask.ar_request = &request->hints;
	r = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	r = r == 0 ? resolve_suspend(request, until) : r;
	if (r == EAI_INTR) {
		return resolve_interrupted(name);
	}
	if (r == EAI_INPROGRESS) {
		return ctl_fail(CTL_UNREACHABLE, name,
		        "look at this host's name servers, or give the address",
		        "no answer to where `%s` is", host);
	}
	*ret_list = request->ask.ar_result;
	free((char *)request->ask.ar_name);
	free((char *)request->ask.ar_service);
	free(request);
	return r == 0 ? CTL_OK
	              : ctl_fail(CTL_UNREACHABLE, name,
	                        "correct its address (`luctl host list`), or this host's name "
	                        "servers",
	                        "cannot find out where `%s` is: %s", host, gai_strerror(r));
}

/* One address: 0, or an errno; EINTR: Ctrl-C. */
static int resolve_try(const struct addrinfo *address, int64_t until, int *ret_fd)
{
	static const int yes = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? errno : 0, ready;
	socklen_t len = sizeof(r);

	if (fd >= 0 && connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
		r = errno;
	}
	if (r == EINPROGRESS) {
		ready = resolve_wait(fd, POLLOUT, until);
		r = ready < 0 ? EINTR : ETIMEDOUT;
		if (ready > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &r, &len) < 0) {
			r = errno;
		}
	}
	if (r != 0) {
		if (fd >= 0) {
			close(fd);
		}
		return r;
	}
	/* Requests are small, and waited for. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	*ret_fd = fd;
	return 0;
}

static int resolve_failed(const char *name, int error)
{
	const char *remedy = "see whether the host is up, and the way to it";

	if (error == EINTR) {
		return resolve_interrupted(name);
	}
	if (error == ECONNREFUSED) {
		remedy = "see whether lud runs there, and listens on this address (`remote` in its "
		         "configuration)";
	} else if (error == ETIMEDOUT) {
		remedy = "see whether the host is up, and whether a firewall is on the way";
	}
	return ctl_fail(CTL_UNREACHABLE, name, remedy, "cannot reach lud: %s", strerror(error));
}

int resolve_connect(
        const char *name, const char *host, const char *port, int64_t until, int *ret_fd)
{
	struct addrinfo *list = NULL;
	int code = resolve_name(name, host, port, until, &list);
	int n = 0, r = EADDRNOTAVAIL;

	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		n++;
	}
	for (const struct addrinfo *at = list; at && r != 0 && r != EINTR; at = at->ai_next, n--) {
		int64_t now = wait_now_msec();

		r = resolve_try(at, now + (until - now) / n, ret_fd);
	}
	if (list) {
		freeaddrinfo(list);
	}
	if (code != CTL_OK) {
		return code;
	}
	return r == 0 ? CTL_OK : resolve_failed(name, r);
}
