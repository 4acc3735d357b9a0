/*
 * What an update takes over and loses, and who consented to it, as messages for clients.
 *
 * A pairing is stored as the job worked it out, and shown as that: what the forge would say today
 * of the same two releases may be another thing. Consent is what was signed, so it is read from the
 * order that the machine got, and from nowhere else.
 */
#include "orchestrator/control/view/view.h"

#include <string.h>

#include "host/base/file.h"

/*
 * The control key is the second signature of the last part, the order; one with one signature has
 * been consented to by nobody. An order that cannot be opened shows no key, and is no error: it
 * is kept as bytes, and a newer lud may have made it.
 */
static int view_consent_key(
        struct pool *pool, struct db *db, const struct order_row *order, Control__Job *view)
{
	_cleanup_(freep) uint8_t *envelope = NULL;
	struct envelope_view open;
	const struct envelope_part *part;
	size_t size;
	int r = store_order_envelope(db, order->id, &envelope, &size);

	if (r) {
		return err_fold(r);
	}
	if (envelope_open(envelope, size, &open) != ENVELOPE_OK || !open.order) {
		return 0;
	}
	part = &open.part[open.n_parts - 1];
	if (part->n_signatures == 2) {
		view->consent_key = pool_bytes(
		        pool, part->signatures[1].key_id, sizeof(part->signatures[1].key_id));
	}
	return 0;
}

/*
 * The pairing whose loss was consented to, and by whose key. Consent that was asked for and that
 * nobody signed is none. A job of before an order was made for it has none either.
 */
static int view_consent(
        struct pool *pool, struct db *db, const struct job_row *row, Control__Job *view)
{
	static const uint8_t none[sizeof(row->consent)];
	uint32_t action = row->kind == JOB_PREPARE ? ORDER_PREPARE : ORDER_UPDATE;
	struct order_row order;
	int r;

	if (!memcmp(row->consent, none, sizeof(none))) {
		return 0;
	}
	r = store_order_newest(db, row->id, action, &order);
	if (r) {
		/* Asked for, and nobody has signed it. */
		return r == DB_E_NONE ? 0 : err_up(r);
	}
	view->consent = pool_bytes(pool, row->consent, sizeof(row->consent));
	return err_up(view_consent_key(pool, db, &order, view));
}

int view_job_pairing(struct pool *pool, struct db *db, const struct job_row *row,
        bool with_findings, Control__Job *view)
{
	int r = store_job_pairing_get(db, row->id, &pool->allocator, &view->pairing);

	if (r < 0) {
		return err_up(r);
	}
	if (view->pairing && !with_findings) {
		view->pairing->n_findings = 0;
	}
	return err_up(view_consent(pool, db, row, view));
}

/*
 * The bytes are those that will be signed: luctl shows the order from them, not from what lud
 * says of it.
 */
Control__Proposal *view_proposal(struct pool *pool, const struct job_news *news)
{
	Control__Proposal *view = pool_zero(pool, sizeof(*view));

	control__proposal__init(view);
	view->order.data = (uint8_t *)news->order;
	view->order.len = news->order_size;
	view->pairing = (Control__Pairing *)news->pairing;
	view->machine = (char *)news->machine;
	return view;
}
