#pragma once
/*
 * Whether a service is well after its update: what policies ask for, and what the machine says. Pure: nothing
 * here waits or remembers; what was before the update comes in as a row of the record.
 */
#include "orchestrator/rules/rules.h"
#include "orchestrator/store/soaks.h"
#include "proto/machine/machine.pb-c.h"

/* What policies say of the update of a service on a machine. Policies are borrowed. */
struct health_terms {
	const struct policy
	        *gates; /* whose section `health` decides; NULL: none, so nothing is watched */
	const struct policy
	        *back; /* whose section `rollback` does, or its defaults; NULL: as ->gates */
	int64_t soak_us, healthy_us;
};
void health_terms(const struct rules *rules, const struct machine_row *machine, const char *service,
        struct health_terms *ret);
/* Whether it is watched at all. */
static inline bool health_is_watched(const struct health_terms *terms)
{
	return terms->gates || terms->soak_us;
}
/* What the section `rollback` says: AUTOMATIC, BLOCK, WAY_BACK. Of an update that is not watched, nothing. */
bool health_back(const struct health_terms *terms, enum policy_row row);

/* The figures that gates ask for, as the machine tells them now, in the form of the record. */
void health_sample(const struct health_terms *terms, const Machine__Status *status,
        char ret_sample[sizeof((struct soak_row){0}.early)]);
/* Whether a figure is compared by how fast it rises, so that ->early has to be well before ->before. */
bool health_wants_rates(const struct health_terms *terms);
/* The first figure of health.loads that no service reports; NULL: all are reported. */
const char *health_unreported(const struct health_terms *terms, const Machine__Status *status);
/* How long it is by the machine's clock from one sample to the other; 0: one of them is not there. */
uint64_t health_between_ns(const char *earlier, const char *later);

#define HEALTH_WHY_SIZE sizeof((struct soak_row){0}.why)
/*
 * The verdict of this moment, of a service that runs what it was updated to. What a gate asks for and nobody
 * knows is UNKNOWN; why says which gate it was, "" of one that is well.
 */
enum soak_verdict health_judge(const struct health_terms *terms, const struct soak_row *soak,
        const Machine__Status *status, const Machine__Service *service,
        char ret_why[HEALTH_WHY_SIZE]);
