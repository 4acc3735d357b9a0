#pragma once
/*
 * The bytes between luctl and lud, whatever carries them. Errors of opening are told to the person here and come back as
 * exit codes; what becomes of an open stream is said by stream_why(), for whoever knows what was asked over it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* An open connection; stream.c and its kinds say what is in it. */
struct stream;

/* How a wait for bytes ended. */
enum stream_event {
	STREAM_BYTES,       /* there are some, or the stream is over: stream_read() */
	STREAM_QUIET,       /* the time is over */
	STREAM_STOPPED,     /* the other descriptor is readable */
	STREAM_INTERRUPTED, /* by Ctrl-C */
	_STREAM_EVENT_N,
};

/* The socket of a lud on this host. CTL_OK, or an exit code. */
int stream_open_socket(const char *path, struct stream **ret_stream);
void stream_closep(struct stream **stream);

/* The other side, for people. */
const char *stream_name(const struct stream *stream);
/* Who this end is there: "user/alice"; "": that is not said by this end. */
const char *stream_self(const struct stream *stream);
/* Why it is over; only after a failure. */
const char *stream_why(const struct stream *stream);
/* What to do about it; "": nothing that is known here. */
const char *stream_remedy(const struct stream *stream);
/* Whether another one to the same place would end in the same way, until somebody changes something. */
bool stream_is_final(const struct stream *stream);

/* stop_fd: -1: none. */
enum stream_event stream_wait(struct stream *stream, int stop_fd, int msec);
/* What has come, at most `room` bytes. 0: nothing yet; -1: the stream is over. */
ssize_t stream_read(struct stream *stream, void *bytes, size_t room);
/*
 * Send all bytes. A lud that does not read blocks this for as long as nothing goes out; requests are small, so it does not
 * happen to a lud that works. False: the stream is over.
 */
bool stream_write(struct stream *stream, const void *bytes, size_t len);

/* Whether anybody listens at the socket. One that may not be tried counts. */
bool stream_can_open_socket(const char *path);
