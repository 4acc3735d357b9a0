#pragma once
/* What a kind of stream is made of: for stream.c and the kinds alone. */
#include "ctl/client/stream.h"

/* Neither call waits. Both: a number of bytes; 0: not now, and ->wants says for what; -1: over, and ->why says why. */
struct stream_kind {
	ssize_t (*read)(struct stream *stream, void *bytes, size_t room);
	ssize_t (*write)(struct stream *stream, const void *bytes, size_t len);
	/* Whether bytes have come that the descriptor does not show; NULL: never. */
	bool (*has_more)(const struct stream *stream);
	/* Ends what the kind has added; NULL: nothing. */
	void (*close)(struct stream *stream);
};

struct stream {
	const struct stream_kind *kind;
	int fd;
	char *name;
	char self[72]; /* "": none is shown */
	short wants;   /* events of poll() that the last call waits for */
	char why[200];
	const char *remedy; /* for why; "": none that is known here. Static */
	bool is_final;      /* why stands until somebody changes something */
};
