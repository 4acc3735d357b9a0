/*
 * What a machine tells of a job says again what other rows have: which release it was, the build, the commitment to the
 * seed and that seed, sealed. They are most of its bytes and none can be made smaller, so they are cut out of
 * what is kept, and read from there (messages.c). What was told differently stays, and so does what no other row knows: it may
 * learn it. Before a generation goes the result of its job is made whole.
 */
#include "orchestrator/store/priv.h"

/* The rows of job ?1 that say it, as message_result reads them. */
#define ONCE_GENERATION                                                                            \
	"(SELECT min(id) FROM generations WHERE job = j.id AND number = j.generation)"
#define ONCE_FROM                                                                                  \
	" FROM jobs j LEFT JOIN releases r ON r.id = j.release"                                    \
	" LEFT JOIN generations g ON g.id = " ONCE_GENERATION                                      \
	" LEFT JOIN variants v ON v.id = g.variant WHERE j.id = ?1 AND job_results.id = ?1"

/* What is empty is nothing that other rows say. */
#define ONCE_CUT(column, other)                                                                    \
	column " = CASE WHEN length(job_results." column ") > 0"                                   \
	       " THEN nullif(job_results." column ", " other ") ELSE job_results." column " END"
#define ONCE_WHOLE(column, other) column " = coalesce(job_results." column ", " other ")"

int store_result_cut(struct db *db, int64_t job)
{
	static const char sql[] = "UPDATE job_results SET " ONCE_CUT("service",
	        "j.service") ", "
	                     "generation = nullif(job_results.generation, j.generation), "
	                     "blackout_ns = nullif(job_results.blackout_ns, "
	                     "j.blackout_ns), " ONCE_CUT(
	                             "release_id", "r.release_id") ", " ONCE_CUT("build_id",
	                             "v.build_id") ", " ONCE_CUT("commitment",
	                             "v.seed_commit") ", " ONCE_CUT("sealed", "v.seed_sealed")
	                             ONCE_FROM;

	return err_fold(db_run(db, sql, "i", job));
}

int store_result_whole(struct db *db, int64_t job)
{
	static const char sql[] = "UPDATE job_results SET " ONCE_WHOLE(
	        "build_id", "v.build_id") ", " ONCE_WHOLE("commitment",
	        "v.seed_commit") ", " ONCE_WHOLE("sealed", "v.seed_sealed") ONCE_FROM;

	return err_fold(db_run(db, sql, "i", job));
}
