/*
 * Generations and releases as messages for clients. "running" in the record means that the
 * machine said so once; it is shown as that only while the machine is up to say so.
 */
#include "orchestrator/control/view/view.h"

#include <string.h>

#include "host/base/file.h"
#include "proto/envelope/envelope.h"

/* Who made a layout: the words of the command line. */
const char *view_layout(bool machine_made)
{
	return machine_made ? "machine" : "host";
}

/*
 * Who made the layout that it ran last, and who knows it. A service that crashed runs one of the
 * machine's own since then, whoever made the one that was ordered: that is still in the envelope, and
 * lies nowhere any more.
 */
static void view_generation_layout(struct pool *pool, const struct generation_row *row,
        const struct variant_row *variant, Control__Generation *view)
{
	static const uint8_t unknown[STORE_COMMIT_SIZE];
	const uint8_t *commitment = row->made ? row->made_commit : variant->seed_commit;
	bool machine_made = row->made || variant->machine_made;

	view->layout = (char *)view_layout(machine_made);
	view->known_outside = !machine_made;
	view->made = row->made;
	if (machine_made && memcmp(commitment, unknown, sizeof(unknown)) != 0) {
		view->commitment = pool_bytes(pool, commitment, sizeof(unknown));
	}
	if (!machine_made) {
		view->base_address = variant->base;
	}
	if (!machine_made && variant->payload_len) {
		view->build_id = pool_bytes(pool, variant->build_id, sizeof(variant->build_id));
	}
}

/*
 * Sealed seeds: of the layout that was ordered, and of the one that it ran last where the machine made
 * that.
 */
static void view_generation_seeds(struct pool *pool, const struct generation_row *row,
        const struct variant_row *variant, Control__Generation *view)
{
	static const uint8_t none[sizeof(row->made_sealed)];

	view->seed_sealed = pool_bytes(pool, variant->seed_sealed, variant->seed_sealed_size);
	if (!row->made && variant->machine_made) {
		view->sealed = view->seed_sealed;
	} else if (memcmp(row->made_sealed, none, sizeof(none)) != 0) {
		view->sealed = pool_bytes(pool, row->made_sealed, sizeof(none));
	}
}

/* The layouts that the machine made by itself in it, as one run. */
static int view_generation_run(struct pool *pool, struct db *db, const struct generation_row *row,
        bool with_head, Control__Generation *view)
{
	static const uint8_t none[STORE_COMMIT_SIZE];
	struct folded_run_row run;
	int r = row->made ? store_generation_run_get(db, row->id, &run) : DB_E_NONE;

	if (r) {
		return r == DB_E_NONE ? 0 : err_up(r);
	}
	if (run.zero_us && run.last_ns) {
		view->made_first_us = run.zero_us + (int64_t)(run.first_ns / 1000);
		view->made_last_us = run.zero_us + (int64_t)(run.last_ns / 1000);
	}
	if (with_head && memcmp(run.head, none, sizeof(none)) != 0) {
		view->made_head = pool_bytes(pool, run.head, sizeof(run.head));
	}
	return 0;
}

/*
 * What the generation is made of. A variant that was never forged has no payload: its build and
 * hash are left out, not shown as zeros.
 */
static int view_generation_variant(struct pool *pool, struct db *db,
        const struct generation_row *row, bool with_seed, Control__Generation *view)
{
	struct variant_row variant;
	struct release_row release;
	int r = store_variant_by_id(db, row->variant, &variant);

	if (!r) {
		r = store_release_by_id(db, row->release, &release);
	}
	if (r) {
		return err_fold(r);
	}
	view_generation_layout(pool, row, &variant, view);
	view->payload_len = variant.payload_len;
	view->seed_commit = pool_bytes(pool, variant.seed_commit, sizeof(variant.seed_commit));
	if (with_seed) {
		view_generation_seeds(pool, row, &variant, view);
	}
	r = view_generation_run(pool, db, row, with_seed, view);
	if (r) {
		return err_up(r);
	}
	if (variant.payload_len) {
		view->payload_hash =
		        pool_bytes(pool, variant.payload_hash, sizeof(variant.payload_hash));
	}
	view->release_id = pool_bytes(pool, release.release_id, sizeof(release.release_id));
	view->counter = release.counter;
	return err_up(view_effect(pool, db, row, &variant, &view->effect));
}

