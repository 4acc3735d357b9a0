/*
 * What a manifest must obey by itself. These rules are also the promise to every reader
 * behind envelope_open(): counts fit their arrays, names are terminated, ranges do not wrap,
 * and nothing hides in unused entries or reserved fields.
 *
 * Why so strict about the unused: a manifest is signed and hashed whole, and its hash is a
 * name (release id, variant hash). If two manifests could differ in bytes that nobody reads,
 * one thing would have two names, and a field that a later version gives a meaning would
 * already be signed with garbage in it.
 *
 * Order inside each check: magic, size, version first (an unknown version is said so), then
 * what bounds later reads, then meaning. What needs the outside world (keys, time, machine)
 * is not asked here.
 */
#include <string.h>

#include "proto/envelope/envelope.h"
#include "proto/envelope/envelope_crypto.h"

enum {
	RULE_PAGE = 4096,
	RULE_PORT_MAX = 0xffff,
	RULE_IRQ_MAX = 255,
	RULE_PRIORITY_MAX = 15,
	RULE_KEYS_MAX = _ROOT_ROLE_N * ROOT_KEYS_MAX,
	RULE_EXIT_CODE_MAX = 255,
	RULE_DAY_SEC = 86400,
};

/* No early exit: short, and the same for every content. */
static int rules_bytes_are_zero(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint8_t any = 0;

	while (len-- > 0) {
		any |= *p++;
	}
	return any == 0;
}

/*
 * Lower case, digits, and what the kind of name allows besides: no name needs quoting
 * anywhere.
 */
static int rules_name_char_is_valid(char c, const char *others)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(others, c) != NULL);
}

/* At least one good character, then NULs only, at least one, up to size. */
static int rules_name_is_valid(const char *name, size_t size, const char *others)
{
	size_t n = 0;

	while (n < size && rules_name_char_is_valid(name[n], others)) {
		n++;
	}
	return n > 0 && n < size && rules_bytes_are_zero(name + n, size - n);
}

int service_name_is_valid(const char *name)
{
	return rules_name_is_valid(name, SERVICE_NAME_SIZE, "_");
}

/* n names of one size in an array of max, the rest zero. */
static int rules_names_are_valid(const char *names, size_t size, uint32_t n, uint32_t max)
{
	if (n > max) {
		return 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!rules_name_is_valid(names + i * size, size, "_")) {
			return 0;
		}
	}
	return rules_bytes_are_zero(names + n * size, (max - n) * size);
}

/* Magic, size and version, which stand at the same place in every manifest. */
static enum envelope_reason rules_manifest_head_check(
        const void *manifest, const char *magic, size_t size)
{
	const struct variant_manifest *head = manifest;

	if (memcmp(head->magic, magic, sizeof(head->magic)) != 0) {
		return ENVELOPE_MALFORMED;
	}
	if (head->version != MANIFEST_VERSION) {
		return ENVELOPE_UNKNOWN_VERSION;
	}
	return head->size == size ? ENVELOPE_OK : ENVELOPE_MALFORMED;
}

/*
 * One role's keys: ids that are theirs (so that an id decides which key is asked), a time
 * that is not empty, and points that every verifier treats alike. Unused entries are zero.
 */
static enum envelope_reason rules_root_keys_check(const struct root_key *keys, uint32_t n)
{
	if (n > ROOT_KEYS_MAX) {
		return ENVELOPE_MALFORMED;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint8_t hash[64];

		envelope_hash(keys[i].pub, sizeof(keys[i].pub), hash);
		if (memcmp(hash, keys[i].id, sizeof(keys[i].id)) != 0 ||
		        keys[i].not_before >= keys[i].not_after) {
			return ENVELOPE_MALFORMED;
		}
		if (!envelope_key_is_safe(keys[i].pub)) {
			return ENVELOPE_UNSAFE_KEY;
		}
	}
	return rules_bytes_are_zero(keys + n, (ROOT_KEYS_MAX - n) * sizeof(*keys))
	               ? ENVELOPE_OK
	               : ENVELOPE_MALFORMED;
}

/*
 * No key has two roles, the root's own included: a role is what limits the damage of a stolen
 * key, and consent by two roles must be consent by two keys. Policy keys count too.
 */
