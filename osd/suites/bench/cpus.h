#pragma once
/* What several CPUs cost and bring: see cpus.c. */
void cpus_measure(void);
