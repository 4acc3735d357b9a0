/*
 * The hash of a plan, by which a person says: this one and no other. Every line that goes into it has
 * a name, and no value has a line's end in it, so that two plans with one text are one plan.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/text/hex.h"
#include "orchestrator/job/plan/plan.h"
#include "proto/envelope/envelope_crypto.h"

static void plan_hash_hex(FILE *text, const char *name, const uint8_t *bytes, size_t size)
{
	char digits[2 * 64 + 1];

	assert(size <= sizeof(digits) / 2);
	fprintf(text, "%s %s\n", name, hex_write(bytes, size, digits));
}

static void plan_hash_part(FILE *text, const struct job_forecast *part)
{
	fprintf(text, "service %s\n", part->service);
	plan_hash_hex(text, "from", part->from.release_id, sizeof(part->from.release_id));
	plan_hash_hex(text, "to", part->to.release_id, sizeof(part->to.release_id));
	fprintf(text, "layout %s\nrecipe %" PRIu32 "\n", part->machine_made ? "machine" : "host",
	        part->recipe);
	if (part->paired) {
		plan_hash_hex(text, "pairing", part->pairing, sizeof(part->pairing));
		fprintf(text, "lost %" PRIu32 "\n", part->n_lost);
	}
}

struct plan_terms plan_terms_of(const struct engine *engine, const struct job_order *order)
{
	struct plan_terms terms = {
	        .machine = machine_row(order->machine),
	        .kind = order->kind,
	        .quiescent = order->quiescent,
	        .timeout_ms = order->timeout_ms,
	        .hold_ms = order->hold_ms,
	        .accept_loss = order->accept_loss,
	};

	rules_digest_about(engine_rules(engine), terms.machine, terms.policies);
	return terms;
}

char *plan_text(const struct plan_terms *terms, const struct job_forecast *parts, size_t n,
        uint8_t ret_hash[64])
{
	char *bytes = NULL;
	size_t size;
	FILE *text = open_memstream(&bytes, &size);

	if (!text) {
		abort();
	}
	fprintf(text, "samsara plan 1\nmachine %s\n", terms->machine->name);
	plan_hash_hex(text, "id", terms->machine->machine_id, sizeof(terms->machine->machine_id));
	fprintf(text, "kind %s\nstate %s\ntimeout %" PRIu32 "\nhold %" PRIu32 "\n",
	        job_kind_name(terms->kind), terms->quiescent, terms->timeout_ms, terms->hold_ms);
	fprintf(text, "accept-loss %d\n", terms->accept_loss);
	plan_hash_hex(text, "policies", terms->policies, 64);
	/* By these policies match it: with others, other ones would decide. */
	fprintf(text, "groups %s\nlabels %s\n", terms->machine->groups, terms->machine->labels);
	for (size_t i = 0; i < n; i++) {
		plan_hash_part(text, &parts[i]);
	}
	if (fclose(text)) {
		abort();
	}
	envelope_hash(bytes, size, ret_hash);
	return bytes;
}

void plan_hash(const struct plan_terms *terms, const struct job_forecast *parts, size_t n,
        uint8_t ret_hash[64])
{
	free(plan_text(terms, parts, n, ret_hash));
}

void plan_changed(const char *service, struct failure *ret_failure)
{
	failure_set(ret_failure, "plan-changed", service,
	        "see what it would do now with `luctl plan`, and give that hash",
	        "what would be done is not the plan that was meant: %s", "something changed since");
}
