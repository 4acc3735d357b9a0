#pragma once
/* Rollouts in the record, with their rings, machines and history. Writers are called inside db_txn(). */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

/* Each fills row->id. */
int __must_check store_rollout_insert(struct db *db, struct rollout_row *row);
int __must_check store_rollout_ring_insert(struct db *db, const struct rollout_ring_row *row);
int __must_check store_rollout_member_insert(struct db *db, const struct rollout_member_row *row);
int __must_check store_rollout_change_insert(struct db *db, const struct rollout_change_row *row);
int __must_check store_rollout_update(struct db *db, const struct rollout_row *row);
int __must_check store_rollout_member_update(struct db *db, const struct rollout_member_row *row);
/* Machines that failed wait, and only jobs after the one that failed count. */
int __must_check store_rollout_member_again(struct db *db, int64_t rollout);

/* DB_E_NONE. */
int __must_check store_rollout_find(struct db *db, int64_t id, struct rollout_row *ret);
/* The newest of a release by a policy. DB_E_NONE. */
int __must_check store_rollout_of(
        struct db *db, int64_t release, const char *policy, struct rollout_row *ret);
/* An open one of the same policy and service, of an earlier release. DB_E_NONE. */
int __must_check store_rollout_older(
        struct db *db, const struct rollout_row *row, struct rollout_row *ret);
/* The newest of a release that a machine is in, and the machine there. DB_E_NONE. */
int __must_check store_rollout_member(struct db *db, int64_t release, int64_t machine,
        struct rollout_row *ret, struct rollout_member_row *ret_member);
int __must_check store_rollout_ring(
        struct db *db, int64_t rollout, uint32_t n, struct rollout_ring_row *ret);

/* Open ones, oldest first. */
typedef int (*store_rollout_fn)(const struct rollout_row *row, void *arg);
int __must_check store_rollout_each_open(struct db *db, store_rollout_fn fn, void *arg);
/* Newest first, up to `limit`; before: an id to page on from, 0: the newest. */
int __must_check store_rollout_page(
        struct db *db, int64_t before, int64_t limit, store_rollout_fn fn, void *arg);
/* Paused ones, and those that were aborted last of their policy and service. */
int __must_check store_rollout_amiss(struct db *db, store_rollout_fn fn, void *arg);
typedef int (*store_rollout_ring_fn)(const struct rollout_ring_row *row, void *arg);
int __must_check store_rollout_ring_each(
        struct db *db, int64_t rollout, store_rollout_ring_fn fn, void *arg);
/* By ring and machine. */
typedef int (*store_rollout_member_fn)(const struct rollout_member_row *row, void *arg);
int __must_check store_rollout_member_each(
        struct db *db, int64_t rollout, store_rollout_member_fn fn, void *arg);
/* Those that were not removed, by machine; after: a machine to page on from, 0: the first. */
int __must_check store_rollout_member_page(struct db *db, int64_t rollout, int64_t after,
        int64_t limit, store_rollout_member_fn fn, void *arg);
typedef int (*store_rollout_change_fn)(const struct rollout_change_row *row, void *arg);
/* The newest ones, oldest first. */
int __must_check store_rollout_change_each(
        struct db *db, int64_t rollout, uint32_t max, store_rollout_change_fn fn, void *arg);
/* Whether it was a person who paused it last. */
int __must_check store_rollout_by_hand(struct db *db, int64_t rollout, bool *ret_is_by_hand);
/* How many users approved of a ring's end. */
int __must_check store_rollout_approvals(
        struct db *db, int64_t rollout, uint32_t ring, int64_t *ret_n);
/* Whether nobody ended a set: one of its services failed, or it was refused or expired as a whole. */
int __must_check store_rollout_set_fell(struct db *db, int64_t set, bool *ret_fell);
/* The newest update of a service of a machine to a release, after a job; one that says something of it first. DB_E_NONE. */
int __must_check store_rollout_job(struct db *db, int64_t machine, const char *service,
        int64_t release, int64_t after, struct job_row *ret);
/*
 * What a machine brings into a rollout, in ->state, ->job and ->after: WELL if the release runs, by the job that brought it;
 * else WAITING. Jobs that ended before say nothing of this rollout.
 */
int __must_check store_rollout_member_brings(
        struct db *db, const struct rollout_row *rollout, struct rollout_member_row *member);

const char *rollout_state_name(enum rollout_state state);
const char *rollout_member_name(enum rollout_member_state state);
const char *rollout_changed_name(enum rollout_changed what);
