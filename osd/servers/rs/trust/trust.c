/*
 * The rules of belief; see trust.h and docs/protocol/envelope.md.
 *
 * Every envelope comes in through trust_verify(). What it proves of root and time is kept, also
 * when the rule that it came for refuses it afterwards; everything else changes only when all of
 * that rule was passed. Fields are read from the verified bytes, and copied where they are needed
 * for longer than the call. Numbers are compared with their epoch, which is the serial of the
 * root that they were signed under; sums of times stand still at the end of their range.
 */
#include "osd/servers/rs/trust/priv.h"

#include <string.h>

#include "osd/abi/errors.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

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

bool trust_number_is_later(struct trust_number a, struct trust_number b)
{
	return a.epoch != b.epoch ? a.epoch > b.epoch : a.number > b.number;
}

static bool trust_number_is_same(struct trust_number a, struct trust_number b)
{
	return a.epoch == b.epoch && a.number == b.number;
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

/* The entry of a service; NULL: nothing is known of it. */
static const struct trust_service *trust_service_find(const struct trust_state *t, const char *name)
{
	for (uint32_t i = 0; i < TRUST_N_SERVICES; i++) {
		if (strncmp(t->services[i].name, name, SERVICE_NAME_LEN) == 0) {
			return &t->services[i];
		}
	}
	return NULL;
}

/* Found or made; NULL: the table is full. A name is cut so that an entry's ends in a NUL. */
static struct trust_service *trust_service_get(struct trust_state *t, const char *name)
{
	struct trust_service *service = (struct trust_service *)trust_service_find(t, name);

	for (uint32_t i = 0; service == NULL && i < TRUST_N_SERVICES; i++) {
		if (t->services[i].name[0] == '\0') {
			service = &t->services[i];
			memset(service, 0, sizeof(*service));
			memcpy(service->name, name, strnlen(name, SERVICE_NAME_LEN - 1));
		}
	}
	return service;
}

err_t trust_add_service(
        struct trust_state *t, const char *name, uint64_t generation, uint32_t floor)
{
	struct trust_service *service = trust_service_get(t, name);

	if (service == NULL) {
		return E_FULL;
	}
	service->floor_own = floor;
	service->newest = (struct trust_number){t->root_serial, generation};
	return E_OK;
}

uint32_t trust_floor(const struct trust_state *t, const char *name)
{
	const struct trust_service *service = trust_service_find(t, name);

	if (service == NULL) {
		return 0;
	}
	return service->floor_epoch == t->root_serial && service->floor_told > service->floor_own
	               ? service->floor_told
	               : service->floor_own;
}

struct trust_number trust_generation(const struct trust_state *t, const char *name)
{
	const struct trust_service *service = trust_service_find(t, name);

	return service != NULL ? service->newest : (struct trust_number){0};
}

/* By its whole name. Names are hashes of different manifests, but nothing rests on that. */
static struct trust_variant *trust_find(
        struct trust_state *t, const uint8_t hash[RS_HASH_LEN], bool is_kit)
{
	for (uint32_t i = 0; i < TRUST_N_VARIANTS; i++) {
		struct trust_variant *v = &t->variants[i];

		if (v->order != 0 && v->is_kit == is_kit &&
		        memcmp(v->hash, hash, sizeof(v->hash)) == 0) {
			return v;
		}
	}
	return NULL;
}

struct trust_variant *trust_find_variant(struct trust_state *t, const uint8_t hash[RS_HASH_LEN])
{
	return trust_find(t, hash, false);
}

struct trust_variant *trust_find_kit(struct trust_state *t, const uint8_t release_id[RS_HASH_LEN])
{
	return trust_find(t, release_id, true);
}

/* A free entry, or that of the variant which nobody uses for the longest time. NULL: none. */
static struct trust_variant *trust_variant_entry(struct trust_state *t)
{
	struct trust_variant *best = NULL;

	for (uint32_t i = 0; i < TRUST_N_VARIANTS; i++) {
		struct trust_variant *v = &t->variants[i];

		if (v->n_users == 0 && (best == NULL || v->order < best->order)) {
			best = v;
		}
	}
	return best;
}

/* The entry of a kit, and of a variant unless that is NULL: found, or made. NULL: none is free. */
static struct trust_variant *trust_entry_get(struct trust_state *t, const struct kit_manifest *kit,
        const struct variant_manifest *variant)
{
	uint8_t hash[RS_HASH_LEN];
	struct trust_variant *entry;

	if (variant != NULL) {
		variant_manifest_hash(variant, hash);
	} else {
		kit_manifest_release_id(kit, hash);
	}
	entry = trust_find(t, hash, variant == NULL);
	if (entry != NULL) {
		return entry;
	}
	entry = trust_variant_entry(t);
	if (entry != NULL) {
		memset(entry, 0, sizeof(*entry));
		memcpy(entry->hash, hash, sizeof(hash));
		entry->is_kit = variant == NULL;
		entry->kit = *kit;
		if (variant != NULL) {
			entry->variant = *variant;
		}
	}
	return entry;
}

err_t trust_admit(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        struct trust_variant **ret_variant)
{
	struct trust_variant *entry;
	struct envelope_view view;
	err_t err = trust_verify(t, bytes, len, uptime,
	        TRUST_KIND(ENVELOPE_OF_VARIANT) | TRUST_KIND(ENVELOPE_OF_KIT), &view);

	if (err != E_OK) {
		return err;
	}
	entry = trust_entry_get(t, view.kit, view.variant);
	if (entry == NULL) {
		return E_FULL;
	}
	entry->root_serial = view.root->serial;
	entry->keys_end = envelope_keys_end(&view);
	entry->n_signatures = entry->is_kit ? 0 : view.part[2].n_signatures;
	entry->order = ++t->n_admitted;
	*ret_variant = entry;
	return E_OK;
}

err_t trust_give_seed(struct trust_variant *variant, const uint8_t seed[RS_SEED_LEN])
{
	uint8_t commitment[RS_HASH_LEN];

	envelope_seed_commit(variant->variant.release_id, LINK_RECIPE, seed, commitment);
	if (variant->is_kit || variant->variant.recipe != LINK_RECIPE ||
	        memcmp(commitment, variant->variant.seed_commit, sizeof(commitment)) != 0) {
		return E_V_LAYOUT;
	}
	if (!variant->is_proved) {
		memcpy(variant->seed, seed, RS_SEED_LEN);
		variant->has_seed = true;
	}
	return E_OK;
}

void trust_prove(struct trust_variant *variant)
{
	memset(variant->seed, 0, sizeof(variant->seed));
	variant->has_seed = false;
	variant->is_proved = true;
}

/*
 * Is the kit in this envelope, and signed as the root asks that the machine was started with? The
 * boot image is the host's word, as the root in it is; but orders come from somebody else.
 */
static bool trust_boot_kit_is_signed(const struct trust_state *t, const struct kit_manifest *kit,
        const void *envelope, size_t len)
{
	struct envelope_view view;
	uint8_t hash[RS_HASH_LEN];

	if (!t->has_root || envelope == NULL ||
	        envelope_open(envelope, len, &view) != ENVELOPE_OK || view.kit == NULL ||
	        memcmp(view.kit, kit, sizeof(*kit)) != 0) {
		return false;
	}
	envelope_hash(view.root, sizeof(*view.root), hash);
	return memcmp(hash, t->root_hash, sizeof(hash)) == 0 &&
	       envelope_verify_kit(&view.part[1], view.root, 0) == ENVELOPE_OK;
}

err_t trust_add_kit(
        struct trust_state *t, const struct kit_manifest *kit, const void *envelope, size_t len)
{
	struct trust_variant *entry = trust_entry_get(t, kit, NULL);

	if (entry == NULL) {
		return E_FULL;
	}
	entry->order = ++t->n_admitted;
	entry->is_booted |= trust_boot_kit_is_signed(t, kit, envelope, len);
	entry->n_users++; /* the image stays, and so does what is known of it */
	return E_OK;
}

/* Does the entry name these bytes? len: UINT64_MAX: whatever the length. */
static bool trust_entry_names(
        const struct trust_variant *v, const uint8_t hash[RS_HASH_LEN], uint64_t len)
{
	const struct {
		const uint8_t *hash;
		uint64_t len;
	} named[] = {
	        {v->kit.state_hash, v->kit.state_len},
	        {v->kit.flat_hash, v->kit.flat_len},
	        {v->variant.payload_hash, v->variant.payload_len},
	};

	for (uint32_t i = 0; v->order != 0 && i < (v->is_kit ? 2u : 3u); i++) {
		if (memcmp(named[i].hash, hash, RS_HASH_LEN) == 0 &&
		        (len == UINT64_MAX || named[i].len == len)) {
			return true;
		}
	}
	return false;
}

bool trust_names(const struct trust_state *t, const uint8_t hash[RS_HASH_LEN], uint64_t len)
{
	for (uint32_t i = 0; len != UINT64_MAX && i < TRUST_N_VARIANTS; i++) {
		if (trust_entry_names(&t->variants[i], hash, len)) {
			return true;
		}
	}
	return false;
}

bool trust_names_elsewhere(const struct trust_state *t, const uint8_t hash[RS_HASH_LEN],
        const struct trust_variant *but)
{
	for (uint32_t i = 0; i < TRUST_N_VARIANTS; i++) {
		if (&t->variants[i] != but &&
		        trust_entry_names(&t->variants[i], hash, UINT64_MAX)) {
			return true;
		}
	}
	return false;
}

struct trust_variant *trust_oldest(struct trust_state *t, const uint8_t hash[RS_HASH_LEN])
{
	struct trust_variant *oldest = NULL;

	for (uint32_t i = 0; i < TRUST_N_VARIANTS; i++) {
		struct trust_variant *v = &t->variants[i];

		if (v->order != 0 && v->n_users == 0 && !trust_entry_names(v, hash, UINT64_MAX) &&
		        (oldest == NULL || v->order < oldest->order)) {
			oldest = v;
		}
	}
	return oldest;
}

err_t trust_forget(struct trust_variant *variant)
{
	if (variant->n_users > 0) {
		return E_BUSY;
	}
	memset(variant, 0, sizeof(*variant));
	return E_OK;
}

/*
 * E_V_EXPIRED leaves *ret_order set: only time is wrong with it, and an order that was carried out
 * is answered with its result for as long as that is kept.
 */
err_t trust_order(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        const struct order_manifest **ret_order)
{
	struct envelope_view view;
	err_t err = trust_verify(t, bytes, len, uptime, TRUST_KIND(ENVELOPE_OF_ORDER), &view);

	if (err == E_OK || err == E_V_EXPIRED) {
		*ret_order = view.order;
	}
	return err;
}

err_t trust_order_is_new(const struct trust_state *t, const struct order_manifest *order)
{
	struct trust_number number = {order->epoch, order->transaction};

	if (!t->has_statement) {
		return E_V_STATEMENT;
	}
	return trust_number_is_later(number, t->newest_order) ? E_OK : E_NOTFOUND;
}

bool trust_is_machine_made(const struct order_component *component)
{
	static const uint8_t none[RS_HASH_LEN];

	return memcmp(component->variant_hash, none, sizeof(none)) == 0;
}

/* What the component says of its variant or kit is what was signed. */
static err_t trust_component_match(const struct order_component *c, const struct trust_variant *v)
{
	const uint8_t *release_id = v->is_kit ? v->hash : v->variant.release_id;
	uint32_t recipe = v->is_kit ? LINK_RECIPE : v->variant.recipe;

	if (memcmp(c->service, v->kit.service, SERVICE_NAME_SIZE) != 0) {
		return E_V_SERVICE;
	}
	return memcmp(c->release_id, release_id, sizeof(c->release_id)) == 0 && c->recipe == recipe
	               ? E_OK
	               : E_V_RELEASE;
}

err_t trust_variant_is_current(
        const struct trust_state *t, const struct trust_variant *v, uint64_t uptime)
{
	uint64_t now = trust_time(t, uptime);

	if (v->is_booted) {
		return E_OK;
	}
	if (v->root_serial == 0) {
		return E_V_UNADMITTED;
	}
	if (v->root_serial != t->root_serial) {
		return E_V_ROOT;
	}
	if (now >= v->keys_end) {
		return E_V_KEY_EXPIRED;
	}
	return v->is_kit || now < v->variant.expires ? E_OK : E_V_EXPIRED;
}

err_t trust_component(struct trust_state *t, const struct order_manifest *order,
        const struct order_component *component, uint64_t uptime,
        struct trust_variant **ret_variant)
{
	struct trust_number generation = {order->epoch, component->generation};
	struct trust_variant *v = trust_is_machine_made(component)
	                                  ? trust_find_kit(t, component->release_id)
	                                  : trust_find_variant(t, component->variant_hash);
	err_t err;

	if (v == NULL) {
		return E_V_UNADMITTED;
	}
	err = trust_component_match(component, v);
	if (err == E_OK) {
		err = trust_variant_is_current(t, v, uptime);
	}
	if (err != E_OK) {
		return err;
	}
	if (v->kit.counter < trust_floor(t, component->service)) {
		return E_V_FLOOR;
	}
	if (!trust_number_is_later(generation, trust_generation(t, component->service))) {
		return E_V_REPLAY;
	}
	*ret_variant = v;
	return E_OK;
}

void trust_accept(struct trust_state *t, const struct order_manifest *order)
{
	t->newest_order = (struct trust_number){order->epoch, order->transaction};
}

void trust_commit(struct trust_state *t, const char *name, struct trust_number generation,
        struct trust_number order, uint32_t floor)
{
	struct trust_service *service = trust_service_get(t, name);

	if (service == NULL) {
		return;
	}
	/* A statement that came since the order was accepted may have told a later one. */
	if (trust_number_is_later(generation, service->newest)) {
		service->newest = generation;
	}
	service->unconfirmed = order;
	service->floor_unconfirmed = floor;
}

err_t trust_confirm(struct trust_state *t, struct trust_number order)
{
	bool is_known = false;

	for (uint32_t i = 0; i < TRUST_N_SERVICES; i++) {
		struct trust_service *service = &t->services[i];

		if (service->name[0] == '\0' ||
		        !trust_number_is_same(service->unconfirmed, order)) {
			continue;
		}
		is_known = true;
		if (service->floor_unconfirmed > service->floor_own) {
			service->floor_own = service->floor_unconfirmed;
		}
	}
	return is_known ? E_OK : E_NOTFOUND;
}

/* Statements only raise. */
static void trust_statement_apply(
        struct trust_state *t, const struct statement_service *s, uint64_t epoch)
{
	struct trust_service *service = trust_service_get(t, s->service);
	struct trust_number newest = {s->epoch, s->generation};

	if (service == NULL) {
		return; /* more services than a machine can have: it runs none of these */
	}
	if (service->floor_epoch != epoch) {
		service->floor_told = 0;
		service->floor_epoch = epoch;
	}
	if (s->floor > service->floor_told) {
		service->floor_told = s->floor;
	}
	if (trust_number_is_later(newest, service->newest)) {
		service->newest = newest;
	}
}

err_t trust_statement(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime)
{
	struct envelope_view view;
	err_t err = trust_verify(t, bytes, len, uptime, TRUST_KIND(ENVELOPE_OF_STATEMENT), &view);

	if (err != E_OK) {
		return err;
	}
	for (uint32_t i = 0; i < view.statement->n_services; i++) {
		trust_statement_apply(t, &statement_services(view.statement)[i], view.root->serial);
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