static int rules_root_keys_are_distinct(const struct root_manifest *root)
{
	const struct root_key *keys[RULE_KEYS_MAX];
	unsigned int n = 0;

	for (unsigned int role = 0; role < _ROOT_ROLE_N; role++) {
		for (unsigned int i = 0; i < root->n_keys[role]; i++) {
			keys[n++] = &root->keys[role][i];
		}
	}
	for (unsigned int i = 0; i < n; i++) {
		if (memcmp(keys[i]->pub, root->root_pub, sizeof(root->root_pub)) == 0) {
			return 0;
		}
		for (unsigned int j = 0; j < i; j++) {
			if (memcmp(keys[i]->pub, keys[j]->pub, sizeof(keys[i]->pub)) == 0) {
				return 0;
			}
		}
	}
	return 1;
}

/*
 * As many signatures as a part can carry and as there are keys: a need that cannot be met
 * would bar a service for good, and 0 would let a variant pass unsigned.
 */
static int rules_root_need_is_good(const struct root_manifest *root, uint32_t n_signatures)
{
	return n_signatures >= 1 && n_signatures <= ENVELOPE_SIGNATURES_MAX &&
	       n_signatures <= root->n_keys[ROOT_ROLE_VARIANT];
}

/* Every need can be met, and no service has two. */
static int rules_root_needs_are_valid(const struct root_manifest *root)
{
	if (root->n_needs > ROOT_NEEDS_MAX || !rules_root_need_is_good(root, root->default_need)) {
		return 0;
	}
	for (uint32_t i = 0; i < root->n_needs; i++) {
		const struct root_need *need = &root->needs[i];

		if (!service_name_is_valid(need->service) ||
		        !rules_root_need_is_good(root, need->n_signatures) || need->reserved != 0) {
			return 0;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (memcmp(need->service, root->needs[j].service, SERVICE_NAME_SIZE) == 0) {
				return 0;
			}
		}
	}
	return rules_bytes_are_zero(root->needs + root->n_needs,
	        (ROOT_NEEDS_MAX - root->n_needs) * sizeof(root->needs[0]));
}

/*
 * Roles that every machine needs have a key; control, policy and audit may be missing, and
 * then nothing passes that asks for them. Lives of 0 would make every manifest too long-
 * lived.
 */
static int rules_root_numbers_are_valid(const struct root_manifest *root)
{
	return root->serial >= 1 && root->issued < root->expires && root->reserved == 0 &&
	       root->variant_life_sec_max >= 1 && root->order_life_sec_max >= 1 &&
	       root->n_keys[ROOT_ROLE_RELEASE] >= 1 && root->n_keys[ROOT_ROLE_VARIANT] >= 1 &&
	       root->n_keys[ROOT_ROLE_ORDER] >= 1;
}

/*
 * Counts before contents: rules_root_keys_are_distinct() walks n_keys[], which the loop has
 * bounded. UNSAFE_KEY is said of a key that is well-formed otherwise, so that the reason is
 * right.
 */
enum envelope_reason root_manifest_check(const struct root_manifest *root)
{
	enum envelope_reason r = rules_manifest_head_check(root, ROOT_MAGIC, sizeof(*root));

	for (unsigned int role = 0; r == ENVELOPE_OK && role < _ROOT_ROLE_N; role++) {
		r = rules_root_keys_check(root->keys[role], root->n_keys[role]);
	}
	if (r != ENVELOPE_OK) {
		return r;
	}
	if (!rules_root_numbers_are_valid(root) || !rules_root_keys_are_distinct(root) ||
	        !rules_root_needs_are_valid(root)) {
		return ENVELOPE_MALFORMED;
	}
	return envelope_key_is_safe(root->root_pub) ? ENVELOPE_OK : ENVELOPE_UNSAFE_KEY;
}

/* Targets are service names and KIT_TARGET_CLIENTS, or KIT_TARGET_ALL as the only one. */
static int rules_kit_targets_are_valid(const struct kit_manifest *kit)
{
	static const char all[SERVICE_NAME_SIZE] = KIT_TARGET_ALL;

	if (kit->n_targets == 1 && memcmp(kit->targets[0], all, sizeof(all)) == 0) {
		return rules_bytes_are_zero(kit->targets[1], sizeof(kit->targets) - sizeof(all));
	}
	return rules_names_are_valid(
	        kit->targets[0], SERVICE_NAME_SIZE, kit->n_targets, KIT_TARGETS_MAX);
}

static int rules_kit_names_are_valid(const struct kit_manifest *kit)
{
	return service_name_is_valid(kit->service) &&
	       strcmp(kit->service, KIT_TARGET_CLIENTS) != 0 &&
	       rules_name_is_valid(kit->quiescent, sizeof(kit->quiescent), "_-") &&
	       rules_kit_targets_are_valid(kit) &&
	       rules_names_are_valid(
	               kit->depends[0], SERVICE_NAME_SIZE, kit->n_depends, KIT_DEPENDS_MAX) &&
	       rules_names_are_valid(
	               kit->metrics[0], KIT_METRIC_NAME_SIZE, kit->n_metrics, KIT_METRICS_MAX);
}

