/*
 * Every reason to refuse an envelope, from bytes with real signatures. Built once
 * against each side's cryptographic library.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope/sample.h"

static enum envelope_reason judge(const struct sample *s, const struct trust *trust)
{
	struct envelope_view view;
	enum envelope_reason r = envelope_open(s->bytes, s->len, &view);

	return r == ENVELOPE_OK ? envelope_verify(&view, trust) : r;
}

/* One way to spoil the sample or the trust, and what must be said. */
struct spoil {
	const char *what;
	void (*apply)(struct sample *s, struct trust *t);
	enum envelope_reason reason;
};

#define SPOIL(name, statement)                                                                     \
	static void spoil_##name(struct sample *s, struct trust *t)                                \
	{                                                                                          \
		(void)s;                                                                           \
		(void)t;                                                                           \
		statement;                                                                         \
	}

/* Good ones. */
SPOIL(nothing, )
SPOIL(other_root_serial, s->root.serial = 6)
SPOIL(two_signatures, (s->n_variant_keys = 2, s->variant_keys[1] = SAMPLE_VARIANT2))
SPOIL(time_at_edge, t->newest_time = s->variant.expires - 1)
SPOIL(issued_at_edge, t->latest_time = s->variant.issued)
SPOIL(all_targets, (memset(s->kit.targets, 0, sizeof(s->kit.targets)), s->kit.targets[0][0] = '*',
                           s->kit.n_targets = 1, sample_bind(s)))
/* Root. */
SPOIL(root_key, s->root_key = SAMPLE_STRANGER)
SPOIL(root_by_release, s->root_key = SAMPLE_RELEASE)
SPOIL(root_names_other, sample_key_pub(SAMPLE_STRANGER, s->root.root_pub))
SPOIL(root_old, t->root_serial = 6)
SPOIL(root_pinned_other, sample_key_pub(SAMPLE_STRANGER, t->root_pub))
SPOIL(root_version, s->root.version = 2)
SPOIL(root_serial_zero, s->root.serial = 0)
SPOIL(root_no_variant, (s->root.n_variant = 0))
SPOIL(root_many_keys, s->root.n_release = ROOT_KEYS_MAX + 1)
SPOIL(root_hidden_key, s->root.n_policy = 0)
SPOIL(root_key_id, s->root.release[0].id[0] ^= 1)
SPOIL(root_key_times, s->root.release[0].not_after = s->root.release[0].not_before)
SPOIL(root_two_roles, s->root.policy[0] = s->root.release[0])
SPOIL(root_key_twice, s->root.variant[1] = s->root.variant[0])
SPOIL(root_need_zero, s->root.default_need = 0)
SPOIL(root_need_many, s->root.needs[0].n_signatures = ENVELOPE_SIGNATURES_MAX + 1)
SPOIL(root_need_name, s->root.needs[0].service[0] = '/')
SPOIL(root_need_hidden, s->root.n_needs = 0)
SPOIL(root_reserved, s->root.reserved = 1)
/* Kit. */
SPOIL(kit_stranger, s->kit_key = SAMPLE_STRANGER)
SPOIL(kit_by_variant, s->kit_key = SAMPLE_VARIANT)
SPOIL(kit_by_root, s->kit_key = SAMPLE_ROOT)
SPOIL(kit_by_policy, s->kit_key = SAMPLE_POLICY)
SPOIL(kit_version, s->kit.version = 9)
SPOIL(kit_floor_above, s->kit.floor = 8)
SPOIL(kit_counter_zero, s->kit.counter = s->kit.floor = 0)
SPOIL(kit_name_empty, memset(s->kit.service, 0, sizeof(s->kit.service)))
SPOIL(kit_name_full, memset(s->kit.service, 'a', sizeof(s->kit.service)))
SPOIL(kit_name_behind, s->kit.service[10] = 'x')
SPOIL(kit_name_upper, s->kit.service[0] = 'T')
SPOIL(kit_targets_many, s->kit.n_targets = KIT_TARGETS_MAX + 1)
SPOIL(kit_targets_star, s->kit.targets[1][0] = '*')
SPOIL(kit_target_hidden, s->kit.n_targets = 1)
SPOIL(kit_depends_many, s->kit.n_depends = KIT_DEPENDS_MAX + 1)
SPOIL(kit_metrics_many, s->kit.n_metrics = KIT_METRICS_MAX + 1)
SPOIL(kit_quiescent, s->kit.quiescent[0] = ' ')
SPOIL(kit_io_order, s->kit.io[0].last = 0x3f7)
SPOIL(kit_io_high, s->kit.io[0].last = 0x10000)
SPOIL(kit_io_many, s->kit.n_io = KIT_IO_MAX + 1)
SPOIL(kit_io_hidden, s->kit.n_io = 0)
SPOIL(kit_mmio_align, s->kit.mmio[0].base += 8)
SPOIL(kit_mmio_empty, s->kit.mmio[0].len = 0)
SPOIL(kit_mmio_wrap, s->kit.mmio[0].base = (uint64_t)-4096; s->kit.mmio[0].len = 8192)
SPOIL(kit_mmio_many, s->kit.n_mmio = KIT_MMIO_MAX + 1)
SPOIL(kit_irq_high, s->kit.irqs[0] = 256)
SPOIL(kit_irq_many, s->kit.n_irqs = KIT_IRQ_MAX + 1)
SPOIL(kit_restart, s->kit.restart = _KIT_RESTART_N)
SPOIL(kit_priority, s->kit.priority = 16)
SPOIL(kit_flags, s->kit.flags = 4)
SPOIL(kit_reserved, s->kit.reserved = 1)
SPOIL(kit_stack, s->kit.stack_size = 100)
SPOIL(kit_no_stack, s->kit.stack_size = 0)
SPOIL(kit_heap, s->kit.heap_limit = 1)
SPOIL(kit_changed, s->kit.rank++)
/* Variant. */
SPOIL(variant_stranger, s->variant_keys[0] = SAMPLE_STRANGER)
SPOIL(variant_by_release, s->variant_keys[0] = SAMPLE_RELEASE)
SPOIL(variant_twice, (s->n_variant_keys = 2, s->variant_keys[1] = SAMPLE_VARIANT))
SPOIL(variant_second_bad, (s->n_variant_keys = 2, s->variant_keys[1] = SAMPLE_STRANGER))
SPOIL(variant_version, s->variant.version = 0)
SPOIL(variant_needs_two, s->root.default_need = 2)
SPOIL(variant_release, s->variant.release_id[5] ^= 8)
SPOIL(variant_service, memcpy(s->variant.service, "ds\0", 3))
SPOIL(variant_machine, s->variant.machine_id[15] ^= 1)
SPOIL(variant_generation_zero, s->variant.generation = 0)
SPOIL(variant_times, s->variant.expires = s->variant.issued)
SPOIL(variant_no_payload, s->variant.payload_len = 0)
SPOIL(variant_reserved, s->variant.reserved = 1)
SPOIL(trust_service, memcpy(t->service, "ds\0", 3))
SPOIL(trust_future, t->latest_time = s->variant.issued - 1)
SPOIL(trust_far_future, (s->variant.issued = SAMPLE_NOW + 5000 * SAMPLE_DAY,
                                s->variant.expires = s->variant.issued + 1))
