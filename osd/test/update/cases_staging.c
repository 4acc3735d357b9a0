/* The staging store, and what is refused before a transaction begins. */
#include "osd/test/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"

#define N_BYTES 96 /* places at which an envelope is changed */

static void case_chunks(void)
{
	uint8_t hash[RS_HASH_LEN] = {1, 2, 3}, bytes[100] = {0};
	uint64_t held = 0;

	tap_case("staging goes on where it stopped");
	CHECK_EQUAL(stage_append(hash, 0, bytes, 10, &held), E_NOTFOUND);
	CHECK_EQUAL(stage_begin(hash, 0, &held), E_INVAL);
	CHECK_EQUAL(stage_begin(hash, 100, &held), E_OK);
	CHECK_EQUAL(stage_append(hash, 10, bytes, 10, &held), E_INVAL);
	CHECK_EQUAL(stage_append(hash, 0, bytes, 60, &held), E_OK);
	CHECK_EQUAL(held, 60);
	CHECK_EQUAL(stage_append(hash, 0, bytes, 60, &held), E_OK);
	CHECK_EQUAL(held, 60);
	CHECK_EQUAL(stage_append(hash, 60, bytes, 41, &held), E_INVAL);
	CHECK_EQUAL(stage_begin(hash, 99, &held), E_INVAL);
	CHECK_EQUAL(stage_begin(hash, 100, &held), E_OK);
	CHECK_EQUAL(held, 60);

	tap_case("staged bytes with another hash are refused and dropped");
	CHECK_EQUAL(stage_append(hash, 60, bytes, 40, &held), E_V_HASH);
	CHECK_EQUAL(stage_drop(hash), E_NOTFOUND);
}

static void case_full(void)
{
	uint8_t hash[RS_HASH_LEN] = {4};
	struct rs_resources before = rs_resources();
	uint64_t held, frames = rs_frames();

	tap_case("a full staging store says so");
	CHECK_EQUAL(stage_begin(hash, before.staging_budget + 1, &held), E_STORE_FULL);
	CHECK_EQUAL(stage_begin(hash, before.staging_budget / 2, &held), E_OK);
	hash[0] = 5;
	CHECK_EQUAL(stage_begin(hash, before.staging_budget, &held), E_STORE_FULL);
	hash[0] = 4;
	CHECK_EQUAL(stage_drop(hash), E_OK);
	CHECK_EQUAL(rs_resources().staged_bytes, before.staged_bytes);
	CHECK_EQUAL(rs_frames(), frames);
}

static void case_incomplete(void)
{
	struct offer offer = *offer_find("first");
	struct rs_result result;
	uint8_t byte;
	err_t total = rs_blob(offer.blob, HOOK_PAYLOAD, 0, &byte, 1);
	uint64_t held = 0;

	tap_case("what is not staged, or not wholly, is refused");
	CHECK_EQUAL(update_begin(&offer, NULL, NULL), E_OK);
	result = update_wait(update_last_id());
	CHECK_EQUAL(result.outcome, RS_OUTCOME_REFUSED);
	CHECK_EQUAL(result.err, E_NOTFOUND);
	CHECK_EQUAL(stage_begin(offer.payload, (uint64_t)total, &held), E_OK);
	CHECK_EQUAL(stage_append(offer.payload, 0, &byte, 1, &held), E_OK);
	CHECK_EQUAL(update_begin(&offer, NULL, NULL), E_OK);
	result = update_wait(update_last_id());
	CHECK_EQUAL(result.err, E_INCOMPLETE);
	CHECK_EQUAL(stage_drop(offer.payload), E_OK);
}

void cases_staging(void)
{
	case_chunks();
	case_full();
	case_incomplete();
}

static void refuse_one(const struct offer *given)
{
	static struct offer offer;
	struct rs_service before = {0}, after = {0};
	struct rs_result result;

	offer = *given;
	tap_case(offer.name);
	stage_offer(&offer);
	CHECK(rs_service("assist", &before));
	CHECK_EQUAL(update_begin(&offer, NULL, NULL), E_OK);
	result = update_wait(update_last_id());
	CHECK_EQUAL(result.outcome, RS_OUTCOME_REFUSED);
	CHECK_EQUAL(result.err, offer.expected);
	CHECK_EQUAL(result.step, RS_STEP_VERIFY);
	CHECK(rs_service("assist", &after));
	CHECK_EQUAL(after.generation, before.generation);
	CHECK_EQUAL(after.base, before.base);
}

/* One byte of a good envelope changed, in many places: each time refused, whatever the reason. */
static void case_bytes(void)
{
	static struct offer offer;
	uint32_t n_accepted = 0;

	tap_case("an envelope with any one byte changed is refused");
	stage_offer(offer_find("first"));
	offer = *offer_find("first");
	for (uint32_t i = 0; i < N_BYTES; i++) {
		uint32_t at = i * (offer.envelope_bytes / N_BYTES) + i % 7;
		struct rs_result result;

		offer.envelope[at] ^= (uint8_t)(1u << i % 8);
		CHECK_EQUAL(update_begin(&offer, NULL, NULL), E_OK);
		result = update_wait(update_last_id());
		offer.envelope[at] ^= (uint8_t)(1u << i % 8);
		n_accepted += result.outcome != RS_OUTCOME_REFUSED || result.err > E_V_FORMAT;
	}
	CHECK_EQUAL(n_accepted, 0);
}

/* Every offer whose name begins with "refused" is refused for the reason that the runner expects.
 */
void cases_refusals(void)
{
	const struct offer *offer;

	for (uint32_t n = 0; (offer = offer_at(n)) != NULL; n++) {
		if (strncmp(offer->name, "refused", 7) == 0) {
			refuse_one(offer);
		}
	}
	case_bytes();
	stage_drop_all();
}
