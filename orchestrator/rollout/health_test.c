/* The verdict of a moment: each gate at its edge and beside it; what is not known, which holds and never passes. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/rollout/health.h"

/* A policy with these gates. */
static struct policy *gates_of(const char *health)
{
	_cleanup_(freep) char *text = text_format(
	        "kind: UpdatePolicy\nname: x\nmatch: {machines: [a]}\nhealth: {%s}\n", health);
	struct policy_source source = {0};
	struct policy_errors errors = {0};
	struct policy *policy = NULL;

	assert(policy_source_add(&source, "x.yaml", (const uint8_t *)text, strlen(text)));
	assert(policy_parse(&source, &errors, &policy) == 0);
	policy_source_fini(&source);
	policy_errors_fini(&errors);
	return policy;
}

/* What a machine says, and what was before; a case changes what it is about. */
struct scene {
	Machine__Metric metric;
	Machine__Metric *metrics[1];
	Machine__Service service;
	Machine__Service *services[1];
	Machine__Status status;
	struct soak_row soak;
};

static void scene_init(struct scene *scene)
{
	*scene = (struct scene){0};
	machine__metric__init(&scene->metric);
	machine__service__init(&scene->service);
	machine__status__init(&scene->status);
	scene->metric.name = "load";
	scene->metrics[0] = &scene->metric;
	scene->service.name = "ds";
	scene->service.state = MACHINE__SERVICE_STATE__SERVICE_RUNNING;
	scene->service.n_metrics = 1;
	scene->service.metrics = scene->metrics;
	scene->services[0] = &scene->service;
	scene->status.n_services = 1;
	scene->status.services = scene->services;
	scene->status.clock_ns = 4000000000;
	scene->soak.restarts = scene->service.restarts = 7;
	scene->soak.blackout_ns = 1000000;
}

static void check(const char *health, const struct scene *scene, enum soak_verdict wanted,
        const char *why_wanted)
{
	struct policy *policy = health ? gates_of(health) : NULL;
	struct health_terms terms = {.gates = policy};
	char why[HEALTH_WHY_SIZE];
	enum soak_verdict verdict =
	        health_judge(&terms, &scene->soak, &scene->status, &scene->service, why);

	if (verdict != wanted || (*why_wanted ? !strstr(why, why_wanted) : *why != '\0')) {
		printf("{%s}: verdict %d (%s), not %d (%s)\n", health ? health : "", (int)verdict,
		        why, (int)wanted, why_wanted);
		assert(false);
	}
	policy_free(policy);
}

/* One that is not up is not well: down has failed, and in between it is not known. */
static void test_state(void)
{
	struct scene scene;

	scene_init(&scene);
	check("soak: 1s", &scene, SOAK_WELL, "");
	check(NULL, &scene, SOAK_WELL, "");
	scene.service.state = MACHINE__SERVICE_STATE__SERVICE_DOWN;
	check("soak: 1s", &scene, SOAK_FAILED, "ds is down");
	check(NULL, &scene, SOAK_FAILED, "ds is down");
	scene.service.state = MACHINE__SERVICE_STATE__SERVICE_RESTARTING;
	check("soak: 1s", &scene, SOAK_UNKNOWN, "ds is not up");
	scene.service.state = MACHINE__SERVICE_STATE__SERVICE_UPDATING;
	check("soak: 1s", &scene, SOAK_WELL, "");
}

/* Restarts count from the begin of the soak; none is let pass unless the policy says so. */
static void test_heartbeat(void)
{
	struct scene scene;

	scene_init(&scene);
	check("heartbeat: {missed: 2}", &scene, SOAK_WELL, "");
	scene.service.restarts = 8;
	check("soak: 1s", &scene, SOAK_FAILED, "started afresh");
	check("heartbeat: {}", &scene, SOAK_FAILED, "1 times; 0 are let pass");
	check("heartbeat: {missed: 1}", &scene, SOAK_WELL, "");
	scene.service.restarts = 9;
	check("heartbeat: {missed: 1}", &scene, SOAK_FAILED, "2 times; 1 are let pass");
	check("heartbeat: {missed: 2}", &scene, SOAK_WELL, "");
	/* The counter has 32 bits. */
	scene.soak.restarts = UINT32_MAX;
	scene.service.restarts = 0;
	check("heartbeat: {missed: 1}", &scene, SOAK_WELL, "");
	check("heartbeat: {missed: 0}", &scene, SOAK_FAILED, "1 times");
}

static void test_blackout(void)
{
	struct scene scene;

	scene_init(&scene);
	scene.soak.blackout_ns = 4999999;
	check("blackout: 5ms", &scene, SOAK_WELL, "");
	scene.soak.blackout_ns = 5000000;
	check("blackout: 5ms", &scene, SOAK_WELL, "");
	scene.soak.blackout_ns = 5000001;
	check("blackout: 5ms", &scene, SOAK_FAILED, "5 ms are allowed");
	check("soak: 1s", &scene, SOAK_WELL, "");
	scene.soak.blackout_ns = 0;
	check("blackout: 5ms", &scene, SOAK_UNKNOWN, "how long ds stood still is not known");
	check("soak: 1s", &scene, SOAK_WELL, "");
}

#define LOAD "loads: [{metric: load, least: 90%}]"
#define RATE "loads: [{metric: load, as: rate, least: 50%}]"

