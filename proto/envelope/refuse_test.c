/*
 * Every reason to refuse an envelope, from bytes with real signatures: a good sample, one thing
 * spoiled and signed again, and what must be said. Standing orders are in refuse_standing_test.c.
 * Built once against each side's library.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/spoil.h"

static struct order_component *component(struct sample *s)
{
	return &s->order.component[0];
}

/* Make the order another one that obeys the rules of its action. */
static void make_order(struct sample *s, enum order_action action, uint64_t argument)
{
	int has_services = action == ORDER_RESTART || action == ORDER_DROP;
	struct order_component c = *component(s);

	s->order.head.action = action;
	s->order.head.argument = argument;
	s->order.head.total_ms = s->order.head.hold_ms = 0;
	s->order.head.n_components = has_services ? 1 : 0;
	s->order.head.size = (uint32_t)order_manifest_size(s->order.head.n_components);
	*component(s) = (struct order_component){0};
	memcpy(component(s)->service, c.service, sizeof(c.service));
	if (action == ORDER_DROP) {
		memcpy(component(s)->release_id, c.release_id, sizeof(c.release_id));
		memcpy(component(s)->variant_hash, c.variant_hash, sizeof(c.variant_hash));
	}
}

/* The same, signed by a control key too. */
static void make_controlled(struct sample *s, enum order_action action, uint64_t argument)
{
	make_order(s, action, argument);
	sample_also_by(s, ENVELOPE_ORDER, SAMPLE_CONTROL);
}

static void two_components(struct sample *s)
{
	s->order.head.n_components = 2;
	s->order.head.size = (uint32_t)order_manifest_size(2);
	s->order.component[1] = s->order.component[0];
	memcpy(s->order.component[1].service, "ds\0", 3);
}

/* The key that is the neutral point: OpenSSL takes one signature for every message. */
static void small_order(struct root_key *key)
{
	uint8_t hash[64];

	memset(key->pub, 0, sizeof(key->pub));
	key->pub[0] = 1;
	envelope_hash(key->pub, sizeof(key->pub), hash);
	memcpy(key->id, hash, sizeof(key->id));
}

static void role_of_root(struct root_manifest *root)
{
	struct root_key *key = &root->keys[ROOT_ROLE_POLICY][0];
	uint8_t hash[64];

	memcpy(key->pub, root->root_pub, sizeof(key->pub));
	envelope_hash(key->pub, sizeof(key->pub), hash);
	memcpy(key->id, hash, sizeof(key->id));
}

/* Good ones. */
SPOIL(nothing, )
SPOIL(other_root_serial, s->root.serial = 6)
SPOIL(two_signatures, sample_also_by(s, ENVELOPE_VARIANT, SAMPLE_VARIANT2))
SPOIL(time_at_edge, t->time = s->variant.expires - 1)
SPOIL(future, (s->variant.issued = t->latest_time + 5000 * SAMPLE_DAY,
                      s->variant.expires = s->variant.issued + SAMPLE_DAY))
SPOIL(life_at_edge, s->variant.expires = s->variant.issued + 7 * SAMPLE_DAY)
SPOIL(keys_early, t->time = t->latest_time = SAMPLE_NOW - 400 * SAMPLE_DAY)
SPOIL(all_targets, (memset(s->kit.targets, 0, sizeof(s->kit.targets)), s->kit.targets[0][0] = '*',
                           s->kit.n_targets = 1, sample_bind(s)))
