#pragma once
/* The order in which machines get a release: by a hash of machine and release, the same wherever it is asked. */
#include <stddef.h>
#include <stdint.h>

struct cohort {
	struct cohort_machine {
		uint8_t hash[64];
		int64_t machine;
	} *list;
	size_t n, room;
	size_t at; /* for whoever goes through them */
};

void cohort_add(struct cohort *cohort, int64_t machine, const char *name, int64_t release);
void cohort_sort(struct cohort *cohort);
void cohort_fini(struct cohort *cohort);
