/* Answers of luforge, good ones and others. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/pair/pairing.h"
#include "orchestrator/work/forge.h"
#include "proto/envelope/pairing.h"

struct world {
	struct pool pool;
	struct release_row from, to;
	Control__Pairing *pairing;
};

/* An answer about the world's two releases, or with an id of another. */
static char *answer(const struct world *w, const char *format, const char *new_id, const char *rest)
{
	char old[2 * FORGE_RELEASE_SIZE + 1], new[2 * FORGE_RELEASE_SIZE + 1];

	forge_release_text(w->from.release_id, old);
	forge_release_text(w->to.release_id, new);
	return text_format("{%s\"forward\": {\"old\": {\"release_id\": \"%s\"},"
	                   " \"new\": {\"release_id\": \"%s\"}, %s}}",
	        format, old, new_id ? new_id : new, rest);
}

static int read_answer(struct world *w, char *json)
{
	struct failure failure = {0};
	int r = pairing_read(
	        &w->pool, json, PAIRING_FORWARD, &w->from, &w->to, &w->pairing, &failure);

	assert((r < 0) == (*failure.cause != '\0'));
	err_forget();
	free(json);
	return r;
}

#define LISTS "\"at_risk\": [], \"dropped\": [], \"moved\": [{\"text\": \"a to b\"}], \"initial\": "

static void test_answers(struct world *w)
{
	static const char format[] = "\"format\": 1, ";
	static const char good[] =
	        "\"possible\": true, \"loss\": [{\"what\": \"member\", \"text\": \"struct "
	        "s.x\"}], " LISTS "[{\"entry\": \"a.c:n\", \"member\": \".m\", \"old\": 3, "
	        "\"new\": -4}, {\"entry\": \"a.c:p\", \"member\": \"\"}]";
	char text[160];
	uint8_t id[64];

	assert(read_answer(w, answer(w, format, NULL, good)) == 0);
	assert(w->pairing->base.descriptor == &control__pairing__descriptor); /* it can be sent */
	envelope_pairing_id(w->from.state_hash, w->to.state_hash, id);
	assert(w->pairing->id.len == 64 && !memcmp(w->pairing->id.data, id, 64));
	assert(w->pairing->possible && w->pairing->n_lost == 1 && w->pairing->n_initial == 2);
	assert(w->pairing->n_findings == 4 && pairing_is_lossy(w->pairing));
	assert(!strcmp(w->pairing->findings[0]->text, "struct s.x"));
	assert(!strcmp(w->pairing->findings[1]->text, "a.c:n.m (3 -> -4)"));
	assert(!strcmp(w->pairing->findings[2]->text, "a.c:p"));
	pairing_summary(w->pairing, text, sizeof(text));
	assert(!strcmp(text, "1 lost, 2 with another initial value, 1 moved"));
	pairing_summary(w->pairing, text, 9);
	assert(!strcmp(text, "1 lost, "));

	assert(read_answer(w,
	               answer(w, format, NULL,
	                       "\"possible\": false, \"error\": \"no\", \"rule\": \"type\"")) == 0);
	assert(!w->pairing->possible && !strcmp(w->pairing->error, "no") &&
	        !w->pairing->n_findings);
}

static void test_refused(struct world *w)
{
	static const char *const rest[] = {
	        "\"possible\": true",
	        "\"possible\": 1, \"loss\": [], " LISTS "[]",
	        "\"possible\": true, \"loss\": 5, " LISTS "[]",
	        "\"possible\": true, \"loss\": [5], " LISTS "[]",
	};
	static const char good[] = "\"possible\": true, \"loss\": [], " LISTS "[]";

	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		assert(read_answer(w, answer(w, "\"format\": 1, ", NULL, rest[i])) == -EBADMSG);
	}
	assert(read_answer(w, answer(w, "\"format\": 1, ", NULL, good)) == 0);
	assert(read_answer(w, answer(w, "\"format\": 2, ", NULL, good)) == -EBADMSG);
	assert(read_answer(w, answer(w, "", NULL, good)) == -EBADMSG);
	assert(read_answer(w, answer(w, "\"format\": 1, ", "00", good)) == -EBADMSG);
	assert(read_answer(w, text_copy("")) == -EBADMSG);
	assert(read_answer(w, text_copy("[1]")) == -EBADMSG);
}

/* More findings than are kept: the first ones stay, all are counted. */
static void test_many(struct world *w)
{
	char *list = text_copy("");
	char *rest;

	for (size_t i = 0; i < PAIRING_FINDINGS_MAX + 7; i++) {
		char *longer = text_format("%s%s{\"text\": \"v\"}", list, i ? ", " : "");

		free(list);
		list = longer;
	}
	rest = text_format("\"possible\": true, \"loss\": [%s], " LISTS "[]", list);
	assert(read_answer(w, answer(w, "\"format\": 1, ", NULL, rest)) == 0);
	assert(w->pairing->n_findings == PAIRING_FINDINGS_MAX && w->pairing->n_left_off == 8);
	assert(w->pairing->n_lost == PAIRING_FINDINGS_MAX + 7 && w->pairing->n_moved == 1);
	free(list);
	free(rest);
}

int main(void)
{
	struct world w = {0};

	pool_init(&w.pool);
	memset(w.from.release_id, 1, sizeof(w.from.release_id));
	memset(w.to.release_id, 2, sizeof(w.to.release_id));
	memset(w.to.state_hash, 3, sizeof(w.to.state_hash));
	test_answers(&w);
	test_refused(&w);
	test_many(&w);
	pool_fini(&w.pool);
	return 0;
}
