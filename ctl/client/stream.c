/*
 * What all streams have in common: how one waits for them, and how all of a message gets out. And the kind that needs
 * nothing else: the socket of a lud on this host, where the kernel says who asks.
 */
#include "ctl/client/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/base/base.h"
#include "ctl/client/stream_kind.h"
#include "ctl/client/wait.h"

/* How long nothing of a message may get out before its stream is given up. */
#define STREAM_FULL_MSEC 30000

const char *stream_name(const struct stream *stream)
{
	return stream->name;
}

const char *stream_self(const struct stream *stream)
{
	return stream->self;
}

const char *stream_why(const struct stream *stream)
{
	return stream->why;
}

const char *stream_remedy(const struct stream *stream)
{
	return stream->remedy;
}

bool stream_is_final(const struct stream *stream)
{
	return stream->is_final;
}

void stream_closep(struct stream **stream)
{
	if (!*stream) {
		return;
	}
	if ((*stream)->kind->close) {
		(*stream)->kind->close(*stream);
	}
	if ((*stream)->fd >= 0) {
		close((*stream)->fd);
	}
	free((*stream)->name);
	free(*stream);
	*stream = NULL;
}

enum stream_event stream_wait(struct stream *stream, int stop_fd, int msec)
{
	struct pollfd fds[] = {
	        {.fd = stream->fd, .events = stream->wants}, {.fd = stop_fd, .events = POLLIN}};
	bool is_there = stream->kind->has_more && stream->kind->has_more(stream);
	int n = wait_is_interrupted() ? -1 : poll(fds, 2, is_there ? 0 : msec);

	if (wait_is_interrupted()) {
		return STREAM_INTERRUPTED;
	}
	if (n > 0 && fds[1].revents) {
		return STREAM_STOPPED;
	}
	return n == 0 && !is_there ? STREAM_QUIET : STREAM_BYTES;
}

ssize_t stream_read(struct stream *stream, void *bytes, size_t room)
{
	stream->wants = POLLIN;
	return stream->kind->read(stream, bytes, room);
}

bool stream_write(struct stream *stream, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = stream->kind->write(stream, at, len);

		if (n < 0) {
			return false;
		}
		if (n == 0 && stream_wait(stream, -1, STREAM_FULL_MSEC) != STREAM_BYTES) {
			snprintf(stream->why, sizeof(stream->why), "lud does not read");
			return false;
		}
		at += n;
		len -= (size_t)n;
	}
	stream->wants = POLLIN;
	return true;
}

static ssize_t stream_socket_read(struct stream *stream, void *bytes, size_t room)
{
	ssize_t n = recv(stream->fd, bytes, room, MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		return 0;
	}
	if (n <= 0) {
		snprintf(stream->why, sizeof(stream->why), "lud closed the connection");
		return -1;
	}
	return n;
}

static ssize_t stream_socket_write(struct stream *stream, const void *bytes, size_t len)
{
	ssize_t n;

	do {
		n = send(stream->fd, bytes, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		snprintf(stream->why, sizeof(stream->why), "the connection to lud is broken");
	}
	return n;
}

static const struct stream_kind stream_socket = {
        .read = stream_socket_read, .write = stream_socket_write};

/* The remedy depends on the cause: a socket that this user may not open, or no lud behind it. */
int stream_open_socket(const char *path, struct stream **ret_stream)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(stream_closep) struct stream *stream = ctl_zero(sizeof(*stream));

	stream->kind = &stream_socket;
	stream->remedy = "";
	stream->wants = POLLIN;
	stream->name = ctl_format("%s", path);
	stream->fd = -1;
	if (strlen(path) >= sizeof(address.sun_path)) {
		return ctl_fail(CTL_USAGE, path, "give a shorter path with --socket",
		        "the path is too long for a socket");
	}
	strcpy(address.sun_path, path);
	stream->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (stream->fd < 0 ||
	        connect(stream->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return ctl_fail(CTL_UNREACHABLE, path,
		        errno == EACCES ? "ask as root or as the user that lud runs as"
		                        : "start lud (`make up`, or the lud service), or name its "
		                          "socket with --socket",
		        "cannot reach lud: %s", strerror(errno));
	}
	*ret_stream = stream;
	stream = NULL;
	return CTL_OK;
}

bool stream_can_open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool can;

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	can = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
	      (errno != ENOENT && errno != ECONNREFUSED);
	close(fd);
	return can;
}
