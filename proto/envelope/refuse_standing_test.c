/*
 * Every reason to refuse a standing order, as refuse_test.c has them for the other kinds. Built once
 * against each side's library.
 */
#include <string.h>

#include "proto/envelope/spoil.h"

static struct standing_manifest *standing(struct sample *s)
{
	return &s->standing.head;
}

/* Make the standing order the form that ends one. */
static void make_withdrawal(struct sample *s)
{
	standing(s)->every_ms = standing(s)->jitter_ms = 0;
	standing(s)->n_services = standing(s)->n_quiet = 0;
	memset(standing(s)->quiet, 0, sizeof(standing(s)->quiet));
	standing(s)->size = (uint32_t)standing_manifest_size(0);
}

SPOIL(nothing, )
SPOIL(root_old, t->root_serial = 6)
SPOIL(standing_end, make_withdrawal(s))
SPOIL(standing_end_quiet, make_withdrawal(s); standing(s)->n_quiet = 1;
        standing(s)->quiet[0].from_sec = 1)
SPOIL(standing_end_every, make_withdrawal(s); standing(s)->every_ms = 1000)
SPOIL(standing_shortest, standing(s)->every_ms = standing(s)->jitter_ms = STANDING_EVERY_MS_MIN)
SPOIL(standing_longest, standing(s)->every_ms = STANDING_EVERY_MS_MAX)
SPOIL(standing_quiet_over_midnight, standing(s)->quiet[0].from_sec = 86399;
        standing(s)->quiet[0].until_sec = 0)
SPOIL(standing_by_control, sample_by(s, ENVELOPE_STANDING, SAMPLE_CONTROL))
SPOIL(standing_also_by_control, sample_also_by(s, ENVELOPE_STANDING, SAMPLE_CONTROL))
SPOIL(standing_by_variant, sample_by(s, ENVELOPE_STANDING, SAMPLE_VARIANT))
SPOIL(standing_by_stranger, sample_by(s, ENVELOPE_STANDING, SAMPLE_STRANGER))
SPOIL(standing_machine, standing(s)->machine_id[3] ^= 1)
SPOIL(standing_boot, standing(s)->boot_id ^= 1)
SPOIL(standing_epoch, standing(s)->epoch = 6)
SPOIL(standing_long_life, standing(s)->expires++)
SPOIL(standing_expired, t->time = standing(s)->expires)
SPOIL(standing_key_expired, s->root.keys[ROOT_ROLE_ORDER][0].not_after = standing(s)->issued)
SPOIL(standing_version, standing(s)->version = 3)
SPOIL(standing_number_zero, standing(s)->number = 0)
SPOIL(standing_epoch_zero, standing(s)->epoch = 0)
SPOIL(standing_times, standing(s)->expires = standing(s)->issued)
SPOIL(standing_often, standing(s)->every_ms = STANDING_EVERY_MS_MIN - 1; standing(s)->jitter_ms = 0)
SPOIL(standing_seldom, standing(s)->every_ms = STANDING_EVERY_MS_MAX + 1)
SPOIL(standing_jitter, standing(s)->jitter_ms = standing(s)->every_ms + 1)
SPOIL(standing_quiet_empty, standing(s)->quiet[0].until_sec = standing(s)->quiet[0].from_sec)
SPOIL(standing_quiet_late, standing(s)->quiet[0].until_sec = 86400)
SPOIL(standing_quiet_from, standing(s)->quiet[0].from_sec = 86400)
SPOIL(standing_quiet_many, standing(s)->n_quiet = STANDING_QUIET_MAX + 1)
SPOIL(standing_quiet_hidden, standing(s)->quiet[1].from_sec = 1)
SPOIL(standing_unsorted, s->standing.service[0].service[0] = 'z')
SPOIL(standing_twice, s->standing.service[0] = s->standing.service[1])
SPOIL(standing_name, s->standing.service[1].service[0] = 'T')
SPOIL(standing_no_release, memset(s->standing.service[0].release_id, 0, 64))
SPOIL(standing_reserved, s->standing.service[1].reserved = 1)
SPOIL(standing_count, standing(s)->n_services = 1)

static const struct spoil spoils[] = {
        ROW_OF(STANDING, nothing, OK),
        ROW_OF(STANDING, standing_end, OK),
        ROW_OF(STANDING, standing_shortest, OK),
        ROW_OF(STANDING, standing_longest, OK),
        ROW_OF(STANDING, standing_quiet_over_midnight, OK),
        ROW_OF(STANDING, standing_by_control, WRONG_ROLE),
        ROW_OF(STANDING, standing_also_by_control, WRONG_ROLE),
        ROW_OF(STANDING, standing_by_variant, WRONG_ROLE),
        ROW_OF(STANDING, standing_by_stranger, UNKNOWN_KEY),
        ROW_OF(STANDING, standing_machine, WRONG_MACHINE),
        ROW_OF(STANDING, standing_boot, WRONG_BOOT),
        ROW_OF(STANDING, standing_epoch, WRONG_EPOCH),
        ROW_OF(STANDING, standing_long_life, LONG_LIFE),
        ROW_OF(STANDING, standing_expired, EXPIRED),
        ROW_OF(STANDING, standing_key_expired, KEY_EXPIRED),
        ROW_OF(STANDING, standing_version, UNKNOWN_VERSION),
        ROW_OF(STANDING, root_old, OLD_ROOT),
        ROW_OF(STANDING, standing_end_quiet, MALFORMED),
        ROW_OF(STANDING, standing_end_every, MALFORMED),
        ROW_OF(STANDING, standing_number_zero, MALFORMED),
        ROW_OF(STANDING, standing_epoch_zero, MALFORMED),
        ROW_OF(STANDING, standing_times, MALFORMED),
        ROW_OF(STANDING, standing_often, MALFORMED),
        ROW_OF(STANDING, standing_seldom, MALFORMED),
        ROW_OF(STANDING, standing_jitter, MALFORMED),
        ROW_OF(STANDING, standing_quiet_empty, MALFORMED),
        ROW_OF(STANDING, standing_quiet_late, MALFORMED),
        ROW_OF(STANDING, standing_quiet_from, MALFORMED),
        ROW_OF(STANDING, standing_quiet_many, MALFORMED),
        ROW_OF(STANDING, standing_quiet_hidden, MALFORMED),
        ROW_OF(STANDING, standing_unsorted, MALFORMED),
        ROW_OF(STANDING, standing_twice, MALFORMED),
        ROW_OF(STANDING, standing_name, MALFORMED),
        ROW_OF(STANDING, standing_no_release, MALFORMED),
        ROW_OF(STANDING, standing_reserved, MALFORMED),
        ROW_OF(STANDING, standing_count, MALFORMED),
};

static void test_reasons(void)
{
	spoil_judge(spoils, sizeof(spoils) / sizeof(spoils[0]));
}

int main(void)
{
	test_reasons();
	return 0;
}
