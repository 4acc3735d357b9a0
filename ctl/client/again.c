/*
 * Which requests change something is in control.proto, behind each of them; of these lud carries one with an id out once
 * (docs/adr/0037-requests-once.md). The pauses double, so that a lud that is started anew is not in the way of itself, and
 * their number begins anew once a connection has lasted: a job of an hour outlives more than ten losses.
 */
#include "ctl/client/again.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "ctl/base/base.h"
#include "ctl/client/wait.h"

#define AGAIN_TRIES_MAX 12u
#define AGAIN_MSEC 60000    /* from a loss to the last try */
#define AGAIN_PAUSE_MSEC 50 /* before the first one */
#define AGAIN_PAUSE_MAX_MSEC 5000
#define AGAIN_LASTED_MSEC 10000 /* a connection that lasted so long was a good one */

static bool again_changes(const Control__Request *request)
{
	static const struct {
		Control__Request__BodyCase body;
		bool changes;
	} requests[] = {
#define AGAIN_CHANGES true
#define AGAIN_READS false
#define REQUEST(NAME, name, ANSWER, OTHER, machine, effect, role, about, place)                    \
	{CONTROL__REQUEST__BODY_##NAME, AGAIN_##effect},
#include "proto/control/requests.gen.def"
#undef REQUEST
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].body == request->body_case) {
			return requests[i].changes;
		}
	}
	return true;
}

/* A hold for as long as its connection; whoever asked for it takes it again by its token. */
static bool again_is_while_connected(const Control__Request *request)
{
	return request->body_case == CONTROL__REQUEST__BODY_HOLD && request->hold->while_connected;
}

bool again_needs_id(const Control__Request *request)
{
	return again_changes(request) && request->body_case != CONTROL__REQUEST__BODY_JOB_SIGN &&
	       !again_is_while_connected(request);
}

bool again_may(const Control__Request *request)
{
	return request->body_case != CONTROL__REQUEST__BODY_WATCH &&
	       request->body_case != CONTROL__REQUEST__BODY_LOG_FOLLOW &&
	       !again_is_while_connected(request) &&
	       (!again_needs_id(request) || *request->request_id);
}

char *again_id(struct again *again)
{
	uint64_t drawn[2];

	if (getrandom(drawn, sizeof(drawn), 0) != sizeof(drawn)) {
		abort(); /* so few bytes are there once any are */
	}
	snprintf(again->id, sizeof(again->id), "luctl-%016" PRIx64 "%016" PRIx64, drawn[0],
	        drawn[1]);
	return again->id;
}

void again_opened(struct again *again)
{
	again->opened_msec = wait_now_msec();
}

void again_begin(struct again *again, const char *name, const char *why)
{
	int64_t now = wait_now_msec();

	if (now - again->opened_msec > AGAIN_LASTED_MSEC) {
		again->n_tries = 0;
	}
	if (!again->n_tries) {
		again->lost_msec = now;
		fprintf(stderr, "luctl: %s: %s; asking again\n", name, why);
	}
}

bool again_pause(struct again *again)
{
	int msec = AGAIN_PAUSE_MAX_MSEC;

	if (again->n_tries < 7) {
		msec = AGAIN_PAUSE_MSEC << again->n_tries;
	}
	again->n_tries++;
	(void)poll(
	        NULL, 0, wait_left_msec(msec < AGAIN_PAUSE_MAX_MSEC ? msec : AGAIN_PAUSE_MAX_MSEC));
	return again->n_tries >= AGAIN_TRIES_MAX || !wait_left_msec(1) ||
	       wait_now_msec() - again->lost_msec > AGAIN_MSEC;
}

bool again_is_under_way(const struct again *again, const Wire__Error *error)
{
	return again->n_tries && error->cause && !strcmp(error->cause->name, "in-progress");
}