/* Root. */
SPOIL(root_key, sample_by(s, ENVELOPE_ROOT, SAMPLE_STRANGER))
SPOIL(root_by_release, sample_by(s, ENVELOPE_ROOT, SAMPLE_RELEASE))
SPOIL(root_by_two, sample_also_by(s, ENVELOPE_ROOT, SAMPLE_RELEASE))
SPOIL(root_names_other, sample_key_pub(SAMPLE_STRANGER, s->root.root_pub))
SPOIL(root_old, t->root_serial = 6)
SPOIL(root_pinned_other, sample_key_pub(SAMPLE_STRANGER, t->root_pub))
SPOIL(root_version, s->root.version = 1)
SPOIL(root_serial_zero, s->root.serial = 0)
SPOIL(root_no_variant, s->root.n_keys[ROOT_ROLE_VARIANT] = 0)
SPOIL(root_no_order, s->root.n_keys[ROOT_ROLE_ORDER] = 0;
        memset(s->root.keys[ROOT_ROLE_ORDER], 0, sizeof(s->root.keys[0])))
SPOIL(root_no_life, s->root.variant_life_sec_max = 0)
SPOIL(root_no_order_life, s->root.order_life_sec_max = 0)
SPOIL(root_times, s->root.expires = s->root.issued)
SPOIL(root_small_order, small_order(&s->root.keys[ROOT_ROLE_POLICY][0]))
SPOIL(root_other, memset(t->root_hash, 1, sizeof(t->root_hash)))
SPOIL(root_expired, t->time = s->root.expires; s->variant.expires = t->time + 1)
SPOIL(root_many_keys, s->root.n_keys[ROOT_ROLE_RELEASE] = ROOT_KEYS_MAX + 1)
SPOIL(root_hidden_key, s->root.n_keys[ROOT_ROLE_POLICY] = 0)
SPOIL(root_key_id, s->root.keys[ROOT_ROLE_RELEASE][0].id[0] ^= 1)
SPOIL(root_key_times, s->root.keys[ROOT_ROLE_RELEASE][0].not_after =
                              s->root.keys[ROOT_ROLE_RELEASE][0].not_before)
SPOIL(root_two_roles, s->root.keys[ROOT_ROLE_POLICY][0] = s->root.keys[ROOT_ROLE_RELEASE][0])
SPOIL(root_key_in_role, role_of_root(&s->root))
SPOIL(root_key_twice, s->root.keys[ROOT_ROLE_VARIANT][1] = s->root.keys[ROOT_ROLE_VARIANT][0])
SPOIL(root_need_zero, s->root.default_need = 0)
SPOIL(root_need_many, s->root.needs[0].n_signatures = 3)
SPOIL(root_default_many, s->root.default_need = 3)
SPOIL(root_need_unmet, s->root.n_keys[ROOT_ROLE_VARIANT] = 1;
        memset(&s->root.keys[ROOT_ROLE_VARIANT][1], 0, sizeof(struct root_key)))
