#pragma once
/*
 * The time in which lud counts (store_now_usec()): unix time, but it goes on evenly when somebody sets the
 * host's clock, until everything that waits was moved along in the record, in one transaction. So a wait, a soak or a
 * deadline that is a duration stays one, and what is named by the clock, such as a window or `hold --until`, follows it.
 */
#include "orchestrator/store/schema.h"

/*
 * Takes up the time of the last run from the record: a clock that was set since is noticed by the first
 * store_clock_look(), as long as the host was not booted meanwhile. After another boot only a clock that was put back
 * behind what the record has seen can be told from time that passed.
 */
int __must_check store_clock_begin(struct db *db);
/*
 * Compares the host's clock with the one that nobody sets. If it was set, all that is open is moved by as much, and
 * store_now_usec() says the new time from then on. ret_usec: by how much, 0: it was not. Where the record cannot be
 * written, nothing changes.
 */
int __must_check store_clock_look(struct db *db, int64_t *ret_usec);