/* A figure against what it was before the update. */
static void test_value(void)
{
	struct scene scene;

	scene_init(&scene);
	snprintf(scene.soak.before, sizeof(scene.soak.before), "1000 overload=1 load=1000");
	scene.metric.value = 901;
	check(LOAD, &scene, SOAK_WELL, "");
	scene.metric.value = 900;
	check(LOAD, &scene, SOAK_WELL, "");
	scene.metric.value = 899;
	check(LOAD, &scene, SOAK_FAILED, "load is 899 and was 1000");
	scene.service.n_metrics = 0;
	check(LOAD, &scene, SOAK_UNKNOWN, "does not tell load");
	scene.service.n_metrics = 1;
	scene.metric.value = 1000;
	snprintf(scene.soak.before, sizeof(scene.soak.before), "1000 overload=1000");
	check(LOAD, &scene, SOAK_UNKNOWN, "does not tell load");
	*scene.soak.before = '\0';
	check(LOAD, &scene, SOAK_UNKNOWN, "does not tell load");
	snprintf(scene.soak.before, sizeof(scene.soak.before), "1000 load=0");
	scene.metric.value = 0;
	check(LOAD, &scene, SOAK_WELL, "");
}

/* How fast it rises: 1000 in a second before; now from 5000 at 2 s. */
static void test_rate(void)
{
	struct scene scene;

	scene_init(&scene);
	snprintf(scene.soak.early, sizeof(scene.soak.early), "1000000000 load=1000");
	snprintf(scene.soak.before, sizeof(scene.soak.before), "2000000000 load=2000");
	snprintf(scene.soak.since, sizeof(scene.soak.since), "2000000000 load=5000");
	scene.metric.value = 6000;
	check(RATE, &scene, SOAK_WELL, "");
	scene.metric.value = 5999;
	check(RATE, &scene, SOAK_FAILED, "load is 499.5 and was 1000");
	/* It was begun anew, or no time has passed. */
	scene.metric.value = 4999;
	check(RATE, &scene, SOAK_UNKNOWN, "how fast load rises is not known");
	scene.metric.value = 7000;
	scene.status.clock_ns = 2000000000;
	check(RATE, &scene, SOAK_UNKNOWN, "how fast load rises");
	scene.status.clock_ns = 4000000000;
	*scene.soak.early = '\0';
	check(RATE, &scene, SOAK_UNKNOWN, "how fast load rises");
}

#define PROBE "probes: [{service: ds, message: ping, within: 100ms}]"

/* A sign of life that is owed, or came; the soak began at 2 s, and it is 4 s now. */
static void test_probe(void)
{
	struct scene scene;

	scene_init(&scene);
	scene.soak.clock_ns = 2000000000;
	check(PROBE, &scene, SOAK_UNKNOWN, "has given no sign of life yet");
	scene.service.ping_open_ns = 3900000000;
	check(PROBE, &scene, SOAK_UNKNOWN, "has given no sign of life yet");
	scene.service.ping_open_ns = 3899999999;
	check(PROBE, &scene, SOAK_FAILED, "ds has owed a sign of life for 100 ms");
	/* What was owed before the soak counts from its begin. */
	scene.service.ping_open_ns = 1;
	check(PROBE, &scene, SOAK_FAILED, "ds has owed a sign of life for 2000 ms");
	scene.soak.clock_ns = 3900000000;
	check(PROBE, &scene, SOAK_UNKNOWN, "has given no sign of life yet");
	/* A status that is as old as the soak, and one that is older. */
	scene.soak.clock_ns = 4000000000;
	check(PROBE, &scene, SOAK_UNKNOWN, "has given no sign of life yet");
	scene.soak.clock_ns++;
	check(PROBE, &scene, SOAK_UNKNOWN, "has given no sign of life yet");
	scene.service.ping_open_ns = 0;
	scene.soak.clock_ns = 2000000000;
	scene.service.pong_at_ns = 2000000000;
	scene.service.pong_took_ns = 100000000;
	check(PROBE, &scene, SOAK_WELL, "");
	scene.service.pong_took_ns++;
	check(PROBE, &scene, SOAK_FAILED, "ds owed a sign of life for 100 ms");
	/* An answer to what was asked before says nothing, however late it came. */
	scene.service.pong_at_ns = 1999999999;
	scene.service.pong_took_ns = 9000000000000;
	check(PROBE, &scene, SOAK_UNKNOWN, "has given no sign of life yet");
}

/* What is known to be bad is not made better by what is not known, in whatever order. */
static void test_order(void)
{
	static const char both[] = "loads: [{metric: nobody}, {metric: load, least: 90%}]";
	static const char swapped[] = "loads: [{metric: load, least: 90%}, {metric: nobody}]";
	struct scene scene;

	scene_init(&scene);
	snprintf(scene.soak.before, sizeof(scene.soak.before), "1000 load=1000");
	scene.metric.value = 10;
	check(both, &scene, SOAK_FAILED, "load is 10");
	check(swapped, &scene, SOAK_FAILED, "load is 10");
	scene.metric.value = 1000;
	check(both, &scene, SOAK_UNKNOWN, "does not tell nobody");
	check(swapped, &scene, SOAK_UNKNOWN, "does not tell nobody");
	scene.service.restarts = 8;
	check(both, &scene, SOAK_FAILED, "started afresh");
}

int main(void)
{
	test_state();
	test_heartbeat();
	test_blackout();
	test_value();
	test_rate();
	test_probe();
	test_order();
	return 0;
}