SPOIL(root_small_root, memset(s->root.root_pub, 0, sizeof(s->root.root_pub)))
SPOIL(root_need_twice, s->root.n_needs = 2; s->root.needs[1] = s->root.needs[0])
SPOIL(root_need_name, s->root.needs[0].service[0] = '/')
SPOIL(root_need_hidden, s->root.n_needs = 0)
SPOIL(root_reserved, s->root.reserved = 1)
/* Kit. */
SPOIL(kit_stranger, sample_by(s, ENVELOPE_KIT, SAMPLE_STRANGER))
SPOIL(kit_by_variant, sample_by(s, ENVELOPE_KIT, SAMPLE_VARIANT))
SPOIL(kit_by_root, sample_by(s, ENVELOPE_KIT, SAMPLE_ROOT))
SPOIL(kit_by_order, sample_by(s, ENVELOPE_KIT, SAMPLE_ORDER))
SPOIL(kit_by_control, sample_by(s, ENVELOPE_KIT, SAMPLE_CONTROL))
SPOIL(kit_by_policy, sample_by(s, ENVELOPE_KIT, SAMPLE_POLICY))
SPOIL(kit_key_over, s->root.keys[ROOT_ROLE_RELEASE][0].not_after = t->time)
SPOIL(kit_version_1, s->kit.version = 1)
SPOIL(kit_no_state, s->kit.state_len = 0)
SPOIL(kit_flat_longest, (s->kit.flat_len = KIT_FLAT_LEN_MAX, sample_bind(s)))
SPOIL(kit_flat_long, s->kit.flat_len = KIT_FLAT_LEN_MAX + 1)
SPOIL(kit_no_flat, s->kit.flat_len = 0)
SPOIL(kit_format_2, memcpy(s->kit.magic, "SAMKIT2", 8))
SPOIL(kit_version, s->kit.version = 9)
SPOIL(kit_floor_above, s->kit.floor = 8)
SPOIL(kit_counter_zero, s->kit.counter = s->kit.floor = 0)
SPOIL(kit_name_empty, memset(s->kit.service, 0, sizeof(s->kit.service)))
SPOIL(kit_name_full, memset(s->kit.service, 'a', sizeof(s->kit.service)))
SPOIL(kit_name_behind, s->kit.service[10] = 'x')
SPOIL(kit_name_upper, s->kit.service[0] = 'T')
SPOIL(kit_name_clients,
        (memset(s->kit.service, 0, sizeof(s->kit.service)),
                memcpy(s->kit.service, KIT_TARGET_CLIENTS, sizeof(KIT_TARGET_CLIENTS))))
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
SPOIL(kit_slots, s->kit.n_slots = KIT_SLOTS_MAX + 1)
SPOIL(kit_stack, s->kit.stack_size = 100)
SPOIL(kit_no_stack, s->kit.stack_size = 0)
SPOIL(kit_heap, s->kit.heap_limit = 1)
SPOIL(kit_changed, s->kit.rank++)
/* Variant. */
SPOIL(variant_stranger, sample_by(s, ENVELOPE_VARIANT, SAMPLE_STRANGER))
SPOIL(variant_by_release, sample_by(s, ENVELOPE_VARIANT, SAMPLE_RELEASE))
SPOIL(variant_by_order, sample_by(s, ENVELOPE_VARIANT, SAMPLE_ORDER))
SPOIL(variant_twice, sample_also_by(s, ENVELOPE_VARIANT, SAMPLE_VARIANT))
SPOIL(variant_second_bad, sample_also_by(s, ENVELOPE_VARIANT, SAMPLE_STRANGER))
SPOIL(variant_version, s->variant.version = 0)
SPOIL(variant_needs_two, s->root.default_need = 2)
SPOIL(variant_release, s->variant.release_id[5] ^= 8)
SPOIL(variant_service, memcpy(s->variant.service, "ds\0", 3))
SPOIL(variant_machine, s->variant.machine_id[15] ^= 1)
SPOIL(variant_long_life, s->variant.expires = s->variant.issued + 7 * SAMPLE_DAY + 1)
SPOIL(variant_times, s->variant.expires = s->variant.issued)
SPOIL(variant_no_payload, s->variant.payload_len = 0)
SPOIL(variant_reserved, s->variant.reserved = 1)
SPOIL(trust_expired, t->time = s->variant.expires)
SPOIL(trust_keys_expired, (t->time = SAMPLE_NOW + 999 * SAMPLE_DAY, s->variant.issued = t->time,
                                  s->root.keys[ROOT_ROLE_VARIANT][0].not_after = t->time,
                                  s->variant.expires = t->time + 1))
SPOIL(trust_kit_key_expired, s->root.keys[ROOT_ROLE_RELEASE][0].not_after = SAMPLE_NOW)
/* Order. */
SPOIL(order_prepare, s->order.head.action = ORDER_PREPARE)
SPOIL(order_two, two_components(s))
SPOIL(order_confirm, make_order(s, ORDER_CONFIRM, 11))
SPOIL(order_shutdown, make_controlled(s, ORDER_SHUTDOWN, 3))
SPOIL(order_restart, make_controlled(s, ORDER_RESTART, 0))
SPOIL(order_drop, make_controlled(s, ORDER_DROP, 0))
SPOIL(order_extra_control, sample_also_by(s, ENVELOPE_ORDER, SAMPLE_CONTROL))
SPOIL(order_consent,
        (component(s)->consent[0] = 1, sample_also_by(s, ENVELOPE_ORDER, SAMPLE_CONTROL)))