SPOIL(trust_expired, t->newest_time = s->variant.expires)
SPOIL(trust_keys_expired,
        (t->newest_time = SAMPLE_NOW + 1000 * SAMPLE_DAY, s->variant.expires = t->newest_time + 1))
SPOIL(trust_keys_early, (s->variant.issued = t->newest_time = SAMPLE_NOW - 11 * SAMPLE_DAY))
SPOIL(trust_floor, t->floor = 8)
SPOIL(trust_replay, t->generation = 9)
SPOIL(trust_older, t->generation = 100)

#define ROW(name, reason) {#name, spoil_##name, ENVELOPE_##reason}
static const struct spoil spoils[] = {
        ROW(nothing, OK),
        ROW(other_root_serial, OK),
        ROW(two_signatures, OK),
        ROW(time_at_edge, OK),
        ROW(issued_at_edge, OK),
        ROW(all_targets, OK),
        ROW(root_key, UNKNOWN_KEY),
        ROW(root_by_release, UNKNOWN_KEY),
        ROW(root_names_other, UNKNOWN_KEY),
        ROW(root_old, OLD_ROOT),
        ROW(root_pinned_other, UNKNOWN_KEY),
        ROW(root_version, UNKNOWN_VERSION),
        ROW(root_serial_zero, MALFORMED),
        ROW(root_no_variant, MALFORMED),
        ROW(root_many_keys, MALFORMED),
        ROW(root_hidden_key, MALFORMED),
        ROW(root_key_id, MALFORMED),
        ROW(root_key_times, MALFORMED),
        ROW(root_two_roles, MALFORMED),
        ROW(root_key_twice, MALFORMED),
        ROW(root_need_zero, MALFORMED),
        ROW(root_need_many, MALFORMED),
        ROW(root_need_name, MALFORMED),
        ROW(root_need_hidden, MALFORMED),
        ROW(root_reserved, MALFORMED),
        ROW(kit_stranger, UNKNOWN_KEY),
        ROW(kit_by_variant, WRONG_ROLE),
        ROW(kit_by_root, WRONG_ROLE),
        ROW(kit_by_policy, WRONG_ROLE),
        ROW(kit_version, UNKNOWN_VERSION),
        ROW(kit_floor_above, MALFORMED),
        ROW(kit_counter_zero, MALFORMED),
        ROW(kit_name_empty, MALFORMED),
        ROW(kit_name_full, MALFORMED),
        ROW(kit_name_behind, MALFORMED),
        ROW(kit_name_upper, MALFORMED),
        ROW(kit_targets_many, MALFORMED),
        ROW(kit_targets_star, MALFORMED),
        ROW(kit_target_hidden, MALFORMED),
        ROW(kit_depends_many, MALFORMED),
        ROW(kit_metrics_many, MALFORMED),
        ROW(kit_quiescent, MALFORMED),
        ROW(kit_io_order, MALFORMED),
        ROW(kit_io_high, MALFORMED),
        ROW(kit_io_many, MALFORMED),
        ROW(kit_io_hidden, MALFORMED),
        ROW(kit_mmio_align, MALFORMED),
        ROW(kit_mmio_empty, MALFORMED),
        ROW(kit_mmio_wrap, MALFORMED),
        ROW(kit_mmio_many, MALFORMED),
        ROW(kit_irq_high, MALFORMED),
        ROW(kit_irq_many, MALFORMED),
        ROW(kit_restart, MALFORMED),
        ROW(kit_priority, MALFORMED),
        ROW(kit_flags, MALFORMED),
        ROW(kit_reserved, MALFORMED),
        ROW(kit_stack, MALFORMED),
        ROW(kit_no_stack, MALFORMED),
        ROW(kit_heap, MALFORMED),
        ROW(kit_changed, RELEASE_MISMATCH),
        ROW(variant_stranger, UNKNOWN_KEY),
        ROW(variant_by_release, WRONG_ROLE),
        ROW(variant_twice, MALFORMED),
        ROW(variant_second_bad, UNKNOWN_KEY),
        ROW(variant_version, UNKNOWN_VERSION),
        ROW(variant_needs_two, TOO_FEW_SIGNATURES),
        ROW(variant_release, RELEASE_MISMATCH),
        ROW(variant_service, WRONG_SERVICE),
        ROW(variant_machine, WRONG_MACHINE),
        ROW(variant_generation_zero, MALFORMED),
        ROW(variant_times, MALFORMED),
        ROW(variant_no_payload, MALFORMED),
        ROW(variant_reserved, MALFORMED),
        ROW(trust_service, WRONG_SERVICE),
        ROW(trust_future, IMPLAUSIBLE_TIME),
        ROW(trust_far_future, IMPLAUSIBLE_TIME),
        ROW(trust_expired, EXPIRED),
        ROW(trust_keys_expired, KEY_EXPIRED),
        ROW(trust_keys_early, KEY_EXPIRED),
        ROW(trust_floor, BELOW_FLOOR),
        ROW(trust_replay, REPLAYED_GENERATION),
        ROW(trust_older, REPLAYED_GENERATION),
};