/*
 * Ranges of ports that exist, first to last, both included. They may overlap: RS gives
 * rights, not shares.
 */
static int rules_kit_io_is_valid(const struct kit_manifest *kit)
{
	if (kit->n_io > KIT_IO_MAX) {
		return 0;
	}
	for (uint32_t i = 0; i < kit->n_io; i++) {
		if (kit->io[i].first > kit->io[i].last || kit->io[i].last > RULE_PORT_MAX) {
			return 0;
		}
	}
	return rules_bytes_are_zero(
	        kit->io + kit->n_io, (KIT_IO_MAX - kit->n_io) * sizeof(kit->io[0]));
}

/* Whole pages that do not wrap. Whether a machine has anything there is its own to judge. */
static int rules_kit_mmio_is_valid(const struct kit_manifest *kit)
{
	if (kit->n_mmio > KIT_MMIO_MAX) {
		return 0;
	}
	for (uint32_t i = 0; i < kit->n_mmio; i++) {
		const struct kit_mmio *m = &kit->mmio[i];

		if (m->base % RULE_PAGE != 0 || m->len % RULE_PAGE != 0 || m->len == 0 ||
		        m->base + m->len < m->base) {
			return 0;
		}
	}
	return rules_bytes_are_zero(
	        kit->mmio + kit->n_mmio, (KIT_MMIO_MAX - kit->n_mmio) * sizeof(kit->mmio[0]));
}

/* Numbers of lines. As with ports, sharing is no fault of form. */
static int rules_kit_irqs_are_valid(const struct kit_manifest *kit)
{
	if (kit->n_irqs > KIT_IRQ_MAX) {
		return 0;
	}
	for (uint32_t i = 0; i < kit->n_irqs; i++) {
		if (kit->irqs[i] > RULE_IRQ_MAX) {
			return 0;
		}
	}
	return rules_bytes_are_zero(
	        kit->irqs + kit->n_irqs, (KIT_IRQ_MAX - kit->n_irqs) * sizeof(kit->irqs[0]));
}

/*
 * counter and floor: the release may follow itself. heap_limit may be 0 (no heap), a stack
 * may not. Unknown flags are refused: a kit that asks for something this version cannot give
 * must not run as if it had not asked.
 */
static int rules_kit_numbers_are_valid(const struct kit_manifest *kit)
{
	return kit->counter >= 1 && kit->floor <= kit->counter &&
	       kit->priority <= RULE_PRIORITY_MAX && kit->restart < _KIT_RESTART_N &&
	       (kit->flags & ~(uint32_t)(KIT_WAS_STRICT | KIT_CONTROL)) == 0 &&
	       kit->n_slots <= KIT_SLOTS_MAX && kit->stack_size >= RULE_PAGE &&
	       kit->stack_size % RULE_PAGE == 0 && kit->heap_limit % RULE_PAGE == 0 &&
	       kit->state_len > 0 && kit->flat_len > 0 && kit->flat_len <= KIT_FLAT_LEN_MAX;
}

enum envelope_reason kit_manifest_check(const struct kit_manifest *kit)
{
	enum envelope_reason r = rules_manifest_head_check(kit, KIT_MAGIC, sizeof(*kit));

	if (r != ENVELOPE_OK) {
		return r;
	}
	return rules_kit_names_are_valid(kit) && rules_kit_numbers_are_valid(kit) &&
	                       rules_kit_io_is_valid(kit) && rules_kit_mmio_is_valid(kit) &&
	                       rules_kit_irqs_are_valid(kit)
	               ? ENVELOPE_OK
	               : ENVELOPE_MALFORMED;
}

enum envelope_reason variant_manifest_check(const struct variant_manifest *variant)
{
	enum envelope_reason r =
	        rules_manifest_head_check(variant, VARIANT_MAGIC, sizeof(*variant));

	if (r != ENVELOPE_OK) {
		return r;
	}
	return service_name_is_valid(variant->service) && variant->issued < variant->expires &&
	                       variant->payload_len > 0 && variant->reserved == 0
	               ? ENVELOPE_OK
	               : ENVELOPE_MALFORMED;
}

size_t order_manifest_size(uint32_t n_components)
{
	return sizeof(struct order_manifest) +
	       (size_t)n_components * sizeof(struct order_component);
}

/* A confirm is of a transaction, a shutdown of the machine; all others name services. */
static int rules_order_action_lists_services(uint32_t action)
{
	return action != ORDER_CONFIRM && action != ORDER_SHUTDOWN;
}

