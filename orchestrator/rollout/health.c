/*
 * The gates of health, one after the other; the first that is not passed is told.
 *
 *   service   it is not down, and was not started afresh more often than the policy lets pass: RS does that
 *             to one that crashes, and to one that misses its heartbeats
 *   blackout  the service stood still no longer than the policy allows
 *   probes    each service that is named gave a sign of life since the update, and in time
 *   loads     each figure is at least so much of what it was before the update
 *
 * A gate whose figures are not there is unknown. Unknown comes after failed: what is known to be bad is not
 * made better by what is not known.
 *
 * A sample is "CLOCK_NS NAME=VALUE ...", of the figures that are asked for and that the machine has. Values of one name
 * are added up over all services, since the load of a service is often measured by its client. How fast a figure rises
 * is told by two samples of each side: some seconds before the order and just before it; at the begin of the soak and
 * now.
 */
#include "orchestrator/rollout/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope/manifest.h"

#define HEALTH_NSEC_PER_USEC 1000

_Static_assert(POLICY_METRIC_MAX == KIT_METRIC_NAME_SIZE - 1, "what a figure may be called");

void health_terms(const struct rules *rules, const struct machine_row *machine, const char *service,
        struct health_terms *ret)
{
	struct decide_subject subject = {machine->name, machine->groups, machine->labels, service};
	size_t n;
	const struct policy *const *policies = rules_policies(rules, &n);

	*ret = (struct health_terms){
	        .gates = decide_by(policies, n, &subject, POLICY_HEALTH),
	        .back = decide_by(policies, n, &subject, POLICY_ROLLBACK),
	};
	if (!ret->back) {
		ret->back = decide_by(policies, n, &subject, POLICY_ROLLOUT);
	}
	if (ret->gates) {
		ret->soak_us = (int64_t)policy_number(ret->gates, POLICY_HEALTH_SOAK);
		ret->healthy_us = (int64_t)policy_number(ret->gates, POLICY_HEALTH_HEALTHY);
	}
}

bool health_back(const struct health_terms *terms, enum policy_row row)
{
	const struct policy *by = terms->back ? terms->back : terms->gates;

	return health_is_watched(terms) && by && policy_number(by, row) != 0;
}

static size_t health_n_loads(const struct health_terms *terms)
{
	return terms->gates ? policy_list_size(terms->gates, POLICY_LOADS) : 0;
}

static const char *health_metric(const struct health_terms *terms, size_t i)
{
	return policy_list_text(terms->gates, POLICY_LOADS, i, POLICY_LOAD_METRIC);
}

static bool health_is_rate(const struct health_terms *terms, size_t i)
{
	return !strcmp(policy_list_text(terms->gates, POLICY_LOADS, i, POLICY_LOAD_AS), "rate");
}

bool health_wants_rates(const struct health_terms *terms)
{
	for (size_t i = 0; i < health_n_loads(terms); i++) {
		if (health_is_rate(terms, i)) {
			return true;
		}
	}
	return false;
}

/* The sum of a figure over all services. False: none reports it. */
static bool health_figure(const Machine__Status *status, const char *name, uint64_t *ret_value)
{
	bool is_there = false;
	uint64_t sum = 0;

	for (size_t i = 0; i < status->n_services; i++) {
		const Machine__Service *service = status->services[i];

		for (size_t j = 0; j < service->n_metrics; j++) {
			if (!strcmp(service->metrics[j]->name, name)) {
				sum += service->metrics[j]->value;
				is_there = true;
			}
		}
	}
	*ret_value = sum;
	return is_there;
}

const char *health_unreported(const struct health_terms *terms, const Machine__Status *status)
{
	uint64_t value;

	for (size_t i = 0; i < health_n_loads(terms); i++) {
		if (!health_figure(status, health_metric(terms, i), &value)) {
			return health_metric(terms, i);
		}
	}
	return NULL;
}

/* What has no room is left out, and so unknown. */
void health_sample(const struct health_terms *terms, const Machine__Status *status,
        char ret_sample[sizeof((struct soak_row){0}.early)])
{
	const size_t size = sizeof((struct soak_row){0}.early);
	size_t len = (size_t)snprintf(ret_sample, size, "%" PRIu64, status->clock_ns);

	for (size_t i = 0; i < health_n_loads(terms); i++) {
		char word[POLICY_PATH_SIZE + 32];
		uint64_t value;

		if (health_figure(status, health_metric(terms, i), &value)) {
			size_t n = (size_t)snprintf(
			        word, sizeof(word), " %s=%" PRIu64, health_metric(terms, i), value);

			if (n < sizeof(word) && len + n < size) {
				memcpy(ret_sample + len, word, n + 1);
				len += n;
			}
		}
	}
}