static void test_reasons(void)
{
	for (unsigned int i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct sample s;
		struct trust trust;
		enum envelope_reason r;

		sample_init(&s);
		sample_trust(&trust);
		spoils[i].apply(&s, &trust);
		sample_sign(&s);
		r = judge(&s, &trust);
		if (r != spoils[i].reason) {
			(void)fprintf(stderr, "%s: %s, not %s\n", spoils[i].what,
			        envelope_reason_name(r), envelope_reason_name(spoils[i].reason));
			abort();
		}
	}
}

/* No byte can be changed, and no end cut off or put on. */
static void test_bytes(void)
{
	struct sample s;
	struct trust trust;
	struct envelope_view view;
	size_t len;

	sample_init(&s);
	sample_trust(&trust);
	sample_sign(&s);
	for (size_t i = 0; i < s.len; i++) {
		uint8_t bit = (uint8_t)(1 << i % 8);

		s.bytes[i] ^= bit;
		assert(judge(&s, &trust) != ENVELOPE_OK);
		s.bytes[i] ^= bit;
	}
	len = s.len;
	for (size_t n = 0; n < len; n++) {
		uint8_t *exact = malloc(n + 1);

		memcpy(exact, s.bytes, n);
		assert(envelope_open(exact, n, &view) == ENVELOPE_MALFORMED);
		free(exact);
	}
	assert(envelope_open(s.bytes, len + 8, &view) == ENVELOPE_MALFORMED);
	memmove(s.bytes + 1, s.bytes, len);
	assert(envelope_open(s.bytes + 1, len, &view) == ENVELOPE_MALFORMED);
}