/* Does the action run (or try) variants? */
static int rules_order_action_runs(uint32_t action)
{
	return action == ORDER_UPDATE || action == ORDER_PREPARE;
}

/*
 * confirm: the transaction that is confirmed; shutdown: the exit code; no other action has
 * one.
 */
static int rules_order_argument_is_valid(const struct order_manifest *order)
{
	switch (order->action) {
	case ORDER_CONFIRM:
		return order->argument >= 1;
	case ORDER_SHUTDOWN:
		return order->argument <= RULE_EXIT_CODE_MAX;
	default:
		return order->argument == 0;
	}
}

/* A component holds what its action uses, and nothing else. */
static int rules_order_component_is_valid(const struct order_component *c, uint32_t action)
{
	int names_release = !rules_bytes_are_zero(c->release_id, sizeof(c->release_id));
	int names_variant = !rules_bytes_are_zero(c->variant_hash, sizeof(c->variant_hash));
	int has_state = !rules_bytes_are_zero(c->state, sizeof(c->state));
	int consents = !rules_bytes_are_zero(c->consent, sizeof(c->consent));

	if (!service_name_is_valid(c->service) || c->reserved != 0) {
		return 0;
	}
	if (rules_order_action_runs(action)) {
		return names_release && c->generation >= 1 &&
		       (!has_state || rules_name_is_valid(c->state, sizeof(c->state), "_-"));
	}
	if (has_state || consents || c->generation != 0) {
		return 0;
	}
	return action == ORDER_DROP ? names_release && names_variant
	                            : !names_release && !names_variant && c->recipe == 0;
}

/* Each is good; a service stands once, except where variants are dropped. */
static int rules_order_components_are_valid(const struct order_manifest *order)
{
	const struct order_component *c = order_components(order);

	for (uint32_t i = 0; i < order->n_components; i++) {
		if (!rules_order_component_is_valid(&c[i], order->action)) {
			return 0;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (order->action != ORDER_DROP &&
			        memcmp(c[i].service, c[j].service, SERVICE_NAME_SIZE) == 0) {
				return 0;
			}
		}
	}
	return 1;
}

/*
 * Limits belong to transactions; 0 is the default of RS, which also has upper bounds of its
 * own.
 */
static int rules_order_limits_are_valid(const struct order_manifest *order)
{
	return rules_order_action_runs(order->action) ||
	       (order->total_ms == 0 && order->prepare_ms == 0 && order->transfer_ms == 0 &&
	               order->hold_ms == 0);
}

/*
 * The count is bounded and the length compared with it before a component is looked at. `len`
 * is also what the signature covers, so every component is signed and none is left over.
 */
enum envelope_reason order_manifest_check(const struct order_manifest *order, size_t len)
{
	enum envelope_reason r = rules_manifest_head_check(order, ORDER_MAGIC, len);

	if (r != ENVELOPE_OK) {
		return r;
	}
	if (order->n_components > ORDER_COMPONENTS_MAX ||
	        len != order_manifest_size(order->n_components) || order->action < ORDER_UPDATE ||
	        order->action >= _ORDER_ACTION_N ||
	        (order->n_components > 0) != rules_order_action_lists_services(order->action)) {
		return ENVELOPE_MALFORMED;
	}
	return order->epoch >= 1 && order->transaction >= 1 && order->issued < order->expires &&
	                       rules_order_argument_is_valid(order) &&
	                       rules_order_limits_are_valid(order) &&
	                       rules_order_components_are_valid(order)
	               ? ENVELOPE_OK
	               : ENVELOPE_MALFORMED;
}

/*
 * Asked of checked orders only. What runs or tries variants needs a control key only where a
 * component consents to loss; a confirm never does; all else (restart afresh, shutdown, drop)
 * destroys and always does.
 */
int order_needs_control(const struct order_manifest *order)
{
	if (!rules_order_action_runs(order->action)) {
		return order->action != ORDER_CONFIRM;
	}
	for (uint32_t i = 0; i < order->n_components; i++) {
		const struct order_component *c = &order_components(order)[i];

		if (!rules_bytes_are_zero(c->consent, sizeof(c->consent))) {
			return 1;
		}
	}
	return 0;
}

/* Only what runs or tries has a layout; a restart or a drop without a variant leaves none open. */
int order_component_is_machine_made(
        const struct order_manifest *order, const struct order_component *component)
{
	return rules_order_action_runs(order->action) &&
	       rules_bytes_are_zero(component->variant_hash, sizeof(component->variant_hash));
}