SPOIL(order_machine_made, memset(component(s)->variant_hash, 0, 64))
SPOIL(order_newest_number, s->order.head.transaction = UINT64_MAX)
SPOIL(order_future,
        (s->order.head.issued += 5000 * SAMPLE_DAY, s->order.head.expires += 5000 * SAMPLE_DAY))
SPOIL(order_at_edge, t->time = s->order.head.expires - 1)
SPOIL(order_shutdown_alone, make_order(s, ORDER_SHUTDOWN, 3))
SPOIL(order_restart_alone, make_order(s, ORDER_RESTART, 0))
SPOIL(order_drop_alone, make_order(s, ORDER_DROP, 0))
SPOIL(order_consent_alone, component(s)->consent[63] = 1)
SPOIL(order_by_control, sample_by(s, ENVELOPE_ORDER, SAMPLE_CONTROL))
SPOIL(order_by_variant, sample_by(s, ENVELOPE_ORDER, SAMPLE_VARIANT))
SPOIL(order_by_release, sample_by(s, ENVELOPE_ORDER, SAMPLE_RELEASE))
SPOIL(order_by_root, sample_by(s, ENVELOPE_ORDER, SAMPLE_ROOT))
SPOIL(order_by_stranger, sample_by(s, ENVELOPE_ORDER, SAMPLE_STRANGER))
SPOIL(order_twice, sample_also_by(s, ENVELOPE_ORDER, SAMPLE_ORDER))
SPOIL(order_machine, s->order.head.machine_id[0] ^= 1)
SPOIL(order_boot, s->order.head.boot_id ^= 1)
SPOIL(order_epoch, s->order.head.epoch = 6)
SPOIL(order_long_life, s->order.head.expires++)
SPOIL(order_expired, t->time = s->order.head.expires)
SPOIL(order_key_expired, s->root.keys[ROOT_ROLE_ORDER][0].not_after = s->order.head.issued)
SPOIL(order_version, s->order.head.version = 3)
SPOIL(order_action_zero, s->order.head.action = 0)
SPOIL(order_action_high, s->order.head.action = _ORDER_ACTION_N)
SPOIL(order_number_zero, s->order.head.transaction = 0)
SPOIL(order_epoch_zero, s->order.head.epoch = 0)
SPOIL(order_times, s->order.head.expires = s->order.head.issued)
SPOIL(order_argument, s->order.head.argument = 1)
SPOIL(order_confirm_nothing, make_order(s, ORDER_CONFIRM, 0))
SPOIL(order_exit_code, make_controlled(s, ORDER_SHUTDOWN, 256))
SPOIL(order_empty, s->order.head.n_components = 0;
        s->order.head.size = (uint32_t)order_manifest_size(0))
SPOIL(order_service_twice, two_components(s); s->order.component[1] = s->order.component[0])
SPOIL(order_service_name, component(s)->service[0] = '-')
SPOIL(order_state_name, component(s)->state[23] = 'x')
SPOIL(order_no_release, memset(component(s)->release_id, 0, 64))
SPOIL(order_no_generation, component(s)->generation = 0)
SPOIL(order_reserved, component(s)->reserved = 1)
SPOIL(order_count, s->order.head.n_components = 2)
SPOIL(order_restart_more, make_controlled(s, ORDER_RESTART, 0); component(s)->recipe = 1)
SPOIL(order_restart_consent, make_controlled(s, ORDER_RESTART, 0); component(s)->consent[0] = 1)
SPOIL(order_hidden, two_components(s); s->order.head.n_components = 1)
SPOIL(order_restart_limits, make_controlled(s, ORDER_RESTART, 0); s->order.head.hold_ms = 1)
SPOIL(order_confirm_services, make_order(s, ORDER_CONFIRM, 1); two_components(s))
SPOIL(order_drop_nothing, make_controlled(s, ORDER_DROP, 0);
        memset(component(s)->variant_hash, 0, 64))
