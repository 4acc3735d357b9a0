#pragma once
/* What ACPI's tables say of the machine: see acpi.c. */
#include <stdint.h>
#include "osd/abi/types.h"

/* The local APICs of CPUs that can be started, up to n of them; returns their number, 0: there is no such table. */
uint32_t acpi_cpus(paddr_t rsdp, uint8_t *ids, uint32_t n);
