#pragma once
/* Interrupt controllers and the local timer: see apic.c. */
#include <stdint.h>

void apic_init(void);
void apic_timer_arm(uint64_t ticks);
uint32_t apic_timer_count(void);
void apic_timer_calibrated(uint64_t khz);
uint64_t apic_timer_khz(void);
void apic_end_of_interrupt(void);
