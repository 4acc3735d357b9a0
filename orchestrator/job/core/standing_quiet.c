/*
 * Holds and windows, for a machine that moves services by itself. A service that is held, or whose windows
 * are shut, is not in the order, and comes back into it when lud sees that they are not: so nothing moves on
 * because nobody was there. What lud knows beforehand goes with the order: windows that will shut while it
 * lasts are quiet times of it, for lud may be away by then.
 *
 * Quiet times are of the whole order and of the day in UTC, and there are few. So they are the union over
 * its services, to whole seconds outwards, and those that are nearest to each other become one until they
 * fit: it may be quiet when it need not, and never moves when it must not. An order lasts a day at most, in
 * which a time of the day comes once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "orchestrator/job/core/priv.h"
#include "proto/envelope/envelope.h"

#define QUIET_USEC INT64_C(1000000)
#define QUIET_DAY INT64_C(86400)
#define QUIET_SPANS_MAX 16u /* of one service */

struct quiet_spans {
	struct decide_span list[STANDING_SERVICES_MAX * QUIET_SPANS_MAX];
	size_t n;
};

static struct rules_question quiet_question(
        const struct engine *engine, const struct machine *machine, const char *service)
{
	return (struct rules_question){
	        .machine = machine_row(machine),
	        .service = service,
	        .action = DECIDE_RERANDOMIZE,
	        .limit_us = (int64_t)engine->parts.config->update_timeout_usec,
	};
}

bool standing_may_move(const struct engine *engine, const struct machine *machine,
        const char *service, struct rules_gate *ret_shut)
{
	struct rules_question question = quiet_question(engine, machine, service);
	struct rules_gate gates[_RULES_GATE_N];

	rules_ask(engine->rules, &question, store_now_usec(), gates);
	for (enum rules_gate_id gate = 0; gate < _RULES_GATE_N; gate++) {
		if (!gates[gate].is_open) {
			*ret_shut = gates[gate];
			return false;
		}
	}
	return true;
}

static int quiet_by_from(const void *a, const void *b)
{
	const struct decide_span *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* Those that overlap, or touch, are one. */
static void quiet_unite(struct quiet_spans *spans)
{
	size_t n = 0;

	qsort(spans->list, spans->n, sizeof(spans->list[0]), quiet_by_from);
	for (size_t i = 0; i < spans->n; i++) {
		struct decide_span *last = &spans->list[n - (n > 0)];

		if (n && spans->list[i].from <= last->until) {
			last->until = spans->list[i].until > last->until ? spans->list[i].until
			                                                 : last->until;
		} else {
			spans->list[n++] = spans->list[i];
		}
	}
	spans->n = n;
}

/* The two that are nearest to each other become one; there are at least two. */
static void quiet_join(struct quiet_spans *spans)
{
	size_t at = 0;

	for (size_t i = 1; i + 1 < spans->n; i++) {
		if (spans->list[i + 1].from - spans->list[i].until <
		        spans->list[at + 1].from - spans->list[at].until) {
			at = i;
		}
	}
	spans->list[at].until = spans->list[at + 1].until;
	for (size_t i = at + 1; i + 1 < spans->n; i++) {
		spans->list[i] = spans->list[i + 1];
	}
	spans->n--;
}

/* To whole seconds, outwards. A span of a whole day has no from and until; then a second is left. */
static struct standing_quiet quiet_of(const struct decide_span *span)
{
	int64_t from = span->from / QUIET_USEC;
	int64_t until = (span->until + QUIET_USEC - 1) / QUIET_USEC;

	if (until - from >= QUIET_DAY) {
		until = from + QUIET_DAY - 1;
	}
	return (struct standing_quiet){(uint32_t)(from % QUIET_DAY), (uint32_t)(until % QUIET_DAY)};
}

/* Those that a person gave stay as they are. */
static void quiet_given(const struct standing_row *row, struct standing_manifest *manifest)
{
	unsigned int from, until;
	int n;

	for (const char *at = row->quiet; manifest->n_quiet < STANDING_QUIET_MAX &&
	                                  sscanf(at, "%u-%u %n", &from, &until, &n) == 2;
	        at += n) {
		manifest->quiet[manifest->n_quiet++] = (struct standing_quiet){from, until};
	}
}

/* A person's take the places that they need; where no place is left, one of them grows to cover all. */
void standing_quiet(const struct engine *engine, const struct machine *machine,
        const struct standing_row *row, struct standing_manifest *manifest)
{
	static struct quiet_spans spans;
	int64_t now = store_now_usec();
	struct decide_span stretch = {now, now + QUIET_DAY * QUIET_USEC};
	size_t room;

	spans.n = 0;
	for (size_t i = 0; i < manifest->n_services; i++) {
		struct rules_question question =
		        quiet_question(engine, machine, standing_services(manifest)[i].service);

		spans.n += rules_closed(
		        engine->rules, &question, &stretch, &spans.list[spans.n], QUIET_SPANS_MAX);
	}
	quiet_given(row, manifest);
	quiet_unite(&spans);
	room = STANDING_QUIET_MAX - manifest->n_quiet;
	if (spans.n && !room) {
		manifest->n_quiet--;
		room = 1;
		spans.list[0].from = now;
		spans.list[spans.n - 1].until = stretch.until;
	}
	while (spans.n > room) {
		quiet_join(&spans);
	}
	for (size_t i = 0; i < spans.n; i++) {
		manifest->quiet[manifest->n_quiet++] = quiet_of(&spans.list[i]);
	}
}
