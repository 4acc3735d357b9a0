/*
 * What a manifest must obey by itself. These rules are also the promise to every
 * reader behind envelope_open(): counts fit their arrays, names are terminated,
 * ranges do not wrap, and nothing hides in unused entries or reserved fields.
 */
#include <string.h>

#include "proto/envelope/envelope.h"
#include "proto/envelope/envelope_crypto.h"

enum {
	RULE_PAGE = 4096,
	RULE_PORT_MAX = 0xffff,
	RULE_IRQ_MAX = 255,
	RULE_PRIORITY_MAX = 15,
	RULE_KEYS_MAX = 3 * ROOT_KEYS_MAX,
};

static int bytes_are_zero(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint8_t any = 0;

	while (len-- > 0) {
		any |= *p++;
	}
	return any == 0;
}

static int name_char_is_valid(char c, const char *others)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(others, c) != NULL);
}

/* At least one good character, then NULs only, at least one, up to size. */
static int name_is_valid(const char *name, size_t size, const char *others)
{
	size_t n = 0;

	while (n < size && name_char_is_valid(name[n], others)) {
		n++;
	}
	return n > 0 && n < size && bytes_are_zero(name + n, size - n);
}

int service_name_is_valid(const char *name)
{
	return name_is_valid(name, SERVICE_NAME_SIZE, "_");
}

/* n names of one size in an array of max, the rest zero. */
static int names_are_valid(const char *names, size_t size, uint32_t n, uint32_t max)
{
	if (n > max) {
		return 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!name_is_valid(names + i * size, size, "_")) {
			return 0;
		}
	}
	return bytes_are_zero(names + n * size, (max - n) * size);
}

/* Magic, size and version, which stand at the same place in every manifest. */
static enum envelope_reason manifest_head_check(
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

static int root_keys_are_valid(const struct root_key *keys, uint32_t n)
{
	if (n > ROOT_KEYS_MAX) {
		return 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint8_t hash[64];

		envelope_hash(keys[i].pub, sizeof(keys[i].pub), hash);
		if (memcmp(hash, keys[i].id, sizeof(keys[i].id)) != 0 ||
		        keys[i].not_before >= keys[i].not_after) {
			return 0;
		}
	}
	return bytes_are_zero(keys + n, (ROOT_KEYS_MAX - n) * sizeof(*keys));
}

/* No key has two roles, the root's own included. */
static int root_keys_are_distinct(const struct root_manifest *root)
{
	const struct root_key *keys[RULE_KEYS_MAX];
	unsigned int n = 0;

	for (unsigned int i = 0; i < ROOT_KEYS_MAX; i++) {
		keys[n++] = &root->release[i];
		keys[n++] = &root->variant[i];
		keys[n++] = &root->policy[i];
	}
	for (unsigned int i = 0; i < n; i++) {
		int used = keys[i]->not_after != 0;

		if (used && memcmp(keys[i]->pub, root->root_pub, sizeof(root->root_pub)) == 0) {
			return 0;
		}
		for (unsigned int j = 0; used && j < i; j++) {
			if (memcmp(keys[i]->pub, keys[j]->pub, sizeof(keys[i]->pub)) == 0) {
				return 0;
			}
		}
	}
	return 1;
}

static int root_needs_are_valid(const struct root_manifest *root)
{
	if (root->n_needs > ROOT_NEEDS_MAX || root->default_need < 1 ||
	        root->default_need > ENVELOPE_SIGNATURES_MAX) {
		return 0;
	}
	for (uint32_t i = 0; i < root->n_needs; i++) {
		const struct root_need *need = &root->needs[i];

		if (!service_name_is_valid(need->service) || need->n_signatures < 1 ||
		        need->n_signatures > ENVELOPE_SIGNATURES_MAX || need->reserved != 0) {
			return 0;
		}
	}
	return bytes_are_zero(root->needs + root->n_needs,
	        (ROOT_NEEDS_MAX - root->n_needs) * sizeof(root->needs[0]));
}

enum envelope_reason root_manifest_check(const struct root_manifest *root)
{
	enum envelope_reason r = manifest_head_check(root, ROOT_MAGIC, sizeof(*root));

	if (r != ENVELOPE_OK) {
		return r;
	}
	if (root->serial < 1 || root->reserved != 0 || root->n_release < 1 || root->n_variant < 1 ||
	        !root_keys_are_valid(root->release, root->n_release) ||
	        !root_keys_are_valid(root->variant, root->n_variant) ||
	        !root_keys_are_valid(root->policy, root->n_policy) ||
	        !root_keys_are_distinct(root) || !root_needs_are_valid(root)) {
		return ENVELOPE_MALFORMED;
	}
	return ENVELOPE_OK;
}

/* Targets are service names, or "*" as the only one. */
static int kit_targets_are_valid(const struct kit_manifest *kit)
{
	static const char all[SERVICE_NAME_SIZE] = "*";

	if (kit->n_targets == 1 && memcmp(kit->targets[0], all, sizeof(all)) == 0) {
		return bytes_are_zero(kit->targets[1], sizeof(kit->targets) - sizeof(all));
	}
	return names_are_valid(kit->targets[0], SERVICE_NAME_SIZE, kit->n_targets, KIT_TARGETS_MAX);
}

static int kit_names_are_valid(const struct kit_manifest *kit)
{
	return service_name_is_valid(kit->service) &&
	       name_is_valid(kit->quiescent, sizeof(kit->quiescent), "_-") &&
	       kit_targets_are_valid(kit) &&
	       names_are_valid(
	               kit->depends[0], SERVICE_NAME_SIZE, kit->n_depends, KIT_DEPENDS_MAX) &&
	       names_are_valid(
	               kit->metrics[0], KIT_METRIC_NAME_SIZE, kit->n_metrics, KIT_METRICS_MAX);
}

static int kit_io_is_valid(const struct kit_manifest *kit)
{
	if (kit->n_io > KIT_IO_MAX) {
		return 0;
	}
	for (uint32_t i = 0; i < kit->n_io; i++) {
		if (kit->io[i].first > kit->io[i].last || kit->io[i].last > RULE_PORT_MAX) {
			return 0;
		}
	}
	return bytes_are_zero(kit->io + kit->n_io, (KIT_IO_MAX - kit->n_io) * sizeof(kit->io[0]));
}

static int kit_mmio_is_valid(const struct kit_manifest *kit)
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
	return bytes_are_zero(
	        kit->mmio + kit->n_mmio, (KIT_MMIO_MAX - kit->n_mmio) * sizeof(kit->mmio[0]));
}

