#pragma once
/* The other CPUs: see smp.c. */
#include "osd/abi/types.h"

/* Start them, one after the other. They wait for the kernel's lock, which the caller has from now on. */
void smp_start(paddr_t rsdp);
