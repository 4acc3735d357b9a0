#pragma once
/* The clock: see time.c. */

/* Calibrate the TSC and the local timer against the PIT; needs apic_init. */
void time_init(void);
