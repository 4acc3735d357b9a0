#pragma once
/* Releases from a source tree to lud's record: what `release new` and `dev` share. */
#include <stdint.h>

#include "ctl/cmdline/cmdline.h"

/* A release that was made, as `release new` and `dev` tell of it. */
struct release_made {
	char service[24];
	uint32_t counter;
	char id[2 * 64 + 1]; /* hex */
	char *kit; /* where it lies; owned. NULL: it was not made, since nothing changed */
	bool is_signed;
	bool runs; /* nothing changed: what runs is the same program */
};

void release_made_finip(struct release_made *made);

struct release_maker;

/*
 * Build the kits of the services that the options name, and make releases of them:
 *
 *     release_maker_open -> release_make, for each -> release_maker_closep
 *
 * for_dev: what the machine runs already is not made again, nothing is compared but rights, and a
 * release that cannot be signed is an error.
 */
int release_maker_open(
        const struct options *options, bool for_dev, struct release_maker **ret_maker);
void release_maker_closep(struct release_maker **maker);
int release_make(struct release_maker *maker, const char *name, struct release_made *ret_made);
/*
 * Of the releases of the service that were made for_dev the newest stay, and those that something needs: lud gives up the
 * kits of the others, and so does the directory of kits. What cannot be removed now is left to the next time.
 */
void release_remove_old(struct release_maker *maker, const struct release_made *made);