/* Whose signatures are under the variant. An envelope that makes no sense was signed by nobody. */
static void view_generation_signed(
        struct pool *pool, const uint8_t *envelope, size_t size, Control__Generation *view)
{
	const struct envelope_part *part;
	struct envelope_view open;

	if (envelope_open(envelope, size, &open) != ENVELOPE_OK || open.n_parts == 0) {
		return;
	}
	part = &open.part[open.n_parts - 1];
	view->signed_by = pool_zero(pool, part->n_signatures * sizeof(*view->signed_by));
	for (unsigned int i = 0; i < part->n_signatures; i++) {
		view->signed_by[view->n_signed_by++] = pool_bytes(
		        pool, part->signatures[i].key_id, sizeof(part->signatures[i].key_id));
	}
}

/* What the record has as running only runs while its machine is known to. */
static const char *view_generation_state(struct engine *engine, const struct generation_row *row)
{
	const struct machine *machine = machines_by_id(engine_machines(engine), row->machine);

	return row->state == GENERATION_RUNNING &&
	                       !(machine && machine_state(machine) == MACHINE_UP)
	               ? "ran last"
	               : generation_state_name(row->state);
}

static void view_generation_row(struct pool *pool, struct engine *engine,
        const struct generation_row *row, Control__Generation *view)
{
	view->row = row->id;
	view->service = pool_text(pool, row->service_name);
	view->generation = row->number;
	view->epoch = row->epoch;
	view->state = (char *)view_generation_state(engine, row);
	view->issued = row->issued;
	view->expires = row->expires;
	view->committed_us = row->committed_us;
}

/*
 * Reads five tables for one generation; a page of them costs some hundred small queries, which is
 * why a page has a limit. The envelope goes into the pool as a copy.
 */
int view_generation(struct pool *pool, struct engine *engine, const struct generation_row *row,
        bool with_envelope, Control__Generation **ret_view)
{
	struct db *db = engine_db(engine);
	Control__Generation *view = pool_zero(pool, sizeof(*view));
	_cleanup_(freep) uint8_t *envelope = NULL;
	struct machine_row machine;
	size_t size = 0;
	int r;

	control__generation__init(view);
	view_generation_row(pool, engine, row, view);
	r = store_machine_by_id(db, row->machine, &machine);
	if (!r) {
		view->machine = pool_text(pool, machine.name);
		r = view_generation_variant(pool, db, row, with_envelope, view);
	}
	if (!r) {
		r = view_job(pool, engine, row->job, with_envelope, &view->job);
	}
	if (!r && with_envelope && row->has_envelope) {
		r = store_generation_envelope(db, row->id, &envelope, &size);
		/* What it began with may be lost. */
		r = r == DB_E_NONE ? 0 : r;
	}
	if (r) {
		return err_fold(r);
	}
	if (envelope) {
		view->envelope = pool_bytes(pool, envelope, size);
		view_generation_signed(pool, envelope, size, view);
	}
	*ret_view = view;
	return 0;
}

/* A release as it was registered. The key id is cut to what a person compares. */
Control__Release *view_release(struct pool *pool, const struct release_row *row)
{
	Control__Release *view = pool_zero(pool, sizeof(*view));

	control__release__init(view);
	view->service = pool_text(pool, row->service);
	view->release_id = pool_bytes(pool, row->release_id, sizeof(row->release_id));
	view->counter = row->counter;
	view->floor = row->floor;
	view->source_id = pool_bytes(pool, row->source_id, sizeof(row->source_id));
	view->issued = row->issued;
	view->added = row->added_us / 1000000;
	view->path = pool_text(pool, row->path);
	view->blocked = row->blocked_us / 1000000;
	view->blocked_job = row->blocked_job;
	view->blocked_why = pool_text(pool, row->blocked_why);
	view->source = pool_text(pool, row->source);
	view->key_id = pool_format(pool, "%02x%02x%02x%02x%02x%02x", row->key_id[0], row->key_id[1],
	        row->key_id[2], row->key_id[3], row->key_id[4], row->key_id[5]);
	return view;
}
