#pragma once
/*
 * The policies that count now. They come in versions: each change makes the next one, of all policies
 * that count from then on, with who made it and why. A version never changes, and a change that has an
 * error anywhere changes nothing.
 */
#include "host/base/failure.h"
#include "orchestrator/policy/decide.h"
#include "orchestrator/store/policies.h"
#include "proto/control/control.pb-c.h"

/* How many policies count at a time, and how large their files are together: one answer has them all. */
#define RULES_POLICIES_MAX 64u
#define RULES_BYTES_MAX 57344u

struct rules;

/* Positive outcomes of a change; ret_failure says why. */
enum rules_outcome {
	RULES_E_REFUSED = 48, /* it has an error, and nothing was changed */
	RULES_E_NONE,         /* no such version or policy */
};

/* Who changes them, and why. */
struct rules_asked {
	const struct principal *who;
	const char *reason;
	const char *token; /* of the command that a hold lasts as long as; "": of none */
};

struct rules *rules_new(struct db *db);
struct rules *rules_free(struct rules *rules);
/* Reads what the record has. Only its errors are errors: see rules_broken(). */
int __must_check rules_load(struct rules *rules);

/* All that count, in the order in which they were first applied. */
const struct policy *const *rules_policies(const struct rules *rules, size_t *ret_n);
/* The version that counts; id 0: there never was a policy. */
const struct policy_version_row *rules_version(const struct rules *rules);
/*
 * The digest of those that match a machine, for any service of it, and of those that cannot be read; that of the version where
 * these are all, and zeros where there is none. What other ones say decides nothing there.
 */
void rules_digest_about(
        const struct rules *rules, const struct machine_row *machine, uint8_t ret_digest[64]);
/* What cannot be read of the version that counts, with its place; NULL: all of it was. */
const char *rules_broken(const struct rules *rules);

/*
 * The changes. 0: it counts now, or counted before; RULES_E_*. Policies that are given take the place of
 * those of the same name.
 */
int __must_check rules_apply(struct rules *rules, Control__PolicySource *const *sources, size_t n,
        const struct rules_asked *asked, struct failure *ret_failure);
int __must_check rules_remove(struct rules *rules, char *const *names, size_t n,
        const struct rules_asked *asked, struct failure *ret_failure);
int __must_check rules_back(struct rules *rules, int64_t version, const struct rules_asked *asked,
        struct failure *ret_failure);

/*
 * Holds: somebody wants nothing to be changed, on a machine, of a service of it, or anywhere, until it is
 * taken away or its time is over.
 */
#define RULES_HOLDS_MAX 72u
#define RULES_HOLDS_KEPT 8u /* of these, for holds of everything alone */
struct rules_target {
	int64_t machine;     /* 0: all */
	const char *service; /* "": all */
};
/*
 * Holds all of these, or none; a hold of the same words by the same user is replaced. n at least 1.
 * RULES_E_REFUSED: there are too many.
 */
int __must_check rules_hold(struct rules *rules, const struct rules_target *targets, size_t n,
        int64_t until_us, const struct rules_asked *asked, struct failure *ret_failure);
/*
 * Takes away those of exactly these targets, of others only where `all`. RULES_E_NONE: one has none, and
 * nothing was taken away; RULES_E_REFUSED: others hold some, those of whoever asks are gone.
 */
int __must_check rules_unhold(struct rules *rules, const struct rules_target *targets, size_t n,
        bool all, const struct rules_asked *asked, struct failure *ret_failure);
/*
 * A hold that lasts as long as a command is one with a token. rules_hold() with the same words and token
 * takes it again after lud was away, for RULES_HOLD_GRACE_USEC from its start; rules_hold_over() ends it.
 */
#define RULES_HOLD_GRACE_USEC INT64_C(30000000)
/* Tokens are those of a user: others may have the same. */
bool rules_is_held(const struct rules *rules, const char *token, const struct principal *who);
void rules_hold_over(struct rules *rules, const char *token, const struct rules_asked *asked);
/* The host's clock was set by so much, and the record moved along: an end that was over may be to come again. */
void rules_clock_set(struct rules *rules, int64_t usec);
/* Those that hold now, oldest first. */
size_t rules_holds(struct rules *rules, int64_t now_us, const struct hold_row **ret_rows);

/* What a job passes where somebody with the right said so: a set. */
enum rules_override {
#define OVERRIDE(name, bit, word, sentence) RULES_OVERRIDE_##name = bit,
#include "proto/words/access.def"
	_RULES_OVERRIDE_N,
};

/* What a job comes to before each of its steps until its order is sent. */
enum rules_gate_id {
	RULES_GATE_POLICIES, /* they can be read */
	RULES_GATE_HOLD,
	RULES_GATE_WINDOW,
	RULES_GATE_LIMIT,
	RULES_GATE_ROLLOUT, /* asked by others, see orchestrator/rollout */
	RULES_GATE_BLOCK,   /* by others, too: its release was not blocked since it was asked for */
	_RULES_GATE_N,
};
struct rules_question {
	const struct machine_row *machine;
	const char *service; /* "": the machine as a whole */
	/* Which windows count; _DECIDE_ACTION_N: none, it is only held. */
	enum decide_action action;
	int64_t limit_us;
	uint32_t overrides;
	bool is_job; /* it is one of those that `limits` counts */
};
struct rules_gate {
	bool is_open;
	bool is_timed; /* it opens by itself: a window, and no hold */
	const char *
	        limit; /* name of the policy whose `limits` shut it, while that counts; NULL: another reason */
	char why[160];    /* of one that is shut, or was passed by an override; else "" */
	int64_t next_us;  /* when it may be open; DECIDE_NEVER: nobody knows */
	int64_t since_us; /* of one that is shut: since when; 0: not told */
};
/*
 * The fleet, for `limits`. How many machines a policy matches, and how many of these are at work, is counted once, and kept
 * right by rules_at_work(), until policies or machines are others. Nothing is limited without a fleet.
 */
typedef void (*rules_machine_fn)(const struct machine_row *row, void *arg);
struct rules_fleet {
	/* Another number whenever a machine is new, was removed, was heard for the first time, or has other groups or labels. */
	uint64_t (*version)(void *arg);
	/* Calls fn for every machine that jobs are at work on; or, where all, for every machine that was ever heard. */
	void (*each)(void *arg, bool all, rules_machine_fn fn, void *fn_arg);
	/* Whether jobs are at work on this one; rules_at_work() was called before it returns for whatever changed. */
	bool (*is_at_work)(void *arg, int64_t machine);
	void *arg;
};
void rules_fleet(struct rules *rules, const struct rules_fleet *fleet);
/* Asserts that what was counted is what a walk finds; for tests. */
void rules_limits_check(const struct rules *rules);
/* The first job is at work on a machine, or the last one is not any more. */
void rules_at_work(struct rules *rules, const struct machine_row *row, bool begins);

/* Spans in which the window gate is shut for the one that asks; see decide_closed(). */
size_t rules_closed(const struct rules *rules, const struct rules_question *question,
        const struct decide_span *stretch, struct decide_span *ret_spans, size_t max);
const char *rules_gate_name(enum rules_gate_id gate);
void rules_ask(struct rules *rules, const struct rules_question *question, int64_t now_us,
        struct rules_gate ret_gates[_RULES_GATE_N]);
