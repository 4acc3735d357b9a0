/* The staging store, and what is refused before a transaction begins. */
#include "osd/suites/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"

static void case_unnamed(void)
{
	uint8_t hash[RS_HASH_LEN] = {1, 2, 3};
	struct offer offer = *offer_find("first");
	struct rs_resources before = rs_resources();
	uint64_t held = 0;
	uint8_t byte;
	err_t total = rs_blob(offer.blob, HOOK_PAYLOAD, 0, &byte, 1);

	tap_case("nothing is staged that no admitted variant names");
	CHECK_EQUAL(stage_begin(hash, 100, &held), E_V_UNNAMED);
	CHECK_EQUAL(stage_begin(hash, 0, &held), E_V_UNNAMED);
	CHECK_EQUAL(stage_begin(offer.payload, (uint64_t)total, &held), E_V_UNNAMED);
	CHECK_EQUAL(offer_admit(&offer), E_OK);
	CHECK_EQUAL(stage_begin(offer.payload, (uint64_t)total - 1, &held), E_V_UNNAMED);
	CHECK_EQUAL(rs_resources().staged_bytes, before.staged_bytes);
	CHECK_EQUAL(rs_resources().n_blobs, before.n_blobs);
}

static void case_chunks(void)
{
	enum { CHUNK = 100 };
	static uint8_t bytes[CHUNK + 1];
	struct offer offer = *offer_find("release-2"); /* the machine was not booted with it */
	uint8_t byte;
	err_t total = rs_blob(offer.blob, HOOK_STATE, 0, &byte, 1);
	uint64_t held = 0;

	tap_case("staging goes on where it stopped");
	CHECK_EQUAL(offer_admit(&offer), E_OK);
	CHECK_EQUAL(stage_append(offer.description, 0, bytes, 10, &held), E_NOTFOUND);
	CHECK_EQUAL(stage_begin(offer.description, (uint64_t)total, &held), E_OK);
	CHECK_EQUAL(stage_append(offer.description, 10, bytes, 10, &held), E_INVAL);
	CHECK_EQUAL(stage_append(offer.description, 0, bytes, 60, &held), E_OK);
	CHECK_EQUAL(held, 60);
	CHECK_EQUAL(stage_append(offer.description, 0, bytes, 60, &held), E_OK);
	CHECK_EQUAL(held, 60);
	CHECK_EQUAL(stage_begin(offer.description, (uint64_t)total, &held), E_OK);
	CHECK_EQUAL(held, 60);

	tap_case("staged bytes with another hash are refused and dropped");
	while (held < (uint64_t)total) {
		uint64_t left = (uint64_t)total - held;
		uint32_t n = left < CHUNK ? (uint32_t)left : CHUNK;
		err_t r;

		if (n == left) { /* not a byte more than was signed for */
			r = stage_append(offer.description, held, bytes, n + 1, &held);
			CHECK_EQUAL(r, E_INVAL);
		}
		r = stage_append(offer.description, held, bytes, n, &held);
		CHECK_EQUAL(r, n == left ? E_V_HASH : E_OK);
		if (r != E_OK) {
			break;
		}
	}
	CHECK_EQUAL(stage_append(offer.description, 0, bytes, 10, &held), E_NOTFOUND);
}

/* A request that promises fewer bytes than it grants: the hash must be there as a whole. */
static void case_short(void)
{
	struct offer offer = *offer_find("first");
	uint32_t grant = grant_make(EP_RS, offer.payload, RS_HASH_LEN, GRANT_READ);
	struct rs_request request = {.grant = grant, .bytes = RS_HASH_LEN - 1};
	struct rs_reply reply;

	tap_case("a request names a whole hash");
	CHECK_EQUAL(rs_ask(RS_STAGE_DROP, request, &reply), E_INVAL);
	CHECK_EQUAL(rs_ask(RS_STAGE_CHUNK, request, &reply), E_INVAL);
	grant_revoke(grant);
}

static void case_full(void)
{
	struct offer offer = *offer_find("huge");
	struct rs_resources before = rs_resources();
	uint64_t held, frames = rs_frames();

	tap_case("a full staging store says so");
	CHECK_EQUAL(offer_admit(&offer), E_OK);
	offer.payload[0] ^= 1; /* the hash that was signed: of nothing */
	CHECK_EQUAL(stage_begin(offer.payload, before.staging_budget + 4096, &held), E_STORE_FULL);
	CHECK_EQUAL(rs_resources().staged_bytes, before.staged_bytes);
	CHECK_EQUAL(rs_frames(), frames);
}

static void case_incomplete(void)
{
	struct offer offer = *offer_find("first");
	uint8_t byte;
	err_t total = rs_blob(offer.blob, HOOK_PAYLOAD, 0, &byte, 1);
	uint64_t held = 0;

	tap_case("what is not staged, or not wholly, is refused");
	CHECK_EQUAL(update_begin(&offer, NULL, NULL), E_NOTFOUND);
	CHECK_EQUAL(stage_begin(offer.payload, (uint64_t)total, &held), E_OK);
	CHECK_EQUAL(stage_append(offer.payload, 0, &byte, 1, &held), E_OK);
	CHECK_EQUAL(update_begin(&offer, NULL, NULL), E_INCOMPLETE);
}

void cases_staging(void)
{
	case_unnamed();
	case_chunks();
	case_incomplete();
	case_short();
	case_full();
}

/* The error that the offer ends with: when it is admitted, staged or ordered. */
static err_t offer_try(const struct offer *offer)
{
	uint64_t held;
	uint8_t byte;
	err_t total, r = offer_admit(offer);

	if (r != E_OK) {
		return r;
	}
	total = rs_blob(offer->blob, HOOK_PAYLOAD, 0, &byte, 1);
	r = stage_begin(offer->payload, (uint64_t)total, &held);
	if (r != E_OK) {
		return r;
	}
	total = rs_blob(offer->blob, HOOK_STATE, 0, &byte, 1);
	r = stage_begin(offer->description, (uint64_t)total, &held);
	if (r != E_OK) {
		return r;
	}
	stage_offer(offer);
	return update_begin(offer, NULL, NULL);
}

static void refuse_one(const struct offer *given)
{
	static struct offer offer;
	struct rs_service before = {0}, after = {0};
	uint64_t seen = rs_events_next();

	offer = *given;
	tap_case(offer.name);
	CHECK(rs_service("assist", &before));
	CHECK_EQUAL(offer_try(&offer), offer.expected);
	CHECK_EQUAL(rs_events_next(), seen); /* no trace */
	CHECK(rs_service("assist", &after));
	CHECK_EQUAL(after.generation, before.generation);
	CHECK_EQUAL(after.base, before.base);
}

/*
 * Every offer whose name begins with "refused" is refused for the
 * reason that the runner expects.
 */
void cases_refusals(void)
{
	const struct offer *offer;

	for (uint32_t n = 0; (offer = offer_at(n)) != NULL; n++) {
		if (strncmp(offer->name, "refused", 7) == 0) {
			refuse_one(offer);
		}
	}
	stage_drop_all();
}