/* Statement. */
SPOIL(statement_long_ago, (s->statement.head.issued = 1, t->time = SAMPLE_NOW + 2000 * SAMPLE_DAY))
SPOIL(statement_empty, s->statement.head.n_services = 0;
        s->statement.head.size = (uint32_t)statement_manifest_size(0))
SPOIL(statement_other_root, s->statement.head.root_serial = 6)
SPOIL(statement_by_variant, sample_by(s, ENVELOPE_STATEMENT, SAMPLE_VARIANT))
SPOIL(statement_by_control, sample_by(s, ENVELOPE_STATEMENT, SAMPLE_CONTROL))
SPOIL(statement_machine, s->statement.head.machine_id[3] ^= 1)
SPOIL(statement_unsorted, s->statement.service[0].service[0] = 'z')
SPOIL(statement_twice, s->statement.service[0] = s->statement.service[1])
SPOIL(statement_epoch, s->statement.service[0].epoch = 6)
SPOIL(statement_half, s->statement.service[0].epoch = 0)
SPOIL(statement_reserved, s->statement.service[1].reserved = 1)
SPOIL(statement_count, s->statement.head.n_services = 1)
SPOIL(statement_version, s->statement.head.version = 1)
/* Time. */
SPOIL(time_by_root, sample_by(s, ENVELOPE_TIME, SAMPLE_ROOT))
SPOIL(time_back, t->time = SAMPLE_NOW + 2000 * SAMPLE_DAY)
SPOIL(time_by_order, sample_by(s, ENVELOPE_TIME, SAMPLE_ORDER))
SPOIL(time_by_variant, sample_by(s, ENVELOPE_TIME, SAMPLE_VARIANT))
SPOIL(time_by_control, sample_by(s, ENVELOPE_TIME, SAMPLE_CONTROL))
SPOIL(time_by_stranger, sample_by(s, ENVELOPE_TIME, SAMPLE_STRANGER))
SPOIL(time_of_dead_key, s->time.time = s->root.keys[ROOT_ROLE_RELEASE][0].not_after - 1;
        s->root.keys[ROOT_ROLE_RELEASE][0].not_after--)
SPOIL(time_of_dead_root, s->time.time = s->root.expires)
SPOIL(time_machine, s->time.machine_id[3] ^= 1)
SPOIL(time_boot, s->time.boot_id++)
SPOIL(time_nonce, s->time.nonce++)
SPOIL(time_zero, s->time.time = 0)
SPOIL(time_version, s->time.version = 7)

