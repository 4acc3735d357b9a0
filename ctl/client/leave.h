#pragma once
/* What is said when luctl goes before its answer came: what became of the request, as far as it is known, and the way back. */
#include "ctl/base/base.h"
#include "proto/control/control.pb-c.h"

/* What is known of a request that waits for its answer. Belongs to the client. */
struct leave {
	const char *request_id; /* "": none was given */
	uint64_t job;           /* that the newest news was about; 0: none */
	bool needs_key;         /* nobody but this luctl signs what it asks for */
	bool is_stream;         /* its answer has no end but Ctrl-C */
	bool is_many;           /* it was about other jobs, too */
	char waits[240];        /* what is known of why it is not over */
};

/* A request is sent; it must live as long as the leave does. */
void leave_begin(struct leave *leave, const Control__Request *request);
/* lud has said something of its jobs. */
void leave_note(struct leave *leave, const Control__Progress *news);
/* luctl goes, which nothing happens to the job by: says why, and how to come back. Returns the code. */
int leave_now(const struct leave *leave, enum ctl_exit code, const char *why);