size_t statement_manifest_size(uint32_t n_services)
{
	return sizeof(struct statement_manifest) +
	       (size_t)n_services * sizeof(struct statement_service);
}

/*
 * Services in rising order, each once, so that a statement of one content has one form; a
 * generation is (epoch, number) or unknown, and of no epoch above the statement's own root.
 */
enum envelope_reason statement_manifest_check(
        const struct statement_manifest *statement, size_t len)
{
	enum envelope_reason r = rules_manifest_head_check(statement, STATEMENT_MAGIC, len);
	const struct statement_service *s = statement_services(statement);

	if (r != ENVELOPE_OK) {
		return r;
	}
	if (statement->n_services > STATEMENT_SERVICES_MAX ||
	        len != statement_manifest_size(statement->n_services) ||
	        statement->root_serial < 1 || statement->reserved != 0) {
		return ENVELOPE_MALFORMED;
	}
	for (uint32_t i = 0; i < statement->n_services; i++) {
		if (!service_name_is_valid(s[i].service) || s[i].reserved != 0 ||
		        (s[i].epoch == 0) != (s[i].generation == 0) ||
		        s[i].epoch > statement->root_serial ||
		        (i > 0 && memcmp(s[i - 1].service, s[i].service, SERVICE_NAME_SIZE) >= 0)) {
			return ENVELOPE_MALFORMED;
		}
	}
	return ENVELOPE_OK;
}

enum envelope_reason time_manifest_check(const struct time_manifest *time)
{
	enum envelope_reason r = rules_manifest_head_check(time, TIME_MAGIC, sizeof(*time));

	if (r != ENVELOPE_OK) {
		return r;
	}
	return time->time >= 1 ? ENVELOPE_OK : ENVELOPE_MALFORMED;
}

size_t standing_manifest_size(uint32_t n_services)
{
	return sizeof(struct standing_manifest) +
	       (size_t)n_services * sizeof(struct standing_service);
}

/* Parts of a day, none of them empty or the whole day; unused entries are zero. */
static int rules_standing_quiet_is_valid(const struct standing_manifest *standing)
{
	const struct standing_quiet *quiet = standing->quiet;
	uint32_t n = standing->n_quiet;

	if (n > STANDING_QUIET_MAX) {
		return 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (quiet[i].from_sec >= RULE_DAY_SEC || quiet[i].until_sec >= RULE_DAY_SEC ||
		        quiet[i].from_sec == quiet[i].until_sec) {
			return 0;
		}
	}
	return rules_bytes_are_zero(quiet + n, (STANDING_QUIET_MAX - n) * sizeof(quiet[0]));
}

/* What ends a standing order says nothing else; so that it has one form. */
static int rules_standing_times_are_valid(const struct standing_manifest *standing)
{
	if (standing->n_services == 0) {
		return standing->every_ms == 0 && standing->jitter_ms == 0 &&
		       standing->n_quiet == 0;
	}
	return standing->every_ms >= STANDING_EVERY_MS_MIN &&
	       standing->every_ms <= STANDING_EVERY_MS_MAX &&
	       standing->jitter_ms <= standing->every_ms;
}

/* Rising: so that a service stands once, and one content has one form. */
static int rules_name_is_above(const char *name, const char *before)
{
	return memcmp(name, before, SERVICE_NAME_SIZE) > 0;
}

/* Each with a release, in rising order. */
static int rules_standing_services_are_valid(const struct standing_manifest *standing)
{
	const struct standing_service *s = standing_services(standing);

	for (uint32_t i = 0; i < standing->n_services; i++) {
		if (!service_name_is_valid(s[i].service) || s[i].reserved != 0 ||
		        rules_bytes_are_zero(s[i].release_id, sizeof(s[i].release_id)) ||
		        (i > 0 && !rules_name_is_above(s[i].service, s[i - 1].service))) {
			return 0;
		}
	}
	return 1;
}

enum envelope_reason standing_manifest_check(const struct standing_manifest *standing, size_t len)
{
	enum envelope_reason r = rules_manifest_head_check(standing, STANDING_MAGIC, len);

	if (r != ENVELOPE_OK) {
		return r;
	}
	if (standing->n_services > STANDING_SERVICES_MAX ||
	        len != standing_manifest_size(standing->n_services)) {
		return ENVELOPE_MALFORMED;
	}
	return standing->epoch >= 1 && standing->number >= 1 &&
	                       standing->issued < standing->expires &&
	                       rules_standing_times_are_valid(standing) &&
	                       rules_standing_quiet_is_valid(standing) &&
	                       rules_standing_services_are_valid(standing)
	               ? ENVELOPE_OK
	               : ENVELOPE_MALFORMED;
}
