/*
 * The messages that the record has, and what it does not keep of them twice. A result says again what other rows have:
 * which release it was, the build, the commitment to the seed and that seed, sealed, which are most of its bytes.
 * Once its job is over they are cut out, and read from there; before a generation goes the result of its job is made whole
 * (once.c).
 */
#include "orchestrator/store/message.h"
#include "proto/control/control.pb-c.h"

#define MESSAGE_SIZE(array) (sizeof(array) / sizeof((array)[0]))

const struct message_shape message_cause = {.of = &wire__cause__descriptor, .table = "job_causes"};

/* In the order in which a machine has them. */
static const char *const message_steps[] = {
        "verify", "create", "pair", "prepare", "switch", "transfer", "commit", "rollback"};
static const struct message_shape message_result_cause = {
        .of = &wire__cause__descriptor, .table = "job_result_causes", .is_part = true};
static const struct message_shape message_result_phase = {
        .of = &machine__phase__descriptor, .table = "job_result_phases", .is_part = true};
static const struct message_part message_result_parts[] = {
        {.field = "cause", .in = &message_result_cause},
        {.field = "phases",
                .in = &message_result_phase,
                .columns = message_steps,
                .n_columns = MESSAGE_SIZE(message_steps)},
        {.field = "removed", .table = "job_result_removals"},
};
static const struct message_read message_result_reads[] = {
        {"service", "coalesce(t.service, j.service)", true},
        {"generation", "coalesce(t.generation, j.generation)", true},
        {"blackout_ns", "coalesce(t.blackout_ns, j.blackout_ns)", true},
        {"release_id", "coalesce(t.release_id, r.release_id)", true},
        {"build_id", "coalesce(t.build_id, v.build_id)", true},
        {"commitment", "coalesce(t.commitment, v.seed_commit)", true},
        {"sealed", "coalesce(t.sealed, v.seed_sealed)", true},
};
const struct message_shape message_result = {
        .of = &machine__result__descriptor,
        .table = "job_results",
        .joins = "JOIN jobs j ON j.id = t.id LEFT JOIN releases r ON r.id = j.release"
                 " LEFT JOIN generations g ON g.id = (SELECT min(id) FROM generations"
                 " WHERE job = j.id AND number = j.generation)"
                 " LEFT JOIN variants v ON v.id = g.variant",
        .reads = message_result_reads,
        .n_reads = MESSAGE_SIZE(message_result_reads),
        .parts = message_result_parts,
        .n_parts = MESSAGE_SIZE(message_result_parts),
};

static const struct message_shape message_finding = {
        .of = &control__finding__descriptor, .table = "job_pairing_findings", .is_part = true};
static const struct message_part message_pairing_parts[] = {
        {.field = "findings", .in = &message_finding}};
const struct message_shape message_pairing = {
        .of = &control__pairing__descriptor,
        .table = "job_pairings",
        .parts = message_pairing_parts,
        .n_parts = MESSAGE_SIZE(message_pairing_parts),
};

static const struct message_shape message_measure_pair = {
        .of = &control__entropy_row__descriptor, .table = "measure_pairs", .is_part = true};
static const struct message_part message_measure_parts[] = {
        {.field = "rows", .in = &message_measure_pair}};
static const struct message_read message_measure_reads[] = {
        {"service", "r.service", false},
        {"release_id", "r.release_id", false},
        {"counter", "r.counter", false},
};
const struct message_shape message_measure = {
        .of = &control__entropy__descriptor,
        .table = "measures",
        .joins = "JOIN releases r ON r.id = t.id",
        .reads = message_measure_reads,
        .n_reads = MESSAGE_SIZE(message_measure_reads),
        .parts = message_measure_parts,
        .n_parts = MESSAGE_SIZE(message_measure_parts),
};

static const struct message_shape message_metric = {
        .of = &machine__metric__descriptor, .table = "service_metrics", .is_part = true};
static const struct message_part message_service_parts[] = {
        {.field = "metrics", .in = &message_metric}};
static const struct message_read message_service_reads[] = {{"name", "s.name", false}};
const struct message_shape message_service = {
        .of = &machine__service__descriptor,
        .table = "service_states",
        .joins = "JOIN services s ON s.id = t.id",
        .reads = message_service_reads,
        .n_reads = MESSAGE_SIZE(message_service_reads),
        .parts = message_service_parts,
        .n_parts = MESSAGE_SIZE(message_service_parts),
};