/* Bytes of a signature: bad-signature, in whatever part. */
static void test_signatures(void)
{
	for (unsigned int part = 0; part < _ENVELOPE_PART_N; part++) {
		struct sample s;
		struct trust trust;
		struct envelope_view view;
		uint8_t *sig;

		sample_init(&s);
		sample_trust(&trust);
		sample_sign(&s);
		assert(envelope_open(s.bytes, s.len, &view) == ENVELOPE_OK);
		sig = (uint8_t *)(uintptr_t)view.part[part].signatures[0].sig;
		sig[40] ^= 1;
		assert(judge(&s, &trust) == ENVELOPE_BAD_SIGNATURE);
	}
}

/* Parts swapped or repeated, and kinds in places where they do not belong. */
static void test_parts(void)
{
	struct sample s;
	struct envelope_view view;
	struct trust trust;
	_Alignas(8) uint8_t bytes[ENVELOPE_SIZE_MAX];
	const void *parts[3];
	size_t sizes[3], len;

	sample_init(&s);
	sample_trust(&trust);
	sample_sign(&s);
	assert(envelope_open(s.bytes, s.len, &view) == ENVELOPE_OK);
	for (int i = 0; i < 3; i++) {
		parts[i] = view.part[2 - i].manifest - sizeof(struct envelope_part_header);
		sizes[i] = view.part[2 - i].size;
	}
	len = envelope_write(parts, sizes, bytes, sizeof(bytes));
	assert(envelope_open(bytes, len, &view) == ENVELOPE_MALFORMED);
	assert(envelope_write(parts, sizes, bytes, len - 1) == 0);
	assert(envelope_part_open(parts[0], sizes[0], &view.part[0]) == ENVELOPE_OK);
	assert(view.part[0].kind == ENVELOPE_VARIANT && view.part[0].size == sizes[0]);
	assert(envelope_verify_root(&view.part[0], &trust) == ENVELOPE_MALFORMED);
	assert(envelope_verify_kit(&view.part[0], view.root, SAMPLE_NOW) == ENVELOPE_MALFORMED);
	assert(envelope_part_write(
	               ENVELOPE_KIT, &s.kit, sizeof(s.kit), NULL, 0, bytes, sizeof(bytes)) == 0);
}

static void test_contents(void)
{
	struct sample s;
	struct envelope_view view;

	sample_init(&s);
	sample_sign(&s);
	assert(envelope_open(s.bytes, s.len, &view) == ENVELOPE_OK);
	assert(envelope_verify_payload(&view, SAMPLE_PAYLOAD, 11) == ENVELOPE_OK);
	assert(envelope_verify_payload(&view, SAMPLE_PAYLOAD, 10) == ENVELOPE_PAYLOAD_MISMATCH);
	assert(envelope_verify_payload(&view, "the paxload", 11) == ENVELOPE_PAYLOAD_MISMATCH);
	assert(envelope_verify_description(&view, SAMPLE_DESCRIPTION, 15) == ENVELOPE_OK);
	assert(envelope_verify_description(&view, SAMPLE_DESCRIPTION, 14) ==
	        ENVELOPE_DESCRIPTION_MISMATCH);
	assert(envelope_signatures_needed(view.root, "rs") == 2);
	assert(envelope_signatures_needed(view.root, "r") == 1);
}

static void test_names(void)
{
	for (unsigned int i = 0; i < _ENVELOPE_N; i++) {
		assert(envelope_reason_name((enum envelope_reason)i)[0] != '\0');
		assert(envelope_reason_text((enum envelope_reason)i)[0] != '\0');
	}
	assert(strcmp(envelope_reason_name(ENVELOPE_BAD_SIGNATURE), "bad-signature") == 0);
	assert(strcmp(envelope_reason_name(_ENVELOPE_N), "unknown-reason") == 0);
}

int main(void)
{
	test_reasons();
	test_bytes();
	test_signatures();
	test_parts();
	test_contents();
	test_names();
	return 0;
}
