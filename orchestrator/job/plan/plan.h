#pragma once
/* From what a person asks for to a recorded job. */
#include <string.h>

#include "orchestrator/job/core/core.h"
#include "orchestrator/policy/section.h"

/* Who asks, and what else comes with every request. */
struct job_asked {
	struct principal who; /* as verified */
	const char *reason;   /* "": none is given */
	/*
	 * "": none. One that a job of this user, machine and service has is a request that came again:
	 * no other job is made, unless it asks for something else, which is refused.
	 */
	const char *request_id;
	uint8_t request_hash[64]; /* of what it asks for */
	uint32_t overrides;       /* gates that its jobs pass */
};

/* What a person asks for, resolved by engine_plan(). Texts live until it returns. */
struct job_order {
	enum job_kind kind;
	struct machine *machine;
	const char *service;    /* "" for JOB_START */
	const char *release;    /* JOB_UPDATE: id prefix, or "" for the newest */
	uint64_t to_generation; /* JOB_ROLLBACK: 0 is the release before */
	int64_t to_release;     /* JOB_ROLLBACK: this one, which ran before; 0: as said above */
	const char *quiescent;  /* "" is the service's default */
	/* Who makes the layout, "machine" or "host"; "": as configured. NULL: the job makes none. */
	const char *layout;
	const char *recipe;  /* how it is drawn, by name; "" or NULL: by the newest */
	uint32_t timeout_ms; /* 0 is the configured one */
	uint32_t hold_ms;
	bool accept_loss; /* consent to what the pairing says is lost */
	const struct job_asked *asked;
	bool scheduled; /* a timer asks: it goes after all others */
	bool skipped; /* ... and its time came while the machine was busy: no job is made, see engine_is_skipped() */
	int64_t parent; /* the job that asks; 0: none */
	bool spares;    /* JOB_ROLLBACK: the release that it goes back from is not blocked */
	/*
	 * JOB_UPDATE, JOB_PREPARE, JOB_ROLLBACK: its plan as somebody saw it; no other is carried out.
	 * NULL: any.
	 */
	const uint8_t *plan;
};

/* Why a layout of the host's is of no use to a machine that keeps no kits, where there is no second signer. */
void plan_no_second(const struct machine *machine, struct failure *ret_failure);

/* An order of which no more is said; it makes no layout. Service "": it is about the whole machine. */
static inline struct job_order job_order_of(enum job_kind kind, struct machine *machine,
        const char *service, const struct job_asked *asked)
{
	return (struct job_order){
	        .kind = kind,
	        .machine = machine,
	        .service = service,
	        .release = "",
	        .quiescent = "",
	        .asked = asked,
	};
}

/* What a job would do, as far as releases and layout go, and what a plan says of it besides. */
struct job_forecast {
	char service[24];
	struct release_row from; /* that runs; id 0: it is not registered, or there is none */
	struct release_row to;
	uint64_t from_generation;
	bool machine_made;
	char layout_why[160];
	uint32_t recipe;
	bool paired;
	uint8_t pairing[64]; /* its id, of releases that were paired */
	uint32_t n_lost;     /* what has no place, of these */
};

/* As engine_plan() without recording anything; what that would refuse is refused. */
int __must_check engine_foresee(struct engine *engine, const struct job_order *order,
        struct job_forecast *ret, struct failure *ret_failure);
/* What a worker said of the two releases. */
static inline void job_forecast_pair(
        struct job_forecast *forecast, const uint8_t pairing[64], uint32_t n_lost)
{
	forecast->paired = true;
	forecast->n_lost = n_lost;
	memcpy(forecast->pairing, pairing, sizeof(forecast->pairing));
}

