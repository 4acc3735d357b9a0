#pragma once
/*
 * Rows of the record and what machines said, as messages for clients. All memory is the pool's.
 * Negative: the record could not be read, and there is nothing to show.
 */
#include "host/base/pool.h"
#include "orchestrator/access/rights.h"
#include "orchestrator/job/core/core.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/releases.h"
#include "proto/control/control.pb-c.h"

/* Of several services that were asked for, one for which no job was made. */
struct job_skip {
	char service[24];
	struct failure failure;
	bool refused; /* else it cannot be updated yet */
};

/* Whether somebody with these rights may see the machine; NULL: everybody who looks may. Of none that is there: all. */
bool view_sees(const struct access_rights *rights, const struct machine *machine);
/* Who made a layout, or is to: the word of the command line. */
const char *view_layout(bool machine_made);
Control__Machine *view_machine(struct pool *pool, const struct machine *machine);
/* rights: of whoever looks, who is told of no machine that they do not see. */
Control__Record *view_record(
        struct pool *pool, struct engine *engine, const struct access_rights *rights);
/*
 * What the machine says is shown whatever became of the record, which ->record tells.
 * stale: it did not say so now. rights: of whoever looks, for what is about other machines.
 */
Control__Status *view_status(struct pool *pool, struct engine *engine,
        const struct access_rights *rights, struct machine *machine, bool stale);
/* overview.c: all machines that may be seen at a glance, and what is wrong with them, from memory. */
Control__Overview *view_overview(
        struct pool *pool, struct engine *engine, const struct access_rights *rights);
/* DB_E_NONE when there is no such job. with_steps: the long form. */
int __must_check view_job(struct pool *pool, struct engine *engine, int64_t id, bool with_steps,
        Control__Job **ret_view);
/* A job that cannot go on because the record cannot be written. */
Control__Job *view_stalled(struct pool *pool, struct engine *engine, int64_t id);
/* A service for which no job was made, and why: it has no id. */
Control__Job *view_skipped(
        struct pool *pool, const struct machine *machine, const struct job_skip *skip);
/* with_envelope: the signed variant and the sealed seed too, which may be large */
int __must_check view_generation(struct pool *pool, struct engine *engine,
        const struct generation_row *row, bool with_envelope, Control__Generation **ret_view);
/*
 * effect.c: what its layout has in common with the one before. *ret_view is NULL for one that never ran.
 */
int __must_check view_effect(struct pool *pool, struct db *db, const struct generation_row *row,
        const struct variant_row *variant, Control__Effect **ret_view);
/* pairing.c: without findings there are only their numbers */
int __must_check view_job_pairing(struct pool *pool, struct db *db, const struct job_row *row,
        bool with_findings, Control__Job *view);
/* What a control key is to sign, and what it destroys. */
Control__Proposal *view_proposal(struct pool *pool, const struct job_news *news);
Control__Release *view_release(struct pool *pool, const struct release_row *row);
/*
 * next.c: what happens next on a machine, or on all (NULL) that may be seen; with jobs that wait for a time, and then in
 * the order of the times. At most ->max; an error of the record.
 */
struct view_next_ask {
	struct machine *machine;
	const struct access_rights *rights;
	bool jobs;
	size_t max;
};
int __must_check view_next(struct pool *pool, struct engine *engine,
        const struct view_next_ask *ask, Control__NextItem ***ret_items, size_t *ret_n);
