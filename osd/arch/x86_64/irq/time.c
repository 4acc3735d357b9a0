/*
 * The clock is the TSC, scaled by a multiplication. How fast it runs, and how fast the local timer
 * does, is measured when the machine starts (calibrate.c).
 */
#include "osd/arch/x86_64/irq/time.h"
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/irq/apic.h"
#include "osd/arch/x86_64/irq/calibrate.h"

#define SCALE_SHIFT 32

static uint64_t tsc_khz, tsc_start, tsc_scale; /* nsec = cycles * scale >> SCALE_SHIFT */

void time_init(void)
{
	struct calibrate_rates rates;

	if (!calibrate(&rates)) {
		panic("no usable clock");
	}
	apic_timer_calibrated(rates.timer_khz);
	tsc_khz = rates.tsc_khz;
	tsc_scale = (1000000ull << SCALE_SHIFT) / tsc_khz;
	tsc_start = arch_cycles();
}

nsec_t arch_clock(void)
{
	return (nsec_t)((unsigned __int128)(arch_cycles() - tsc_start) * tsc_scale >> SCALE_SHIFT);
}

nsec_t arch_cycles_nsec(uint64_t cycles)
{
	return (nsec_t)((unsigned __int128)cycles * tsc_scale >> SCALE_SHIFT);
}

uint64_t arch_clock_khz(void)
{
	return tsc_khz;
}

void arch_timer_set(nsec_t at)
{
	nsec_t now = arch_clock();
	uint64_t ticks;

	if (at == UINT64_MAX) {
		apic_timer_arm(0);
		return;
	}
	/* Longer than a second fires early; clock_interrupt arms again. */
	ticks = at <= now ? 0 : at - now > 1000000000ull ? 1000000000ull : at - now;
	ticks = ticks * apic_timer_khz() / 1000000;
	apic_timer_arm(ticks == 0 ? 1 : ticks);
}
