/*
 * The clock is the TSC, scaled by a multiplication. It and the local timer are measured against the
 * PIT, whose frequency is known, when the machine starts: anew, as often as it takes, when the host
 * stopped the machine meanwhile. The PIT counts 16 bits and wraps every 55 ms, so a measurement of
 * 10 ms that a stop fell into can look like one of any frequency.
 */
#include "osd/arch/x86_64/irq/time.h"
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/irq/apic.h"
#include "osd/arch/x86_64/x86.h"

#define PIT_HZ 1193182ull
#define PIT_COMMAND 0x43
#define PIT_CHANNEL0 0x40
#define PIT_RATE_0 0x34        /* channel 0: both bytes, rate generator */
#define PIT_LATCH_0 0x00       /* channel 0: hold the count to be read */
#define CALIBRATE_TICKS 11932u /* 10 ms */
#define STEP_TICKS 8u          /* a step's pace is known to an eighth and better */
#define STEPS_MIN 4u           /* of a measurement, so that one can be compared with others */
#define N_MEASUREMENTS 1000u   /* then there is no clock */
#define N_SAMPLES 8u
#define SCALE_SHIFT 32

static uint64_t tsc_khz, tsc_start, tsc_scale; /* nsec = cycles * scale >> SCALE_SHIFT */

/* Channel 0 as a free-running 16-bit down-counter. */
static void time_pit_start(void)
{
	port_out8(PIT_COMMAND, PIT_RATE_0);
	port_out8(PIT_CHANNEL0, 0);
	port_out8(PIT_CHANNEL0, 0);
}

static uint16_t time_pit_count(void)
{
	uint8_t low;

	port_out8(PIT_COMMAND, PIT_LATCH_0);
	low = port_in8(PIT_CHANNEL0);
	return (uint16_t)(low | port_in8(PIT_CHANNEL0) << 8);
}

static uint64_t time_khz_of(uint64_t cycles, uint32_t pit_ticks)
{
	return cycles * PIT_HZ / pit_ticks / 1000;
}

/*
 * A measurement this near to a multiple of 10 MHz is that multiple: the error
 * of reading the PIT is larger.
 */
static uint64_t time_khz_rounded(uint64_t khz)
{
	uint64_t nearest = (khz + 5000) / 10000 * 10000;
	uint64_t distance = khz > nearest ? khz - nearest : nearest - khz;

	return nearest != 0 && distance * 5000 < khz ? nearest : khz;
}

/* The three clocks at one moment. */
struct sample {
	uint64_t tsc;
	uint64_t doubt; /* TSC cycles between which the others were read */
	uint32_t timer;
	uint16_t pit;
};

/*
 * The surest of a few samples: a host that runs something else for a while, or an interrupt to the
 * machine's management, shows as a long doubt.
 */
static struct sample time_sample(void)
{
	struct sample best = {.doubt = UINT64_MAX};

	for (unsigned int i = 0; i < N_SAMPLES; i++) {
		struct sample s = {.tsc = arch_cycles()};

		s.pit = time_pit_count();
		s.timer = apic_timer_count();
		s.doubt = arch_cycles() - s.tsc;
		if (s.doubt < best.doubt) {
			best = s;
		}
	}
	return best;
}

/* TSC cycles for ticks of the PIT. */
struct pace {
	uint64_t cycles;
	uint32_t ticks;
};

static bool time_pace_is_higher(struct pace a, struct pace b)
{
	return a.cycles * b.ticks > b.cycles * a.ticks;
}

/*
 * One measurement. False: the machine stood still so long that the PIT wrapped unseen, once in 55
 * ms. In such a step the TSC seems to run at least twice as fast as in the others, of which there
 * must be some.
 */
static bool time_measure(void)
{
	struct pace lowest = {UINT32_MAX, 1}, highest = {0, 1};
	struct sample first, last;
	uint32_t ticks = 0, n_steps = 0;

	apic_timer_arm(UINT32_MAX);
	time_pit_start();
	first = last = time_sample();
	while (ticks < CALIBRATE_TICKS) {
		struct sample next = time_sample();
		struct pace pace = {next.tsc - last.tsc, (uint16_t)(last.pit - next.pit)};

		if (pace.ticks < STEP_TICKS) {
			continue;
		}
		lowest = time_pace_is_higher(lowest, pace) ? pace : lowest;
		highest = time_pace_is_higher(pace, highest) ? pace : highest;
		last = next;
		ticks += pace.ticks;
		n_steps++;
	}
	tsc_khz = time_khz_rounded(time_khz_of(last.tsc - first.tsc, ticks));
	apic_timer_calibrated(time_khz_rounded(time_khz_of(first.timer - last.timer, ticks)));
	apic_timer_arm(0);
	highest.cycles = highest.cycles * 5 / 8;
	return n_steps >= STEPS_MIN && time_pace_is_higher(lowest, highest);
}

/* tsc_khz is 0 afterwards if no measurement succeeds. */
static void time_calibrate(void)
{
	for (unsigned int i = 0; i < N_MEASUREMENTS; i++) {
		if (time_measure()) {
			return;
		}
	}
	tsc_khz = 0;
}

void time_init(void)
{
	time_calibrate();
	if (tsc_khz == 0 || apic_timer_khz() == 0) {
		panic("no usable clock");
	}
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
