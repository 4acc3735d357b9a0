#pragma once
/* How long luctl waits, and Ctrl-C. One of each for the program, as there is one command line. */
#include <stdbool.h>
#include <stdint.h>

/* From now on Ctrl-C does not end luctl by itself: a wait ends, and wait_is_interrupted() says so. */
void wait_for_interrupt(void);
/* Whether Ctrl-C was pressed since then. */
bool wait_is_interrupted(void);

/*
 * From now on luctl waits no longer than so long for an answer, whatever it is that it waits for; the first call
 * counts.
 */
void wait_limit(uint32_t msec);
/* What was given to it; 0: nothing. */
uint32_t wait_limit_msec(void);
/* How much of it is left, at most `most`; `most` where there is no limit; 0: it is over. */
int wait_left_msec(int most);

int64_t wait_now_msec(void);
