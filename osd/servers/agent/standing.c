/*
 * The machine's standing order as a message: what RS tells of the order and of the turns of its
 * services. It is part of every status; an RS that knows none has none.
 */
#include "osd/servers/agent/priv.h"

#include "osd/abi/rs.h"

/* The protocol's state by RS's: one row of proto/words/standing.def each. */
static Machine__StandingState standing_state(uint32_t state)
{
	switch ((enum rs_standing_state)state) {
#define STANDING(name, word, sentence)                                                             \
	case RS_STANDING_##name:                                                                   \
		return MACHINE__STANDING_STATE__STANDING_##name;
#include "proto/words/standing.def"
#undef STANDING
	case RS_STANDING_NONE:
	case RS_STANDING_STATE_N:
		break;
	}
	return MACHINE__STANDING_STATE__STANDING_NONE;
}

static Machine__StandingService *standing_service(
        struct wire_arena *arena, const struct rs_standing_service *from)
{
	Machine__StandingService *to = wire_arena_alloc(arena, sizeof(*to));

	if (to == NULL) {
		return NULL;
	}
	machine__standing_service__init(to);
	to->service = answer_text(arena, from->service, SERVICE_NAME_LEN);
	to->release_id = answer_bytes(arena, from->release_id, RS_HASH_LEN);
	to->moved = from->n_moved;
	to->skipped = from->n_skipped;
	to->failed = from->n_failed;
	to->moved_ns = from->moved_at;
	to->failed_ns = from->failed_at;
	to->next_ns = from->next;
	if (from->err != E_OK) {
		to->error = answer_error(arena, from->err, "move");
	}
	return to;
}

static void standing_services_add(struct wire_arena *arena, const struct rs_standing_service *from,
        size_t n, Machine__Standing *to)
{
	to->services = wire_arena_alloc(arena, n * sizeof(to->services[0]));
	for (size_t i = 0; to->services != NULL && i < n; i++) {
		Machine__StandingService *service = standing_service(arena, &from[i]);

		if (service == NULL) {
			break;
		}
		to->services[to->n_services++] = service;
	}
}

static void standing_quiet_add(
        struct wire_arena *arena, const struct rs_standing *from, Machine__Standing *to)
{
	to->quiet = wire_arena_alloc(arena, from->n_quiet * sizeof(to->quiet[0]));
	for (uint32_t i = 0; to->quiet != NULL && i < from->n_quiet; i++) {
		Machine__StandingQuiet *quiet = wire_arena_alloc(arena, sizeof(*quiet));

		if (quiet == NULL) {
			break;
		}
		machine__standing_quiet__init(quiet);
		quiet->from_sec = from->quiet[i].from_sec;
		quiet->until_sec = from->quiet[i].until_sec;
		to->quiet[to->n_quiet++] = quiet;
	}
}

Machine__Standing *standing_answer(struct wire_arena *arena)
{
	const struct rs_standing *from = (const struct rs_standing *)rs_buffer();
	struct rs_reply answer =
	        rs_standing_status(rs_endpoint(), rs_request_make(RS_BUFFER_BYTES, 0, 0));
	Machine__Standing *to;

	if (answer.err != E_OK || from->state == RS_STANDING_NONE) {
		return NULL;
	}
	to = wire_arena_alloc(arena, sizeof(*to));
	if (to == NULL) {
		return NULL;
	}
	machine__standing__init(to);
	to->state = standing_state(from->state);
	to->epoch = from->epoch;
	to->number = from->number;
	to->expires = from->expires;
	to->every_ms = from->every_ms;
	to->jitter_ms = from->jitter_ms;
	standing_quiet_add(arena, from, to);
	standing_services_add(
	        arena, (const struct rs_standing_service *)(from + 1), answer.count, to);
	return to;
}