static int kit_irqs_are_valid(const struct kit_manifest *kit)
{
	if (kit->n_irqs > KIT_IRQ_MAX) {
		return 0;
	}
	for (uint32_t i = 0; i < kit->n_irqs; i++) {
		if (kit->irqs[i] > RULE_IRQ_MAX) {
			return 0;
		}
	}
	return bytes_are_zero(
	        kit->irqs + kit->n_irqs, (KIT_IRQ_MAX - kit->n_irqs) * sizeof(kit->irqs[0]));
}

static int kit_numbers_are_valid(const struct kit_manifest *kit)
{
	return kit->counter >= 1 && kit->floor <= kit->counter &&
	       kit->priority <= RULE_PRIORITY_MAX && kit->restart < _KIT_RESTART_N &&
	       (kit->flags & ~(uint32_t)(KIT_WAS_STRICT | KIT_CONTROL)) == 0 &&
	       kit->reserved == 0 && kit->stack_size >= RULE_PAGE &&
	       kit->stack_size % RULE_PAGE == 0 && kit->heap_limit % RULE_PAGE == 0;
}

enum envelope_reason kit_manifest_check(const struct kit_manifest *kit)
{
	enum envelope_reason r = manifest_head_check(kit, KIT_MAGIC, sizeof(*kit));

	if (r != ENVELOPE_OK) {
		return r;
	}
	return kit_names_are_valid(kit) && kit_numbers_are_valid(kit) && kit_io_is_valid(kit) &&
	                       kit_mmio_is_valid(kit) && kit_irqs_are_valid(kit)
	               ? ENVELOPE_OK
	               : ENVELOPE_MALFORMED;
}

enum envelope_reason variant_manifest_check(const struct variant_manifest *variant)
{
	enum envelope_reason r = manifest_head_check(variant, VARIANT_MAGIC, sizeof(*variant));

	if (r != ENVELOPE_OK) {
		return r;
	}
	return service_name_is_valid(variant->service) && variant->generation >= 1 &&
	                       variant->issued < variant->expires && variant->payload_len > 0 &&
	                       variant->reserved == 0
	               ? ENVELOPE_OK
	               : ENVELOPE_MALFORMED;
}