/* A sample begins with the machine's clock. */
static uint64_t health_clock(const char *sample)
{
	return strtoull(sample, NULL, 10);
}

uint64_t health_between_ns(const char *earlier, const char *later)
{
	uint64_t from = health_clock(earlier), to = health_clock(later);

	return *earlier && *later && to > from ? to - from : 0;
}

/* Values are whole words, so that no figure is taken for one whose name ends alike. */
static bool health_value(const char *sample, const char *name, uint64_t *ret_value)
{
	size_t len = strlen(name);

	for (const char *at = strchr(sample, ' '); at; at = strchr(at + 1, ' ')) {
		if (!strncmp(at + 1, name, len) && at[1 + len] == '=') {
			*ret_value = strtoull(at + 2 + len, NULL, 10);
			return true;
		}
	}
	return false;
}

/* By how much it rose in a second. A figure that fell was begun anew: it has no rate. */
static bool health_rate(
        const char *earlier, const char *later, const char *name, double *ret_per_sec)
{
	uint64_t nsec = health_between_ns(earlier, later), from, to;

	if (!nsec || !health_value(earlier, name, &from) || !health_value(later, name, &to) ||
	        to < from) {
		return false;
	}
	*ret_per_sec = (double)(to - from) * 1e9 / (double)nsec;
	return true;
}

/* One figure, before and now; a load that was not there before the update has nothing to fall below. */
static enum soak_verdict health_load(const struct health_terms *terms, size_t i,
        const struct soak_row *soak, const char *now, char ret_why[HEALTH_WHY_SIZE])
{
	const char *name = health_metric(terms, i);
	uint64_t least = policy_list_number(terms->gates, POLICY_LOADS, i, POLICY_LOAD_LEAST);
	double was, is;
	uint64_t value_was, value_is;

	if (health_is_rate(terms, i)) {
		if (!health_rate(soak->early, soak->before, name, &was) ||
		        !health_rate(soak->since, now, name, &is)) {
			snprintf(ret_why, HEALTH_WHY_SIZE, "how fast %.60s rises is not known",
			        name);
			return SOAK_UNKNOWN;
		}
	} else if (!health_value(soak->before, name, &value_was) ||
	           !health_value(now, name, &value_is)) {
		snprintf(ret_why, HEALTH_WHY_SIZE, "the machine does not tell %.60s", name);
		return SOAK_UNKNOWN;
	} else {
		was = (double)value_was;
		is = (double)value_is;
	}
	if (is * 100 < was * (double)least) {
		snprintf(ret_why, HEALTH_WHY_SIZE,
		        "%.60s is %.6g and was %.6g, of which %" PRIu64 " %% are asked for", name,
		        is, was, least);
		return SOAK_FAILED;
	}
	return SOAK_WELL;
}

/* One that failed counts before those that are not known, in whatever order the policy has them. */
static void health_fold(enum soak_verdict one, const char *why, enum soak_verdict *verdict,
        char ret_why[HEALTH_WHY_SIZE])
{
	if (*verdict != SOAK_FAILED &&
	        (one == SOAK_FAILED || (one == SOAK_UNKNOWN && *verdict == SOAK_WELL))) {
		snprintf(ret_why, HEALTH_WHY_SIZE, "%s", why);
		*verdict = one;
	}
}

static enum soak_verdict health_loads(const struct health_terms *terms, const struct soak_row *soak,
        const Machine__Status *status, char ret_why[HEALTH_WHY_SIZE])
{
	enum soak_verdict verdict = SOAK_WELL;
	char now[sizeof(soak->early)];

	health_sample(terms, status, now);
	for (size_t i = 0; i < health_n_loads(terms); i++) {
		char why[HEALTH_WHY_SIZE] = "";

		health_fold(health_load(terms, i, soak, now, why), why, &verdict, ret_why);
	}
	return verdict;
}

static const Machine__Service *health_service(const Machine__Status *status, const char *name)
{
	for (size_t i = 0; i < status->n_services; i++) {
		if (!strcmp(status->services[i]->name, name)) {
			return status->services[i];
		}
	}
	return NULL;
}

/*
 * For how long a service has owed a sign of life, from the begin of the soak on: what was asked before that is owed by
 * the generation before, or stood still in the update.
 */
static uint64_t health_owed_ns(
        const struct soak_row *soak, const Machine__Status *status, const Machine__Service *service)
{
	uint64_t since_ns =
	        service->ping_open_ns > soak->clock_ns ? service->ping_open_ns : soak->clock_ns;

	return service->ping_open_ns && status->clock_ns > since_ns ? status->clock_ns - since_ns
	                                                            : 0;
}