#define ROW(name, reason) ROW_OF(VARIANT, name, reason)
static const struct spoil spoils[] = {
        ROW(nothing, OK),
        ROW(other_root_serial, OK),
        ROW(two_signatures, OK),
        ROW(time_at_edge, OK),
        ROW(future, OK),
        ROW(life_at_edge, OK),
        ROW(keys_early, OK),
        ROW(all_targets, OK),
        ROW(root_key, UNKNOWN_KEY),
        ROW(root_by_release, UNKNOWN_KEY),
        ROW(root_by_two, MALFORMED),
        ROW(root_names_other, UNKNOWN_KEY),
        ROW(root_old, OLD_ROOT),
        ROW(root_pinned_other, UNKNOWN_KEY),
        ROW(root_version, UNKNOWN_VERSION),
        ROW(root_serial_zero, MALFORMED),
        ROW(root_no_variant, MALFORMED),
        ROW(root_no_order, MALFORMED),
        ROW(root_no_life, MALFORMED),
        ROW(root_no_order_life, MALFORMED),
        ROW(root_times, MALFORMED),
        ROW(root_small_order, UNSAFE_KEY),
        ROW(root_other, OTHER_ROOT),
        ROW(root_expired, ROOT_EXPIRED),
        ROW(root_key_in_role, MALFORMED),
        ROW(root_default_many, MALFORMED),
        ROW(root_need_unmet, MALFORMED),
        ROW(root_small_root, UNSAFE_KEY),
        ROW(root_need_twice, MALFORMED),
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
        ROW(kit_by_order, WRONG_ROLE),
        ROW(kit_by_control, WRONG_ROLE),
        ROW(kit_version_1, UNKNOWN_VERSION),
        ROW(kit_no_state, MALFORMED),
        ROW(kit_flat_longest, OK),
        ROW(kit_flat_long, MALFORMED),
        ROW(kit_no_flat, MALFORMED),
        ROW(kit_format_2, MALFORMED),
        ROW(kit_version, UNKNOWN_VERSION),
        ROW(kit_floor_above, MALFORMED),
        ROW(kit_counter_zero, MALFORMED),
        ROW(kit_name_empty, MALFORMED),
        ROW(kit_name_full, MALFORMED),
        ROW(kit_name_behind, MALFORMED),
        ROW(kit_name_upper, MALFORMED),
        ROW(kit_name_clients, MALFORMED),
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
        ROW(kit_slots, MALFORMED),
        ROW(kit_stack, MALFORMED),
        ROW(kit_no_stack, MALFORMED),
        ROW(kit_heap, MALFORMED),
        ROW(kit_changed, RELEASE_MISMATCH),
        ROW(variant_stranger, UNKNOWN_KEY),
        ROW(variant_by_release, WRONG_ROLE),
        ROW(variant_by_order, WRONG_ROLE),
        ROW(variant_twice, MALFORMED),
        ROW(variant_second_bad, UNKNOWN_KEY),
        ROW(variant_version, UNKNOWN_VERSION),
        ROW(variant_needs_two, TOO_FEW_SIGNATURES),
        ROW(variant_release, RELEASE_MISMATCH),
        ROW(variant_service, WRONG_SERVICE),
        ROW(variant_machine, WRONG_MACHINE),
        ROW(variant_long_life, LONG_LIFE),
        ROW(variant_times, MALFORMED),
        ROW(variant_no_payload, MALFORMED),
        ROW(variant_reserved, MALFORMED),
        ROW(trust_expired, EXPIRED),
        ROW(trust_keys_expired, KEY_EXPIRED),
        ROW(trust_kit_key_expired, KEY_EXPIRED),
        ROW_OF(ORDER, order_prepare, OK),
        ROW_OF(ORDER, order_two, OK),
        ROW_OF(ORDER, order_confirm, OK),
        ROW_OF(ORDER, order_shutdown, OK),
        ROW_OF(ORDER, order_restart, OK),
        ROW_OF(ORDER, order_drop, OK),
        ROW_OF(ORDER, order_extra_control, OK),
        ROW_OF(ORDER, order_consent, OK),
        ROW_OF(ORDER, order_machine_made, OK),
        ROW_OF(ORDER, order_newest_number, OK),
        ROW_OF(ORDER, order_future, OK),
        ROW_OF(ORDER, order_at_edge, OK),
        ROW_OF(KIT, nothing, OK),
        ROW_OF(KIT, kit_stranger, UNKNOWN_KEY),
        ROW_OF(KIT, kit_by_variant, WRONG_ROLE),
        ROW_OF(KIT, root_old, OLD_ROOT),
        ROW_OF(KIT, root_expired, ROOT_EXPIRED),
        ROW_OF(KIT, kit_key_over, KEY_EXPIRED),
        ROW_OF(ORDER, nothing, OK),
        ROW_OF(STATEMENT, statement_long_ago, OK),
        ROW_OF(STATEMENT, statement_empty, OK),
        ROW_OF(STATEMENT, nothing, OK),
        ROW_OF(TIME, time_by_root, OK),
        ROW_OF(TIME, time_back, OK),
        ROW_OF(TIME, nothing, OK),
        ROW_OF(ORDER, order_shutdown_alone, NO_CONTROL),
        ROW_OF(ORDER, order_restart_alone, NO_CONTROL),
        ROW_OF(ORDER, order_drop_alone, NO_CONTROL),
        ROW_OF(ORDER, order_consent_alone, NO_CONTROL),
        ROW_OF(ORDER, order_by_control, TOO_FEW_SIGNATURES),
        ROW_OF(ORDER, order_by_variant, WRONG_ROLE),
        ROW_OF(ORDER, order_by_release, WRONG_ROLE),
        ROW_OF(ORDER, order_by_root, WRONG_ROLE),
        ROW_OF(ORDER, order_by_stranger, UNKNOWN_KEY),
        ROW_OF(ORDER, order_machine, WRONG_MACHINE),
        ROW_OF(ORDER, order_boot, WRONG_BOOT),
        ROW_OF(ORDER, order_epoch, WRONG_EPOCH),
        ROW_OF(ORDER, order_long_life, LONG_LIFE),
        ROW_OF(ORDER, order_expired, EXPIRED),
        ROW_OF(ORDER, order_key_expired, KEY_EXPIRED),
        ROW_OF(ORDER, order_version, UNKNOWN_VERSION),
        ROW_OF(ORDER, order_twice, MALFORMED),
        ROW_OF(ORDER, order_action_zero, MALFORMED),
        ROW_OF(ORDER, order_action_high, MALFORMED),
        ROW_OF(ORDER, order_number_zero, MALFORMED),
        ROW_OF(ORDER, order_epoch_zero, MALFORMED),
        ROW_OF(ORDER, order_times, MALFORMED),
        ROW_OF(ORDER, order_argument, MALFORMED),
        ROW_OF(ORDER, order_confirm_nothing, MALFORMED),
        ROW_OF(ORDER, order_exit_code, MALFORMED),
        ROW_OF(ORDER, order_empty, MALFORMED),
        ROW_OF(ORDER, order_service_twice, MALFORMED),
        ROW_OF(ORDER, order_service_name, MALFORMED),
        ROW_OF(ORDER, order_state_name, MALFORMED),
        ROW_OF(ORDER, order_no_release, MALFORMED),
        ROW_OF(ORDER, order_no_generation, MALFORMED),
        ROW_OF(ORDER, order_reserved, MALFORMED),
        ROW_OF(ORDER, order_count, MALFORMED),
        ROW_OF(ORDER, order_restart_more, MALFORMED),
        ROW_OF(ORDER, order_restart_consent, MALFORMED),
        ROW_OF(ORDER, order_hidden, MALFORMED),
        ROW_OF(ORDER, order_restart_limits, MALFORMED),
        ROW_OF(ORDER, order_confirm_services, MALFORMED),
        ROW_OF(ORDER, order_drop_nothing, MALFORMED),
        ROW_OF(STATEMENT, statement_other_root, WRONG_EPOCH),
        ROW_OF(STATEMENT, statement_by_variant, WRONG_ROLE),
        ROW_OF(STATEMENT, statement_by_control, WRONG_ROLE),
        ROW_OF(STATEMENT, statement_machine, WRONG_MACHINE),
        ROW_OF(STATEMENT, statement_unsorted, MALFORMED),
        ROW_OF(STATEMENT, statement_twice, MALFORMED),
        ROW_OF(STATEMENT, statement_epoch, MALFORMED),
        ROW_OF(STATEMENT, statement_half, MALFORMED),
        ROW_OF(STATEMENT, statement_reserved, MALFORMED),
        ROW_OF(STATEMENT, statement_count, MALFORMED),
        ROW_OF(STATEMENT, statement_version, UNKNOWN_VERSION),
        ROW_OF(STATEMENT, root_old, OLD_ROOT),
        ROW_OF(TIME, root_old, OLD_ROOT),
        ROW_OF(ORDER, root_old, OLD_ROOT),
        ROW_OF(ORDER, root_other, OTHER_ROOT),
        ROW_OF(TIME, time_by_order, WRONG_ROLE),
        ROW_OF(TIME, time_by_variant, WRONG_ROLE),
        ROW_OF(TIME, time_by_control, WRONG_ROLE),
        ROW_OF(TIME, time_by_stranger, UNKNOWN_KEY),
        ROW_OF(TIME, time_of_dead_key, KEY_EXPIRED),
        ROW_OF(TIME, time_of_dead_root, ROOT_EXPIRED),
        ROW_OF(TIME, time_machine, WRONG_MACHINE),
        ROW_OF(TIME, time_boot, WRONG_BOOT),
        ROW_OF(TIME, time_nonce, WRONG_NONCE),
        ROW_OF(TIME, time_zero, MALFORMED),
        ROW_OF(TIME, time_version, UNKNOWN_VERSION),
};

