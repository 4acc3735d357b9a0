/*
 * The moves of a machine's phases stand below in words, and every other one must be refused: so a
 * change of the table in state.c is seen here, whichever way it goes. Then what the setter does
 * with a move: which the owner hears of, and what is kept of the reason.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/machine/priv.h"

static const char *const names[_MACHINE_PHASE_N] = {
        [MACHINE_IS_OFF] = "off",
        [MACHINE_IS_LAUNCHED] = "launched",
        [MACHINE_IS_SOUGHT] = "sought",
        [MACHINE_IS_OPEN] = "open",
        [MACHINE_IS_MUTE] = "mute",
        [MACHINE_IS_HUNG] = "hung",
        [MACHINE_IS_ENDING] = "ending",
        [MACHINE_IS_GONE] = "gone",
        [MACHINE_IS_FOREIGN] = "foreign",
};

/* Behind each phase those that may follow. */
static const char *const moves[_MACHINE_PHASE_N] = {
        [MACHINE_IS_OFF] = "launched sought ending gone",
        [MACHINE_IS_LAUNCHED] = "off sought gone foreign",
        [MACHINE_IS_SOUGHT] = "off open mute ending gone foreign",
        [MACHINE_IS_OPEN] = "sought hung",
        [MACHINE_IS_MUTE] = "sought open",
        [MACHINE_IS_HUNG] = "sought open",
        [MACHINE_IS_ENDING] = "off",
        [MACHINE_IS_GONE] = "off launched sought ending",
        [MACHINE_IS_FOREIGN] = "off launched sought ending gone",
};

static void test_moves(void)
{
	for (unsigned int from = 0; from < _MACHINE_PHASE_N; from++) {
		char text[128] = "";

		for (unsigned int to = 0; to < _MACHINE_PHASE_N; to++) {
			if (machine_phase_may_become(from, to)) {
				snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				        *text ? " " : "", names[to]);
			}
		}
		if (strcmp(text, moves[from])) {
			fprintf(stderr, "%s -> %s\n", names[from], text);
		}
		assert(!strcmp(text, moves[from]));
	}
}

static const char *told;

static void on_up(struct machine *machine, void *arg)
{
	told = "up";
}

static void on_silent(struct machine *machine, void *arg)
{
	told = "silent";
}

static void on_down(struct machine *machine, void *arg)
{
	told = "down";
}

/* A move, what the owner hears of it, and the reason that is shown then. */
struct step {
	enum machine_phase to;
	const char *why, *told, *shown;
};

static void test_life(void)
{
	static const struct machines_ops ops = {.up = on_up, .down = on_down, .silent = on_silent};
	static const struct step steps[] = {
	        {MACHINE_IS_LAUNCHED, "", "", ""},
	        {MACHINE_IS_SOUGHT, "first", "", "first"},
	        {MACHINE_IS_OPEN, "", "up", ""},
	        {MACHINE_IS_HUNG, "mute", "silent", "mute"},
	        {MACHINE_IS_OPEN, "", "up", ""},
	        {MACHINE_IS_SOUGHT, "lost", "down", "lost"},
	        {MACHINE_IS_ENDING, "", "", "lost"},
	        {MACHINE_IS_OFF, "", "down", ""},
	        {MACHINE_IS_SOUGHT, "", "", ""},
	        {MACHINE_IS_FOREIGN, "another", "down", "another"},
	        /* Both are shown as down: only the reason is news. */
	        {MACHINE_IS_GONE, "ended", "", "ended"},
	        {MACHINE_IS_GONE, "again", "", "ended"},
	};
	struct machines machines = {.ops = &ops};
	struct machine machine = {.machines = &machines, .row.name = "m"};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		told = "";
		machine_set_phase(&machine, steps[i].to, steps[i].why);
		assert(machine.phase == steps[i].to);
		assert(!strcmp(told, steps[i].told));
		assert(!strcmp(machine_why(&machine), steps[i].shown));
	}
}

int main(void)
{
	test_moves();
	test_life();
	return 0;
}
