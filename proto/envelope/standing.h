#pragma once
/*
 * The manifest of a standing order; see manifest.h, whose rules for all manifests hold here.
 */
#include "proto/envelope/manifest.h"

#define STANDING_MAGIC "SAMSTO1"
#define STANDING_SERVICES_MAX 64u
#define STANDING_QUIET_MAX 8u
/* The shortest and the longest pause between two layouts of one service. */
#define STANDING_EVERY_MS_MIN 100u
#define STANDING_EVERY_MS_MAX 86400000u
/* The longest life of a standing order: a machine that nobody speaks to stops by then. */
#define STANDING_LIFE_SEC_MAX 86400u

/*
 * A part of the day in which nothing moves: from its first second until its last, which it does not
 * hold any more. Seconds of the machine's time since midnight UTC; until <= from: over midnight.
 */
struct standing_quiet {
	uint32_t from_sec;
	uint32_t until_sec;
};

/* One service of a standing order, and the release that it must be running. */
struct standing_service {
	char service[SERVICE_NAME_SIZE];
	uint8_t release_id[64];
	uint32_t recipe;
	uint32_t reserved;
};

/*
 * A standing order: while it lasts, the machine gives each listed service a new layout, made by
 * itself, every so often. It moves what runs already and brings no other release. Each one replaces
 * the one before it; one without services ends it. n_services services follow it, sorted by name:
 * standing_services().
 */
struct standing_manifest {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size; /* of all */
	uint8_t machine_id[16];
	uint64_t boot_id;
	uint64_t epoch;     /* serial of the root it came with */
	uint64_t number;    /* rises inside the epoch, >= 1 */
	uint64_t issued;    /* unix s */
	uint64_t expires;   /* unix s, > issued; within STANDING_LIFE_SEC_MAX */
	uint32_t every_ms;  /* from one layout of a service to its next */
	uint32_t jitter_ms; /* drawn below this each time and added; <= every_ms */
	uint32_t n_services;
	uint32_t n_quiet;
	struct standing_quiet quiet[STANDING_QUIET_MAX];
};

static inline const struct standing_service *standing_services(
        const struct standing_manifest *standing)
{
	return (const struct standing_service *)(standing + 1);
}

_Static_assert(sizeof(struct standing_service) == 96, "layout");
_Static_assert(offsetof(struct standing_manifest, every_ms) == 72, "layout");
_Static_assert(sizeof(struct standing_manifest) == 152, "layout");