/* What all parts of a plan have in common; texts are borrowed. */
struct plan_terms {
	const struct machine_row *machine;
	enum job_kind kind;
	const char *quiescent;
	uint32_t timeout_ms;
	uint32_t hold_ms;
	bool accept_loss;
	uint8_t policies[64]; /* rules_digest_about() the machine */
};
struct plan_terms plan_terms_of(const struct engine *engine, const struct job_order *order);
/*
 * The hash of a plan: BLAKE2b-512 of a text that says, a line for each, machine (name and id), kind,
 * recipe, state, limits and consent of the order, and for each part, in their order, service, release
 * before and after, who makes the layout, pairing and loss; of policies those that match the machine, and by
 * which groups and labels they do. No generations, no times, no figures: the
 * same plan has the same hash tomorrow. "samsara plan 1" is its first line.
 */
void plan_hash(const struct plan_terms *terms, const struct job_forecast *parts, size_t n,
        uint8_t ret_hash[64]);
/* The same, and that text, which the caller frees: the record keeps it, so that a plan can be read later. */
char *plan_text(const struct plan_terms *terms, const struct job_forecast *parts, size_t n,
        uint8_t ret_hash[64]);
/* Why a job is not carried out whose plan is another than the one that was meant. */
void plan_changed(const char *service, struct failure *ret_failure);

/* Whose way back is meant. */
struct job_way_back {
	const struct machine_row *machine;
	enum job_kind kind;
	const char *service;
	bool is_member; /* of a set */
	const struct release_row *from, *to;
};
/*
 * Whether a job is refused because its way back would be: an update by a policy that goes back by itself, and a member
 * of a set, which goes back when another one fails, unless the policy says `way_back: false`. back: the
 * pairing of the releases that way; NULL: it is not known, which refuses, too.
 */
bool plan_no_way_back(const struct engine *engine, const struct job_way_back *way,
        const struct Control__Pairing *back, struct failure *ret_failure);
/*
 * A figure that an update of this service would be watched by and that nobody on the machine reports, so that it is never
 * found well; NULL: none. Lives as long as the policy does.
 */
const char *plan_unreported(
        const struct engine *engine, const struct machine *machine, const char *service);

/* Whether what asks for the newest release passes this one by on a machine; some of its rollout may have it all the same. */
bool engine_is_blocked(const struct engine *engine, const struct machine *machine,
        const struct release_row *release);
/* Records a job and lets it begin, or finds the one that the request had made; its id goes to ret_job. */
int __must_check engine_plan(struct engine *engine, const struct job_order *order, int64_t *ret_job,
        struct failure *ret_failure);

/* The most services of a set. */
#define PLAN_SET_MAX SECTION_SET_MAX
#define PLAN_WHY_SIZE 160u

/* Several updates, or several rollbacks, of one machine, of which all stand in the end or none does. */
struct job_set_order {
	struct job_order *members; /* PLAN_SET_MAX at most, in their order; not ->plan, ->parent */
	size_t n;
	const struct job_asked *asked;
	const uint8_t *plan; /* its plan as somebody saw it; NULL: any */
};
/*
 * Puts the members into the order in which they are carried out, and says why: as the policy says that decides
 * about updates, else callers before what they call; rollbacks the other way round, so that no two releases meet that
 * did not on the way there.
 */
void plan_set_sort(struct engine *engine, struct job_set_order *set, char ret_why[PLAN_WHY_SIZE]);
/*
 * As engine_plan(), for the set and its members in one transaction: if one is refused, nothing is recorded. The
 * members are in their order.
 */
int __must_check engine_plan_set(struct engine *engine, const struct job_set_order *set,
        int64_t *ret_job, struct failure *ret_failure);
/* Why these members are no set; ENGINE_E_REFUSED. */
int __must_check plan_set_check(const struct job_set_order *set, struct failure *ret_failure);

/*
 * Whether the machine has open jobs, so that what a timer asks of it now is skipped, which is counted. Asked once
 * for each request, before any of its jobs is planned.
 */
bool engine_is_skipped(struct engine *engine, const struct machine *machine);
/* Why nothing can be asked of a machine that is not up, and what to do about this one. */
void engine_not_up(const struct machine *machine, struct failure *ret_failure);

/* Ends updates that wait and are moot since a newer job was recorded; for jobs that are taken up from the record. */
void plan_supersede_all(struct engine *engine);
