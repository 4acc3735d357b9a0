#pragma once
/*
 * The update suite: a service that drives RS through every way an update can go, in a machine whose
 * RS is the test build. tests/update/run makes the boot image: its blob "offers" holds signed
 * envelopes, other blobs the variants.
 */
#include "osd/abi/assist.h"
#include "osd/abi/errors.h"
#include "osd/abi/hook.h"
#include "osd/abi/rs.h"
#include "proto/envelope/manifest.h"

#define NSEC_MSEC UINT64_C(1000000)
/* Three heartbeats of assist (100 ms), and one before the first. */
#define HANG_NOTICED (500 * NSEC_MSEC)

/* One record of the blob "offers"; written by tests/update/run. */
#define OFFER_ENVELOPE_MAX 3840
struct offer {
	char name[32];
	char blob[SERVICE_NAME_LEN]; /* boot entry with payload and description */
	char service[SERVICE_NAME_LEN];
	uint32_t envelope_bytes;
	int32_t expected; /* error that RS answers with */
	uint8_t payload[RS_HASH_LEN], description[RS_HASH_LEN];
	uint64_t generation; /* to be ordered */
	uint8_t seed[RS_SEED_LEN];
	uint8_t envelope[OFFER_ENVELOPE_MAX];
};
_Static_assert(sizeof(struct offer) == 4096, "a record as the runner writes it");

/* offer.c */
/* The record with this name, until the next call; the suite ends when there is none. */
const struct offer *offer_find(const char *name);
/* The n-th record. NULL: there are not so many. */
const struct offer *offer_at(uint32_t n);

/* drive.c: talking to RS and assist. */
err_t rs_ask(uint32_t type, struct rs_request request, struct rs_reply *ret_reply);
/* The same, with memory granted for the time of the request. */
err_t rs_ask_with(uint32_t type, void *memory, uint32_t bytes, uint32_t access,
        struct rs_request request, struct rs_reply *ret_reply);
/* Bytes of a boot entry's part; returns how many the part has in all, or an error. */
err_t rs_blob(const char *name, enum hook_part part, uint64_t offset, void *ret_bytes, uint32_t n);
void rs_arm(enum rs_step step, enum hook_who who, enum hook_how how);
/* Was the last harm done? Disarms. */
bool rs_harm_was_done(void);
/* Crash a service. */
void rs_kill(const char *name);
bool rs_service(const char *name, struct rs_service *ret_service);
struct rs_resources rs_resources(void);
/* Frames that are free or hold page tables: tables of a space stay until it ends. */
uint64_t rs_frames(void);
/* The number that the next event gets. */
uint64_t rs_events_next(void);

err_t stage_append(const uint8_t hash[RS_HASH_LEN], uint64_t offset, const void *bytes, uint32_t n,
        uint64_t *ret_held);
err_t stage_begin(const uint8_t hash[RS_HASH_LEN], uint64_t total, uint64_t *ret_held);
err_t stage_drop(const uint8_t hash[RS_HASH_LEN]);
/* Stage what an offer and its kit name, unless it is staged. */
void stage_offer(const struct offer *offer);
/* The kit of a boot entry, as a later release of the same bytes: above the floor of the entries. */
struct kit_manifest kit_of(const char *entry);
/* Stage description and flat kit of the kit of a boot entry, unless they are staged. */
void stage_kit(const char *blob, const struct kit_manifest *kit);
void stage_drop_all(void);

struct ask {
	bool is_prepare_only;
	const char *state; /* NULL: the service's own */
	/* NULL, or the offer that runs: consent to what is lost on the way from there. */
	const char *from;
	nsec_t prepare, transfer, total;
};
/* Have the offer's variant admitted. */
err_t offer_admit(const struct offer *offer);
/* Have it admitted, and order it under the next number; *ret_reply may be NULL. */
err_t update_begin(const struct offer *offer, const struct ask *ask, struct rs_reply *ret_reply);
/* The same with a number of the caller's. */
err_t update_begin_as(uint64_t transaction, const struct offer *offer, const struct ask *ask,
        struct rs_reply *ret_reply);
uint64_t update_last_id(void);
uint64_t update_next_id(void);
/* Ask whether assist could be prepared now; the number of the answer. */
err_t check_begin(const char *state, uint64_t *ret_number);
struct rs_result check_wait(uint64_t number);
/* Check as soon as that is allowed again, and wait. */
struct rs_result check_run(const char *state);
/* Ask assist again and again until the transaction is over. */
struct rs_result update_wait(uint64_t transaction);
/* Stage, begin, wait. What is refused at once has no result: the answer is made up. */
struct rs_result update_run(const char *offer, const struct ask *ask);

err_t assist_ask(uint32_t type, uint64_t a, uint64_t b, struct assist_reply *ret_reply);
/* Add 1 to assist's counter; the answer must be the next number. */
void assist_count_up(void);
uint64_t assist_checksum(void);
/* Where a function of assist lies. It says so itself: of a layout that RS made nobody else does. */
uint64_t assist_place(void);
/* Wait until a restarted assist answers, and until this time has passed. */
void assist_settle(void);
/* The same for any service. */
void service_settle(const char *name);
void pause_for(nsec_t nsec);
nsec_t longest_gap(void);

/* tap.c */
void tap_case(const char *name); /* a new case: what is checked from here on belongs to it */
_Noreturn void tap_end(void);    /* the plan; switch the machine off */
void tap_check(bool is_good, const char *what, uint64_t value, const char *file, int line);
#define CHECK(condition) tap_check(condition, #condition, 0, __FILE_NAME__, __LINE__)
#define CHECK_EQUAL(value, wanted)                                                                 \
	({                                                                                         \
		uint64_t value_ = (uint64_t)(value);                                               \
		tap_check(value_ == (uint64_t)(wanted), #value " == " #wanted, value_,             \
		        __FILE_NAME__, __LINE__);                                                  \
	})

/* cases_*.c */
void cases_orders(void);
void cases_staging(void);
void cases_refusals(void);
void cases_updates(void);
void cases_prepare(void);
void cases_trust(void);
void cases_rollback(void);
void cases_commit_fails(void);
void cases_kills(void);
void cases_crashes(void);
void cases_many(void);
void cases_services(void);
void cases_events(void);
void cases_layouts(void);
void cases_proof(void);
void cases_standing(void);
void cases_no_kits(void);
void cases_damaged(void);