static void test_reasons(void)
{
	spoil_judge(spoils, sizeof(spoils) / sizeof(spoils[0]));
}

/* The signature of the root in an envelope, which lies behind the root's manifest. */
static struct envelope_signature *root_signature(struct sample *s)
{
	struct envelope_view view;

	assert(envelope_open(s->bytes, s->len, &view) == ENVELOPE_OK);
	return (struct envelope_signature *)(uintptr_t)view.part[0].signatures;
}

/* A signed order, and the trust of a verifier whose newest root is that of the order. */
static void sample_of_newest_root(struct sample *s, struct trust *ret_trust)
{
	sample_init(s, ENVELOPE_OF_ORDER);
	sample_trust(ret_trust);
	sample_sign(s);
	ret_trust->root_serial = s->root.serial;
	envelope_hash(&s->root, sizeof(s->root), ret_trust->root_hash);
}

/*
 * A root that was verified before is known by its manifest, its number and its signature. That it is
 * not verified again shows in a signature that nobody made, and is remembered as good.
 */
static void test_known_root(void)
{
	struct sample s;
	struct trust trust;

	sample_of_newest_root(&s, &trust);
	root_signature(&s)->sig[5] ^= 1;
	assert(sample_judge(&s, &trust) == ENVELOPE_BAD_SIGNATURE);
	trust.root_signature = *root_signature(&s);
	assert(sample_judge(&s, &trust) == ENVELOPE_OK);
	root_signature(&s)->sig[6] ^= 1;
	assert(sample_judge(&s, &trust) == ENVELOPE_BAD_SIGNATURE);
	root_signature(&s)->sig[6] ^= 1;
	root_signature(&s)->key_id[3] ^= 1;
	assert(sample_judge(&s, &trust) == ENVELOPE_UNKNOWN_KEY);
	root_signature(&s)->key_id[3] ^= 1;
	trust.root_hash[9] ^= 1;
	assert(sample_judge(&s, &trust) == ENVELOPE_BAD_SIGNATURE);
	trust.root_hash[9] ^= 1;
	trust.root_serial--;
	assert(sample_judge(&s, &trust) == ENVELOPE_BAD_SIGNATURE);
	trust.root_serial++;
	trust.time = trust.latest_time = s.root.expires;
	assert(sample_judge(&s, &trust) == ENVELOPE_ROOT_EXPIRED);
}

/* A verifier that has verified no root has no signature of zeros for one either. */
static void test_no_known_root(void)
{
	struct sample s;
	struct trust trust;

	sample_of_newest_root(&s, &trust);
	memset(root_signature(&s), 0, sizeof(struct envelope_signature));
	assert(sample_judge(&s, &trust) == ENVELOPE_UNKNOWN_KEY);
}

int main(void)
{
	test_reasons();
	test_known_root();
	test_no_known_root();
	return 0;
}
