/* The update suite's order. See priv.h. */
#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/suites/update/priv.h"

static const struct sef_callbacks callbacks = {0};

static void build_state(void)
{
	struct assist_reply reply;

	tap_case("assist builds state of every kind");
	CHECK_EQUAL(assist_ask(ASSIST_BUILD, 42, 300, &reply), E_OK);
	CHECK(assist_checksum() != 0);
}

/*
 * The boot command line says which part of the suite runs: `part=services`,
 * else everything about assist.
 */
int main(void)
{
	char part[16];

	sef_startup(&callbacks);
	if (sef_argument("part", part, sizeof(part)) && strcmp(part, "services") == 0) {
		cases_services();
		tap_end();
	}
	if (sef_argument("part", part, sizeof(part)) && strcmp(part, "damaged") == 0) {
		cases_damaged();
		tap_end();
	}
	build_state();
	if (sef_argument("part", part, sizeof(part)) && strcmp(part, "orders") == 0) {
		cases_orders();
		tap_end();
	}
	if (sef_argument("part", part, sizeof(part)) && strcmp(part, "layouts") == 0) {
		cases_layouts();
		cases_proof();
		tap_end();
	}
	if (sef_argument("part", part, sizeof(part)) && strcmp(part, "standing") == 0) {
		cases_standing();
		tap_end();
	}
	if (sef_argument("part", part, sizeof(part)) && strcmp(part, "no-kits") == 0) {
		cases_no_kits();
		tap_end();
	}
	cases_staging();
	cases_refusals();
	cases_updates();
	cases_trust(); /* before the first crash: what RS makes then is told to nobody */
	cases_prepare();
	cases_events();
	cases_rollback();
	cases_commit_fails();
	cases_kills();
	cases_many();
	cases_crashes();
	tap_end();
}
