#pragma once
/* From what a person asks for to a recorded job. */
#include "orchestrator/job/core/core.h"

/* Who asks, and what else comes with every request. */
struct job_asked {
	struct principal who; /* as verified */
	const char *reason;   /* "": none is given */
	/*
	 * "": none. One that a job of this machine and service has is a request that came again: no
	 * other job is made, unless it asks for something else, which is refused.
	 */
	const char *request_id;
	uint8_t request_hash[64]; /* of what it asks for */
};

/* What a person asks for, resolved by engine_plan(). Texts live until it returns. */
struct job_order {
	enum job_kind kind;
	struct machine *machine;
	const char *service;    /* "" for JOB_START */
	const char *release;    /* JOB_UPDATE: id prefix, or "" for the newest */
	uint64_t to_generation; /* JOB_ROLLBACK: 0 is the release before */
	const char *quiescent;  /* "" is the service's default */
	/* Who makes the layout, "machine" or "host"; "": as configured. NULL: the job makes none. */
	const char *layout;
	const char *recipe;  /* how it is drawn, by name; "" or NULL: by the newest */
	uint32_t timeout_ms; /* 0 is the configured one */
	uint32_t hold_ms;
	bool accept_loss; /* consent to what the pairing says is lost */
	const struct job_asked *asked;
	int64_t parent; /* the job that asks; 0: none */
};

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

/* Records a job and lets it begin, or finds the one that the request had made; its id goes to ret_job. */
int __must_check engine_plan(struct engine *engine, const struct job_order *order, int64_t *ret_job,
        struct failure *ret_failure);

/* Why nothing can be asked of a machine that is not up, and what to do about this one. */
void engine_not_up(const struct machine *machine, struct failure *ret_failure);
