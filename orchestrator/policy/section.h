#pragma once
/*
 * What `rerandomize` and `update` of a policy say, for whoever acts on it: as structs, with defaults. Texts
 * are the policy's and live as long as it does; times are microseconds.
 */
#include "orchestrator/policy/policy.h"

/* Below this the machine makes the layouts by itself, by a standing order. */
#define SECTION_STANDING_USEC INT64_C(60000000)

/* The words of rerandomize.triggers, in their order there. */
enum section_trigger {
	SECTION_CRASH,
	SECTION_PROBING,
	SECTION_AFTER_UPDATE,
	SECTION_BOOT,
	_SECTION_TRIGGER_N,
};
const char *section_trigger_name(enum section_trigger trigger);

struct section_rerandomize {
	int64_t every_us, jitter_us, limit_us;
	int64_t max_age_us;    /* 0: any age is good */
	const char *layout;    /* "machine" or "host" */
	unsigned int triggers; /* a set of 1 << trigger */
};
/* False: the policy has no such section. */
bool section_rerandomize(const struct policy *policy, struct section_rerandomize *ret);

/* The words of update.mode, in their order there. */
enum section_mode {
	SECTION_NONE,
	SECTION_CHECK,
	SECTION_STAGE,
	SECTION_APPLY,
	_SECTION_MODE_N,
};

/* The most services of a set. */
#define SECTION_SET_MAX 16u

struct section_update {
	enum section_mode mode;
	int64_t limit_us;
	int64_t deadline_us; /* 0: none */
};
/* False: the policy has no such section. */
bool section_update(const struct policy *policy, struct section_update *ret);
/* The place of a service in update.order; those that it does not name come after all others, and are equal. */
size_t section_update_place(const struct policy *policy, const char *service);
/* The set of update.sets that a service is of, from 1; 0: of none. */
size_t section_update_set(const struct policy *policy, const char *service);
