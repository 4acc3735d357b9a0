/*
 * load: keeps DS busy and checks every answer. Arguments: load_keys=N load_bytes=N, how many keys
 * and how long their values are; load_pause=N stops after N operations, so that a benchmark finds a
 * quiet, known state.
 */
#include "osd/suites/load/priv.h"

#include <stdlib.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/sys.h"

static const struct sef_callbacks callbacks = {0};

static uint64_t argument(const char *key, uint64_t otherwise)
{
	char text[24];

	return sef_argument(key, text, sizeof(text)) ? strtoull(text, NULL, 10) : otherwise;
}

static bool step(uint64_t draw)
{
	uint32_t n = (uint32_t)(draw >> 16) % shadow_n_keys();

	switch (draw & 31) {
	case 0:
		return operation_resubscribe();
	case 1:
		return operation_count();
	case 2 ... 4:
		return operation_delete(n);
	case 5 ... 16:
		return operation_publish(n);
	default:
		return operation_retrieve(n);
	}
}

/*
 * An answer that is wrong because DS was restarted is no error: the state
 * was lost, and we were told.
 */
static bool step_checked(uint64_t draw)
{
	return step(draw) || (restart_was_seen() && operation_after_restart());
}

static void idle(void)
{
	struct message msg;

	for (;;) {
		sef_receive(&msg);
	}
}

int main(void)
{
	uint64_t pause;

	sef_startup(&callbacks);
	pause = argument("load_pause", 0);
	shadow_start((uint32_t)argument("load_keys", 400), (uint32_t)argument("load_bytes", 120));
	figures_done(operation_start());
	for (uint32_t n = 0; n < shadow_n_keys(); n++) {
		figures_done(operation_publish(n));
	}
	for (;;) {
		if (pause != 0 && figures_n() >= pause) {
			idle();
		}
		figures_done(step_checked(sys_random()));
	}
}
