/* Pictures of a job: of one that lud tells as it should, and of times and names that no lud would tell. */
#undef NDEBUG
#include "ctl/cmd/timeline.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 70

struct scene {
	Control__Job job;
	Control__JobStep steps[STEPS], *all[STEPS];
	Machine__Result result;
	Machine__Phase phases[2], *both[2];
};

static void scene_init(struct scene *scene, size_t n)
{
	control__job__init(&scene->job);
	scene->job.id = 7;
	scene->job.machine = "m1";
	scene->job.service = "ds";
	scene->job.kind = CONTROL__JOB_KIND__JOB_KIND_UPDATE;
	scene->job.state = CONTROL__JOB_STATE__JOB_STATE_CONFIRMED;
	scene->job.created_us = 1000000;
	scene->job.ended_us = 2000000;
	scene->job.steps = scene->all;
	scene->job.n_steps = n;
	for (size_t i = 0; i < n; i++) {
		control__job_step__init(&scene->steps[i]);
		scene->all[i] = &scene->steps[i];
		scene->steps[i].name = i ? "run" : "forge";
		scene->steps[i].state = "done";
		scene->steps[i].started_us = 1000000 + 500000 * (int64_t)i;
		scene->steps[i].ended_us = 1500000 + 500000 * (int64_t)i;
	}
	machine__result__init(&scene->result);
	for (size_t i = 0; i < 2; i++) {
		machine__phase__init(&scene->phases[i]);
		scene->both[i] = &scene->phases[i];
		scene->phases[i].name = i ? "transfer" : "prepare";
		scene->phases[i].ns = i ? 3000000 : 1000000;
	}
	scene->result.phases = scene->both;
	scene->result.n_phases = 2;
	scene->result.blackout_ns = 2500000;
}

/* The picture; the caller frees. All of it is ASCII, and every number is one, wherever it comes from. */
static char *picture(const struct scene *scene)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert(to);
	timeline_write(to, "</text><script>&\"'\x1b\x80", &scene->job);
	assert(fclose(to) == 0);
	assert(!strstr(text, "nan") && !strstr(text, "inf") && !strstr(text, "\"-"));
	for (const char *at = text; *at; at++) {
		assert((*at >= ' ' && *at < 0x7f) || *at == '\n');
	}
	return text;
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++) {
		n++;
	}
	return n;
}

/* Steps lie where they were: the second begins in the middle, where the first ends. The machine's phases are as long as they took. */
static void test_places(void)
{
	struct scene scene;
	char *text, *again;

	scene_init(&scene, 2);
	text = picture(&scene);
	assert(strstr(text, "class=\"bar\" x=\"130.0\" y=\"65.0\" width=\"300.0\""));
	assert(strstr(text, "class=\"bar\" x=\"430.0\" y=\"87.0\" width=\"300.0\""));
	assert(count(text, "<rect class=\"bar\"") == 2 && !strstr(text, "what the machine did"));
	free(text);
	scene.job.result = &scene.result;
	text = picture(&scene);
	assert(count(text, "<rect class=\"bar\"") == 4 && strstr(text, "was gone for 2.50 ms"));
	assert(strstr(text, "width=\"150.0\"") && strstr(text, "x=\"280.0\"") &&
	        strstr(text, ">3.00 ms<"));
	again = picture(&scene);
	assert(!strcmp(text, again));
	free(again);
	free(text);
}

/* What is open ends with the picture, what failed is marked. */
static void test_open(void)
{
	struct scene scene;
	char *text;

	scene_init(&scene, 2);
	scene.job.ended_us = 0;
	scene.steps[0].state = "failed";
	scene.steps[0].ended_us = 1800000;
	scene.steps[1].ended_us = 0;
	text = picture(&scene);
	assert(strstr(text, "class=\"failed\" x=\"130.0\" y=\"65.0\" width=\"600.0\""));
	assert(strstr(text, "class=\"bar\" x=\"505.0\" y=\"87.0\" width=\"225.0\""));
	free(text);
}

static void test_hostile(void)
{
	struct scene scene;
	char *text;

	scene_init(&scene, STEPS);
	scene.job.created_us = INT64_MIN;
	scene.job.ended_us = INT64_MAX;
	scene.steps[0].name = "]]></title><x/>";
	scene.steps[0].detail = "<b> & \x01";
	scene.steps[1].started_us = INT64_MAX;
	scene.steps[1].ended_us = INT64_MIN;
	scene.steps[2].started_us = -1;
	scene.phases[0].ns = scene.phases[1].ns = UINT64_MAX;
	scene.phases[1].name = "<script>";
	scene.job.result = &scene.result;
	text = picture(&scene);
	assert(!strstr(text, "<script") && !strstr(text, "<x/>") && !strstr(text, "<b>"));
	assert(strstr(text, "&lt;b&gt; &amp; ?") && strstr(text, "&lt;/text&gt;"));
	assert(count(text, "<rect class=\"bar\"") == 64 + 2);
	free(text);
	scene_init(&scene, 0);
	scene.job.ended_us = 0;
	text = picture(&scene);
	assert(strstr(text, "</svg>"));
	free(text);
}

int main(void)
{
	test_places();
	test_open();
	test_hostile();
	return 0;
}
