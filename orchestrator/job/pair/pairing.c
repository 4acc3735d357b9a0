/*
 * The answer of `luforge pair`, taken apart. It is text from a worker: only an answer of the
 * known format, about exactly the two releases that were asked for, becomes a pairing, and its
 * id is computed here from their signed state hashes and not taken from it. A long answer
 * keeps its first PAIRING_FINDINGS_MAX findings, losses first, and the number of the rest; the
 * counts are of all.
 */
#include "orchestrator/job/pair/pairing.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "orchestrator/work/forge.h"
#include "proto/envelope/pairing.h"

/* The lists of the answer, those first of which the fewest should be left off. */
static const struct {
	const char *key;
	Control__FindingKind kind;
	size_t count; /* offset of its number in the message */
	const char *words;
} pairing_lists[] = {
        {"loss", CONTROL__FINDING_KIND__FINDING_LOST, offsetof(Control__Pairing, n_lost), "lost"},
        {"at_risk", CONTROL__FINDING_KIND__FINDING_AT_RISK, offsetof(Control__Pairing, n_at_risk),
                "lost if in use"},
        {"dropped", CONTROL__FINDING_KIND__FINDING_DROPPED, offsetof(Control__Pairing, n_dropped),
                "dropped on purpose"},
        {"initial", CONTROL__FINDING_KIND__FINDING_INITIAL, offsetof(Control__Pairing, n_initial),
                "with another initial value"},
        {"moved", CONTROL__FINDING_KIND__FINDING_MOVED, offsetof(Control__Pairing, n_moved),
                "moved"},
};

#define PAIRING_N_LISTS (sizeof(pairing_lists) / sizeof(pairing_lists[0]))

/* The counter of a list, in the message that is filled. */
static uint32_t *pairing_count(const Control__Pairing *pairing, size_t list)
{
	return (uint32_t *)((char *)pairing + pairing_lists[list].count);
}

/* "" for what is missing: an older luforge says less, and a schema's string is never NULL. */
static char *pairing_text(struct pool *pool, const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return pool_text(pool, text ? text : "");
}

/* Of a changed initial value there is no sentence yet. */
static char *pairing_initial_text(struct pool *pool, const json_t *row, const Control__Finding *f)
{
	const json_t *old = json_object_get(row, "old");
	const json_t *new = json_object_get(row, "new");

	if (!json_is_integer(old) || !json_is_integer(new)) {
		return pool_format(pool, "%s%s", f->entry, f->member);
	}
	return pool_format(pool, "%s%s (%" JSON_INTEGER_FORMAT " -> %" JSON_INTEGER_FORMAT ")",
	        f->entry, f->member, json_integer_value(old), json_integer_value(new));
}

/* One finding, copied into the pool: the JSON goes before the message does. */
static Control__Finding *pairing_finding(
        struct pool *pool, const json_t *row, Control__FindingKind kind)
{
	Control__Finding *finding = pool_zero(pool, sizeof(*finding));

	control__finding__init(finding);
	finding->kind = kind;
	finding->what = pairing_text(pool, row, "what");
	finding->entry = pairing_text(pool, row, "entry");
	finding->member = pairing_text(pool, row, "member");
	finding->text = kind == CONTROL__FINDING_KIND__FINDING_INITIAL
	                        ? pairing_initial_text(pool, row, finding)
	                        : pairing_text(pool, row, "text");
	return finding;
}

/*
 * False when the list or a row is not what it should be: then the whole answer is not believed.
 * Beyond PAIRING_FINDINGS_MAX findings are counted and left off, so an answer cannot make lud
 * hold more than that.
 */
static bool pairing_take_list(
        struct pool *pool, const json_t *forward, size_t list, Control__Pairing *pairing)
{
	const json_t *rows = json_object_get(forward, pairing_lists[list].key);

	if (!json_is_array(rows)) {
		return false;
	}
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		if (!json_is_object(row)) {
			return false;
		}
		++*pairing_count(pairing, list);
		if (pairing->n_findings == PAIRING_FINDINGS_MAX) {
			pairing->n_left_off++;
			continue;
		}
		pairing->findings[pairing->n_findings++] =
		        pairing_finding(pool, row, pairing_lists[list].kind);
	}
	return true;
}

/* Whether the side of the answer is this release. */
static bool pairing_is_of(
        const json_t *forward, const char *side, const struct release_row *release)
{
	const json_t *id = json_object_get(json_object_get(forward, side), "release_id");
	char text[2 * FORGE_RELEASE_SIZE + 1];

	forge_release_text(release->release_id, text);
	return json_is_string(id) && !strcmp(json_string_value(id), text);
}

