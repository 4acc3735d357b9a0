/* The order in which machines are drawn: the same each time, another for each release, and no machine more often first. */
#undef NDEBUG
#include "orchestrator/rollout/cohort.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MACHINES 100
#define RELEASES 1000
#define FIRST 10 /* size of the first ring */

/* Machines in the order in which they are added, or the other way round. */
static struct cohort cohort_of(int64_t release, bool backwards)
{
	struct cohort cohort = {0};
	char name[16];

	for (int i = 0; i < MACHINES; i++) {
		int machine = backwards ? MACHINES - 1 - i : i;

		snprintf(name, sizeof(name), "web%d", machine);
		cohort_add(&cohort, machine, name, release);
	}
	cohort_sort(&cohort);
	assert(cohort.n == MACHINES);
	return cohort;
}

/* It depends on names and release alone, and each machine is in it once. */
static void test_stable(void)
{
	struct cohort one = cohort_of(7, false), two = cohort_of(7, true);
	bool seen[MACHINES] = {false};

	for (size_t i = 0; i < MACHINES; i++) {
		assert(one.list[i].machine == two.list[i].machine);
		assert(!seen[one.list[i].machine]);
		seen[one.list[i].machine] = true;
	}
	cohort_fini(&one);
	cohort_fini(&two);
}

/*
 * Over many releases each machine is in the first ring as often as any other: 100 of 1000 times, with a standard deviation of
 * 9.5. The hash is fixed, so these counts are, too.
 */
static void test_uniform(void)
{
	int first[MACHINES] = {0}, same = 0;
	int64_t before = -1;

	for (int64_t release = 1; release <= RELEASES; release++) {
		struct cohort cohort = cohort_of(release, false);

		for (size_t i = 0; i < FIRST; i++) {
			first[cohort.list[i].machine]++;
		}
		same += cohort.list[0].machine == before;
		before = cohort.list[0].machine;
		cohort_fini(&cohort);
	}
	for (size_t i = 0; i < MACHINES; i++) {
		assert(first[i] > 60 && first[i] < 140);
	}
	assert(same < 30);
}

int main(void)
{
	test_stable();
	test_uniform();
	return 0;
}
