#pragma once
/* Random abuse: shared by the tests that do it. */
#include "osd/suites/kcall/kcall.h"

uint64_t random_next(uint64_t *state);
/* Choose, print and return the seed of a test. */
uint64_t seed_choose(void);

/*
 * A child's function: random calls for ever; shared->w[127] counts them.
 * argument: its random state.
 */
void abuse_main(uint64_t argument);
/*
 * Rights of such a child: no messages to driver and VM; is_root: a
 * supervisor's and driver's calls.
 */
void abuser_privileges(const struct child *child, bool is_root);
