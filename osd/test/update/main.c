/* The update suite's order. See priv.h. */
#include "osd/lib/sef/sef.h"
#include "osd/test/update/priv.h"

static const struct sef_callbacks callbacks = {0};

static void build_state(void)
{
	struct assist_reply reply;

	tap_case("assist builds state of every kind");
	CHECK_EQUAL(assist_ask(ASSIST_BUILD, 42, 300, &reply), E_OK);
	CHECK(assist_checksum() != 0);
}

int main(void)
{
	sef_startup(&callbacks);
	build_state();
	cases_staging();
	cases_refusals();
	cases_updates();
	cases_prepare();
	cases_rollback();
	cases_kills();
	cases_many();
	cases_crashes();
	tap_end();
}
