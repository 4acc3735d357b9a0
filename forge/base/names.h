#pragma once
/* A map from strings to numbers. Strings are borrowed and must outlive the map. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names_slot {
	const char *name; /* NULL: free */
	uint64_t value;
};

struct names {
	struct names_slot *slots; /* owned */
	size_t n_slots;           /* 0 or a power of two */
	size_t n_used;
};

void names_fini(struct names *names);

/* Add a name. Return false, and change nothing, when it is there already. */
bool names_add(struct names *names, const char *name, uint64_t value);

/* The value of a name, to read or to change; NULL when it is not there. */
uint64_t *names_find(const struct names *names, const char *name);
