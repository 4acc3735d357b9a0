#pragma once
/*
 * Places where a test may end lud, one before and one after every write of a job's
 * step. hook_none.c makes them nothing; hook_test.c, linked into lud_test only, ends
 * the process by SIGKILL at the place that SAMSARA_DIE_AT names: STEP.PHASE, or halts
 * it, once, by SIGSTOP at the place that SAMSARA_STOP_AT names.
 */
struct event_base;

/* phase: "begin" recorded, not done; "did" done, not recorded; "end" recorded. */
void hook_point(const char *step, const char *phase);

/* Serves events until the loop is broken; lud_test calls check between any two turns of it, where everything has to be right. */
void hook_loop(struct event_base *base, void (*check)(void *arg), void *arg);
