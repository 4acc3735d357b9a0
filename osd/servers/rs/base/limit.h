#pragma once
/*
 * Time limits of a machine that stood still. A host that is suspended, or a QEMU that
 * is stopped, takes time from everybody in the machine at once: nobody is late then,
 * and no limit may run out. RS notices by its own alarm, which it never sets further
 * ahead than LIMIT_LOOK while a limit runs.
 */
#include "osd/abi/types.h"

/* A limit that does not run. */
#define LIMIT_NEVER UINT64_MAX
#define LIMIT_LOOK UINT64_C(500000000)
#define LIMIT_LATE UINT64_C(1000000000)

/* The alarm to set at `now` for a limit that ends at `next`; LIMIT_NEVER: none runs. */
nsec_t limit_alarm(nsec_t now, nsec_t next);
/*
 * RS looked at its limits at `seen` and set an alarm for `alarm`; now it looks again. By how much
 * must all limits be extended? 0 unless the alarm is more than LIMIT_LATE behind.
 */
nsec_t limit_stopped(nsec_t seen, nsec_t alarm, nsec_t now);
/* A limit that runs on by so much; LIMIT_NEVER stays. */
nsec_t limit_extend(nsec_t limit, nsec_t by);
