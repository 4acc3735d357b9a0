#pragma once
/*
 * What policies allow on a machine at a time. Pure: the time is an argument, and the answer is the
 * same on every host.
 */
#include "orchestrator/policy/policy.h"

/* Whom it is about. Lists have commas between, "" for none. */
struct decide_subject {
	const char *machine;
	const char *groups;
	const char *labels; /* KEY=VALUE,... */
	const char *service;
};

enum decide_action { DECIDE_RERANDOMIZE, DECIDE_UPDATE, _DECIDE_ACTION_N };

enum decide_verdict {
	DECIDE_UNASKED, /* no policy that matches wants it */
	DECIDE_ALLOWED,
	DECIDE_DENIED,
	_DECIDE_VERDICT_N
};

/* Times are microseconds since 1970; DECIDE_NEVER: none is in sight. */
#define DECIDE_NEVER INT64_MAX

struct decision {
	enum decide_verdict verdict;
	const struct policy *by; /* who asks for it, or denies it; NULL: nobody */
	const char *why;         /* a static sentence */
	int64_t until;           /* when the answer changes */
	int64_t next;            /* when a job may start: `at` itself if it may now */
};

void decide(const struct policy *const *policies, size_t n, const struct decide_subject *subject,
        enum decide_action action, int64_t at, struct decision *ret_decision);
/*
 * The windows alone, for a job that somebody asked for and that ends `limit` after its start at the
 * latest: those of the policy that decides for the action, whatever it asks for itself, and all that
 * matching policies deny. The verdict is ALLOWED or DENIED.
 */
void decide_windows(const struct policy *const *policies, size_t n,
        const struct decide_subject *subject, enum decide_action action, int64_t limit, int64_t at,
        struct decision *ret_decision);
/* A time in which no job may start; until is not part of it. */
struct decide_span {
	int64_t from, until;
};
/*
 * The spans of a stretch of time in which decide_windows() denies, in their order; what is between the last
 * two that would fit is closed, too, where there are more than `max`.
 */
size_t decide_closed(const struct policy *const *policies, size_t n,
        const struct decide_subject *subject, enum decide_action action, int64_t limit,
        const struct decide_span *stretch, struct decide_span *ret_spans, size_t max);
/* Does it match whom it is about? A question about no service is matched by policies for some, too. */
bool decide_matches(const struct policy *policy, const struct decide_subject *subject);
/* The matching policy of the highest priority that has a section; NULL: none has. */
const struct policy *decide_by(const struct policy *const *policies, size_t n,
        const struct decide_subject *subject, enum policy_row section);
/*
 * What counts for somebody: each section by the policy that decides, with its defaults and where each
 * value is from, and all windows that matching policies deny.
 */
void decide_print(const struct policy *const *policies, size_t n,
        const struct decide_subject *subject, FILE *file);
const char *decide_action_name(enum decide_action action);
const char *decide_verdict_name(enum decide_verdict verdict);
