#pragma once
/* Interrupt controllers and the local timer: see apic.c. */
#include <stdint.h>

/* All controllers, and this CPU's local one; the local one of another CPU, by itself. */
void apic_init(void);
void apic_cpu_init(void);
/* Of this CPU. */
uint32_t apic_id(void);
/* What can be sent to another CPU: these, or a vector. */
#define IPI_NMI 0x400u
#define IPI_INIT 0x500u
#define IPI_BEGIN 0x600u /* and the number of the page */
void apic_ipi(uint32_t id, uint32_t what);

void apic_timer_arm(uint64_t ticks);
uint32_t apic_timer_count(void);
void apic_timer_calibrated(uint64_t khz);
uint64_t apic_timer_khz(void);
void apic_end_of_interrupt(void);