/* An update that is impossible has an error and a rule, and no lists. */
static bool pairing_take(struct pool *pool, const json_t *forward, Control__Pairing *pairing)
{
	const json_t *possible = json_object_get(forward, "possible");
	bool good = json_is_boolean(possible);

	pairing->possible = json_is_true(possible);
	pairing->error = pairing_text(pool, forward, "error");
	pairing->rule = pairing_text(pool, forward, "rule");
	pairing->findings = pool_zero(pool, PAIRING_FINDINGS_MAX * sizeof(*pairing->findings));
	for (size_t i = 0; good && pairing->possible && i < PAIRING_N_LISTS; i++) {
		good = pairing_take_list(pool, forward, i, pairing);
	}
	return good;
}

/* Everything in the message is a copy in the pool; the JSON is let go of in every case. */
int pairing_read(struct pool *pool, const char *json, enum pairing_way way,
        const struct release_row *from, const struct release_row *to,
        Control__Pairing **ret_pairing, struct failure *ret_failure)
{
	static const char *const keys[_PAIRING_WAY_N] = {
	        [PAIRING_FORWARD] = "forward", [PAIRING_BACK] = "back"};
	json_t *answer = json_loads(json, 0, NULL);
	const json_t *forward = json_object_get(answer, keys[way]);
	Control__Pairing *pairing = pool_zero(pool, sizeof(*pairing));
	uint8_t id[64];
	bool good;

	control__pairing__init(pairing);
	envelope_pairing_id(from->state_hash, to->state_hash, id);
	pairing->id = pool_bytes(pool, id, sizeof(id));
	pairing->from_counter = (uint32_t)from->counter;
	pairing->to_counter = (uint32_t)to->counter;
	good = json_integer_value(json_object_get(answer, "format")) == 1 &&
	       pairing_is_of(forward, "old", from) && pairing_is_of(forward, "new", to) &&
	       pairing_take(pool, forward, pairing);
	json_decref(answer);
	if (!good) {
		return err_up(forge_answer_invalid(ret_failure, "pair", to->path));
	}
	*ret_pairing = pairing;
	return 0;
}

static void pairing_impossible(
        const Control__Pairing *pairing, const char *service, struct failure *ret_failure)
{
	failure_set(ret_failure, "pair-impossible", service,
	        "change the type, or say what becomes of it with an annotation or a handler, in "
	        "the release that comes",
	        "release %u cannot take over the state of release %u: %s (%s)", pairing->to_counter,
	        pairing->from_counter, pairing->error, pairing->rule);
}

static void pairing_loss(const Control__Pairing *pairing, enum job_kind kind, const char *service,
        struct failure *ret_failure)
{
	char remedy[sizeof(ret_failure->remedy)];

	snprintf(remedy, sizeof(remedy),
	        "annotate what may go in the release that comes (STATE_DROPPED, "
	        "STATE_RENAMED_FROM), or consent to the loss with `luctl %s %s --accept-loss`",
	        job_kind_name(kind == JOB_PREPARE ? JOB_UPDATE : kind), service);
	failure_set(ret_failure, "state-loss", service, remedy,
	        "%u part%s of the state of release %u %s no place in release %u and would be lost",
	        pairing->n_lost, pairing->n_lost == 1 ? "" : "s", pairing->from_counter,
	        pairing->n_lost == 1 ? "has" : "have", pairing->to_counter);
}

bool pairing_refuses(const Control__Pairing *pairing, enum job_kind kind, const char *service,
        bool accepts, struct failure *ret_failure)
{
	if (!pairing->possible) {
		pairing_impossible(pairing, service, ret_failure);
		return true;
	}
	if (pairing->n_lost && !accepts) {
		pairing_loss(pairing, kind, service, ret_failure);
		return true;
	}
	return false;
}

void pairing_unregistered(const char *service, struct failure *ret_failure)
{
	failure_set(ret_failure, "unregistered", service,
	        "add the kit that it was made of with `luctl release add`",
	        "the release that %s runs is not registered, so what would be lost is not known",
	        service);
}

bool pairing_is_lossy(const Control__Pairing *pairing)
{
	return pairing->n_lost || pairing->n_at_risk;
}

/* Cut at the end of ret_text, which is for people. */
void pairing_summary(const Control__Pairing *pairing, char *ret_text, size_t size)
{
	size_t len = 0;

	snprintf(ret_text, size, "%s", pairing->n_lost ? "" : "nothing is lost");
	len = strlen(ret_text);
	for (size_t i = 0; i < PAIRING_N_LISTS && len < size; i++) {
		uint32_t n = *pairing_count(pairing, i);

		if (n) {
			snprintf(ret_text + len, size - len, "%s%u %s", len ? ", " : "", n,
			        pairing_lists[i].words);
			len += strlen(ret_text + len);
		}
	}
}
