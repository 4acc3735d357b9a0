#pragma once
/* What the fake machine shows to tests. */
#include "osd/kernel/object/slot.h"

extern nsec_t fake_now, fake_timer_at; /* the clock stands still unless a test moves it */
extern char fake_log[4096];            /* what was written to the log */
extern size_t n_fake_log;
