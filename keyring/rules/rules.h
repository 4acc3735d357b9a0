#pragma once
/*
 * What the signer may sign, as its owner wrote it down: the file signer.rules beside
 * its keys. One rule a line, `#` begins a comment; a limit that is missing is the
 * default's, a list that is missing allows nothing. A limit that is there twice is
 * invalid: nobody can tell which was meant.
 *
 *   machine 0123...ef        32 hex digits, or * for all; may be repeated
 *   service ds tty           names, or * for all; may be repeated
 *   action update prepare    of orders, and `standing` for standing orders; may be repeated
 *   machine_made ds tty      services whose layouts a machine may make, or * for all; may be
 *                            repeated
 *   variant_life 604800      longest life of a variant, seconds
 *   order_life 1800          longest life of an order, seconds
 *   standing_life 86400      longest life of a standing order, seconds
 *   standing_every 100       shortest time between two layouts of a service by one, ms
 *   generation_max 1000000000 highest generation in an order or a statement
 *   transaction_max 1000000000 highest transaction number of an order
 *   floor_max 1000000        highest floor in a statement
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope/envelope.h"

#define RULES_MACHINES_MAX 64u
#define RULES_SERVICES_MAX 256u

struct rules {
	bool all_machines;
	bool all_services;
	bool all_made;
	uint32_t n_machines;
	uint32_t n_services;
	uint32_t n_made;
	uint32_t actions; /* bit n: enum order_action n; bit _ORDER_ACTION_N: standing orders */
	uint32_t limits;  /* bit n: the n-th limit was given */
	uint8_t machines[RULES_MACHINES_MAX][16];
	char services[RULES_SERVICES_MAX][SERVICE_NAME_SIZE];
	char made[RULES_SERVICES_MAX][SERVICE_NAME_SIZE];
	uint64_t variant_life_sec;
	uint64_t order_life_sec;
	uint64_t standing_life_sec;
	uint64_t standing_every_ms;
	uint64_t generation_max;
	uint64_t transaction_max;
	uint64_t floor_max;
};

/* What `luctl keys init` writes: every machine and service, all actions. */
extern const char rules_default_text[];

/* Read a rule file's text. 0, or the number of the first invalid line, and why. */
unsigned int rules_parse(
        const char *text, size_t len, struct rules *ret_rules, const char **ret_why);

/* Each returns NULL when the rules allow it, else what they do not allow. */
const char *rules_refuse_variant(
        const struct rules *rules, const struct variant_manifest *variant, uint64_t life_sec);
const char *rules_refuse_order(
        const struct rules *rules, const struct order_manifest *order, uint64_t life_sec);
const char *rules_refuse_statement(
        const struct rules *rules, const struct statement_manifest *statement);
const char *rules_refuse_standing(
        const struct rules *rules, const struct standing_manifest *standing, uint64_t life_sec);
