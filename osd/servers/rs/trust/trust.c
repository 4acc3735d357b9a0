/*
 * The way in to what is believed; see trust.h and docs/protocol/envelope.md.
 *
 * Every envelope comes in through trust_verify(). What it proves of root and time is kept, also
 * when the rule that it came for refuses it afterwards; everything else changes only when all of
 * that rule was passed. Fields are read from the verified bytes, and copied where they are needed
 * for longer than the call. Numbers are compared with their epoch, which is the serial of the
 * root that they were signed under; sums of times stand still at the end of their range.
 *
 * The other rules stand by subject: floors and generations in service.c, what may be staged or run
 * in variant.c, orders in order.c, standing ones in standing.c.
 */
#include "osd/servers/rs/trust/priv.h"

#include <string.h>

#include "osd/abi/errors.h"
#include "proto/envelope/envelope_crypto.h"

err_t trust_reason(enum envelope_reason reason)
{
	static const err_t errors[_ENVELOPE_N] = {
	        [ENVELOPE_OK] = E_OK,
#define REASON(constant, word, name, value, class, by, sentence, remedy, signing)                  \
	[ENVELOPE_##constant] = (name),
#include "proto/words/errors.def"
	};
	err_t err = (unsigned int)reason < _ENVELOPE_N ? errors[reason] : E_OK;

	return err == E_OK && reason != ENVELOPE_OK ? E_V_FORMAT : err;
}

void trust_init(struct trust_state *t, const struct trust_start *start)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->machine_id, start->machine_id, sizeof(t->machine_id));
	t->boot_id = start->boot_id;
	t->time_nonce = start->time_nonce;
	t->time_base = start->time;
	if (start->root != NULL) {
		t->has_root = true;
		t->root_serial = start->root->serial;
		memcpy(t->root_pub, start->root->root_pub, sizeof(t->root_pub));
		memcpy(t->audit_pub, start->root->audit_pub, sizeof(t->audit_pub));
		envelope_hash(start->root, sizeof(*start->root), t->root_hash);
		memcpy(t->boot_root_hash, t->root_hash, sizeof(t->boot_root_hash));
	}
}

/*
 * A sum of times that does not fit stands still at the end: whoever signs such dates gets no
 * further.
 */
static uint64_t trust_time_sum(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static uint64_t trust_time_of_clock(const struct trust_state *t, uint64_t uptime)
{
	return trust_time_sum(t->time_base, uptime);
}

uint64_t trust_time(const struct trust_state *t, uint64_t uptime)
{
	return trust_time_sum(trust_time_of_clock(t, uptime), t->time_skew);
}

/*
 * A signed date was seen. It moves time ahead, never back, and by no more than the skew allows: a
 * stolen key must not be able to make everything else expire.
 */
static void trust_learn_time(struct trust_state *t, uint64_t date, uint64_t uptime)
{
	uint64_t clock = trust_time_of_clock(t, uptime);
	uint64_t ahead = date > clock ? date - clock : 0;

	if (ahead > TIME_SKEW_SEC_MAX) {
		ahead = TIME_SKEW_SEC_MAX;
	}
	if (ahead > t->time_skew) {
		t->time_skew = ahead;
	}
}

/* What a statement told ends with its root, so a newer root needs one of its own. */
static void trust_learn_root(struct trust_state *t, const struct envelope_part *part)
{
	const struct root_manifest *root = (const void *)part->manifest;

	if (root->serial != t->root_serial) {
		t->has_statement = false;
		t->root_serial = root->serial;
		memcpy(t->audit_pub, root->audit_pub, sizeof(t->audit_pub));
		envelope_hash(root, sizeof(*root), t->root_hash);
	}
	t->root_signature = part->signatures[0];
}

err_t trust_verify(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        unsigned int kinds, struct envelope_view *ret_view)
{
	struct trust trust = {
	        .root_serial = t->root_serial,
	        .boot_id = t->boot_id,
	        .time_nonce = t->time_nonce,
	        .time = trust_time(t, uptime),
	        .latest_time = trust_time_sum(trust_time_of_clock(t, uptime), TIME_SKEW_SEC_MAX),
	};
	enum envelope_reason reason;

	if (!t->has_root) {
		return E_V_KEY;
	}
	memcpy(trust.root_pub, t->root_pub, sizeof(trust.root_pub));
	memcpy(trust.root_hash, t->root_hash, sizeof(trust.root_hash));
	trust.root_signature = t->root_signature;
	memcpy(trust.machine_id, t->machine_id, sizeof(trust.machine_id));
	reason = envelope_open(bytes, len, ret_view);
	if (reason == ENVELOPE_OK && (TRUST_KIND(ret_view->kind) & kinds) == 0) {
		return E_V_KIND;
	}
	if (reason == ENVELOPE_OK) {
		reason = envelope_verify(ret_view, &trust);
	}
	if (reason == ENVELOPE_OK) {
		trust_learn_root(t, &ret_view->part[0]);
		if (ret_view->kind != ENVELOPE_OF_TIME) {
			trust_learn_time(t, envelope_time(ret_view, &trust), uptime);
		}
	}
	return trust_reason(reason);
}

err_t trust_statement(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime)
{
	struct envelope_view view;
	err_t err = trust_verify(t, bytes, len, uptime, TRUST_KIND(ENVELOPE_OF_STATEMENT), &view);

	if (err != E_OK) {
		return err;
	}
	for (uint32_t i = 0; i < view.statement->n_services; i++) {
		trust_service_told(t, &statement_services(view.statement)[i], view.root->serial);
	}
	t->has_statement = true;
	return E_OK;
}

err_t trust_set_time(
        struct trust_state *t, const void *bytes, size_t len, uint64_t uptime, uint64_t next_nonce)
{
	struct envelope_view view;
	err_t err = trust_verify(t, bytes, len, uptime, TRUST_KIND(ENVELOPE_OF_TIME), &view);

	if (err != E_OK) {
		return err;
	}
	t->time_nonce = next_nonce;
	t->time_base = view.time->time > uptime ? view.time->time - uptime : 0;
	t->time_skew = 0;
	return E_OK;
}
