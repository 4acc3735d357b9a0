#pragma once
/* What the fake machine shows to tests. */
#include <setjmp.h>

#include "osd/kernel/object/slot.h"

extern nsec_t fake_now, fake_timer_at; /* the clock stands still unless a test moves it */
extern char fake_log[4096];            /* what was written to the log */
extern size_t n_fake_log;
extern uint32_t fake_n_cpus; /* 1, unless a test says otherwise */
extern uint32_t fake_woken;  /* bit n: CPU n was to look */
/* Where the kernel goes when it leaves, by arch_resume() or arch_idle(), which set the CPU's current; NULL: nowhere. */
extern jmp_buf *fake_leaves;