/* A sign of life that is late has failed, whether it came in the end or is still owed. */
static enum soak_verdict health_probe(const struct health_terms *terms, size_t i,
        const struct soak_row *soak, const Machine__Status *status, char ret_why[HEALTH_WHY_SIZE])
{
	const char *name = policy_list_text(terms->gates, POLICY_PROBES, i, POLICY_PROBE_SERVICE);
	uint64_t within_us =
	        policy_list_number(terms->gates, POLICY_PROBES, i, POLICY_PROBE_WITHIN);
	const Machine__Service *service = health_service(status, name);
	bool is_heard = service && service->pong_at_ns >= soak->clock_ns && service->pong_at_ns;
	uint64_t open_ns = service ? health_owed_ns(soak, status, service) : 0;
	uint64_t took_ns =
	        is_heard && service->pong_took_ns > open_ns ? service->pong_took_ns : open_ns;

	if (took_ns > within_us * HEALTH_NSEC_PER_USEC) {
		snprintf(ret_why, HEALTH_WHY_SIZE,
		        "%.24s %s a sign of life for %.6g ms; %.6g ms are allowed", name,
		        took_ns == open_ns ? "has owed" : "owed", (double)took_ns / 1e6,
		        (double)within_us / 1e3);
		return SOAK_FAILED;
	}
	if (!is_heard) {
		snprintf(ret_why, HEALTH_WHY_SIZE,
		        service ? "%.24s has given no sign of life yet"
		                : "the machine has no service %.24s",
		        name);
		return SOAK_UNKNOWN;
	}
	return SOAK_WELL;
}

static enum soak_verdict health_probes(const struct health_terms *terms,
        const struct soak_row *soak, const Machine__Status *status, char ret_why[HEALTH_WHY_SIZE])
{
	enum soak_verdict verdict = SOAK_WELL;

	for (size_t i = 0; terms->gates && i < policy_list_size(terms->gates, POLICY_PROBES); i++) {
		char why[HEALTH_WHY_SIZE] = "";

		health_fold(health_probe(terms, i, soak, status, why), why, &verdict, ret_why);
	}
	return verdict;
}

/* What is bad without comparing: restarts count from the begin of the soak. */
static bool health_service_failed(const struct health_terms *terms, const struct soak_row *soak,
        const Machine__Service *service, char ret_why[HEALTH_WHY_SIZE])
{
	uint64_t missed = terms->gates && policy_has(terms->gates, POLICY_HEARTBEAT)
	                          ? policy_number(terms->gates, POLICY_HEARTBEAT_MISSED)
	                          : 0;
	uint32_t since = service->restarts - soak->restarts;

	if (service->state == MACHINE__SERVICE_STATE__SERVICE_DOWN) {
		snprintf(ret_why, HEALTH_WHY_SIZE, "%.24s is down", service->name);
		return true;
	}
	if (since > missed) {
		snprintf(ret_why, HEALTH_WHY_SIZE,
		        "%.24s was started afresh since its update, %u times; %" PRIu64
		        " are let pass",
		        service->name, since, missed);
		return true;
	}
	return false;
}

enum soak_verdict health_judge(const struct health_terms *terms, const struct soak_row *soak,
        const Machine__Status *status, const Machine__Service *service,
        char ret_why[HEALTH_WHY_SIZE])
{
	bool has_budget = terms->gates && policy_has(terms->gates, POLICY_BLACKOUT);
	uint64_t budget_us = has_budget ? policy_number(terms->gates, POLICY_BLACKOUT) : 0;
	char why[HEALTH_WHY_SIZE] = "", also[HEALTH_WHY_SIZE] = "";
	enum soak_verdict verdict;

	*ret_why = '\0';
	if (health_service_failed(terms, soak, service, ret_why)) {
		return SOAK_FAILED;
	}
	if (has_budget && soak->blackout_ns > budget_us * HEALTH_NSEC_PER_USEC) {
		snprintf(ret_why, HEALTH_WHY_SIZE,
		        "%.24s stood still for %.6g ms in its update; %.6g ms are allowed",
		        service->name, (double)soak->blackout_ns / 1e6, (double)budget_us / 1e3);
		return SOAK_FAILED;
	}
	verdict = health_loads(terms, soak, status, why);
	health_fold(health_probes(terms, soak, status, also), also, &verdict, why);
	if (verdict == SOAK_WELL && has_budget && !soak->blackout_ns) {
		verdict = SOAK_UNKNOWN;
		snprintf(
		        why, sizeof(why), "how long %.24s stood still is not known", service->name);
	}
	if (verdict == SOAK_WELL && service->state != MACHINE__SERVICE_STATE__SERVICE_RUNNING &&
	        service->state != MACHINE__SERVICE_STATE__SERVICE_UPDATING) {
		verdict = SOAK_UNKNOWN;
		snprintf(why, sizeof(why), "%.24s is not up", service->name);
	}
	snprintf(ret_why, HEALTH_WHY_SIZE, "%s", why);
	return verdict;
}
