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
};

struct rules *rules_new(struct db *db);
struct rules *rules_free(struct rules *rules);
/* Reads what the record has. Only its errors are errors: see rules_broken(). */
int __must_check rules_load(struct rules *rules);

/* All that count, in the order in which they were first applied. */
const struct policy *const *rules_policies(const struct rules *rules, size_t *ret_n);
/* The version that counts; id 0: there never was a policy. */
const struct policy_version_row *rules_version(const struct rules *rules);
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
#define RULES_HOLDS_MAX 64u
struct rules_target {
	int64_t machine;     /* 0: all */
	const char *service; /* "": all */
};
/* RULES_E_REFUSED: there are too many. */
int __must_check rules_hold(struct rules *rules, const struct rules_target *target,
        int64_t until_us, const struct rules_asked *asked, struct failure *ret_failure);
/*
 * Takes away those of exactly this target, of others only where `all`. RULES_E_NONE: there are none;
 * RULES_E_REFUSED: others hold it.
 */
int __must_check rules_unhold(struct rules *rules, const struct rules_target *target, bool all,
        const struct rules_asked *asked, struct failure *ret_failure);
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
	_RULES_GATE_N,
};
struct rules_question {
	const struct machine_row *machine;
	const char *service; /* "": the machine as a whole */
	/* Which windows count; _DECIDE_ACTION_N: none, it is only held. */
	enum decide_action action;
	int64_t limit_us;
	uint32_t overrides;
};
struct rules_gate {
	bool is_open;
	bool is_timed;   /* it opens by itself: a window, and no hold */
	char why[160];   /* of one that is shut, or was passed by an override; else "" */
	int64_t next_us; /* when it may be open; DECIDE_NEVER: nobody knows */
};
/* Spans in which the window gate is shut for the one that asks; see decide_closed(). */
size_t rules_closed(const struct rules *rules, const struct rules_question *question,
        const struct decide_span *stretch, struct decide_span *ret_spans, size_t max);
const char *rules_gate_name(enum rules_gate_id gate);
void rules_ask(const struct rules *rules, const struct rules_question *question, int64_t now_us,
        struct rules_gate ret_gates[_RULES_GATE_N]);
