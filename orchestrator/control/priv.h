#pragma once
/* Inside control: whether whoever asks may. */
#include "orchestrator/control/client/client.h"

enum control_on {
	CONTROL_ON_EVERYTHING, /* every machine, and what is about none */
	CONTROL_ON_SEEN,       /* whatever of it may be seen: the role anywhere is enough */
	CONTROL_ON_MACHINE,
	CONTROL_ON_JOB,
	_CONTROL_ON_N,
};

/* What a request is about, as its row of control.proto says. */
struct control_about {
	enum control_on on;
	const char *machine; /* its name; "": the one that is meant then */
	uint64_t job;
};

/* may.c: fills ret_about by the request's row, which there is. */
void control_about(const Control__Request *request, struct control_about *ret_about);
/*
 * Whether whoever asks has a role that allows this, on what it is about. Then its client has the least such role, and
 * what it is about, until the next request; false: it was refused.
 */
bool control_may(struct control_client *client, const struct control_about *about,
        enum access_role needed, uint64_t id);
/* Whether it comes from where it may be asked for; false: it was refused. */
bool control_may_from_there(struct control_client *client, const Control__Request *request);
