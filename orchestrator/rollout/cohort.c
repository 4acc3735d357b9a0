/*
 * Cohorts. Machines are drawn anew for each release, so that none is always the first to get what nobody has tried; and
 * not by chance, so that the same question has the same answer.
 */
#include "orchestrator/rollout/cohort.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope/envelope_crypto.h"

void cohort_add(struct cohort *cohort, int64_t machine, const char *name, int64_t release)
{
	char text[160];
	int len = snprintf(
	        text, sizeof(text), "samsara cohort 1\n%" PRId64 "\n%.80s\n", release, name);

	if (cohort->n == cohort->room) {
		cohort->room = cohort->room ? 2 * cohort->room : 16;
		cohort->list = realloc(cohort->list, cohort->room * sizeof(cohort->list[0]));
		if (!cohort->list) {
			abort();
		}
	}
	cohort->list[cohort->n].machine = machine;
	envelope_hash(text, (size_t)len, cohort->list[cohort->n].hash);
	cohort->n++;
}

static int cohort_compare(const void *a, const void *b)
{
	const struct cohort_machine *x = a, *y = b;

	return memcmp(x->hash, y->hash, sizeof(x->hash));
}

void cohort_sort(struct cohort *cohort)
{
	if (cohort->n) {
		qsort(cohort->list, cohort->n, sizeof(cohort->list[0]), cohort_compare);
	}
}

void cohort_fini(struct cohort *cohort)
{
	free(cohort->list);
	*cohort = (struct cohort){0};
}
