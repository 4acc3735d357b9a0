/*
 * The TSC and the local timer are measured against the PIT, whose frequency is known: anew, as often
 * as it takes, when the host stopped the machine meanwhile. The PIT counts 16 bits and wraps every
 * 55 ms, so a measurement of 10 ms that a stop fell into can look like one of any frequency; and the
 * timer, armed once for as long as it can run, stands at 0 after a stop of some seconds.
 *
 * The hardware is behind pit.h and apic.h, so that the tests can stop a machine at every reading.
 */
#include "osd/arch/x86_64/irq/calibrate.h"
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/irq/apic.h"
#include "osd/arch/x86_64/irq/pit.h"

#define MEASURE_TICKS 11932u /* 10 ms of the PIT */
#define STEP_TICKS 8u        /* a step's pace is known to an eighth and better */
#define STEPS_MIN 4u         /* of a measurement, so that one can be compared with others */
#define N_MEASUREMENTS 1000u /* then there is no clock */
#define N_SAMPLES 8u

static uint64_t calibrate_khz(uint64_t cycles, uint32_t pit_ticks)
{
	return cycles * PIT_HZ / pit_ticks / 1000;
}

/*
 * A measurement this near to a multiple of 10 MHz is that multiple: the error
 * of reading the PIT is larger.
 */
static uint64_t calibrate_khz_rounded(uint64_t khz)
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
static struct sample calibrate_sample(void)
{
	struct sample best = {.doubt = UINT64_MAX};

	for (unsigned int i = 0; i < N_SAMPLES; i++) {
		struct sample s = {.tsc = arch_cycles()};

		s.pit = pit_count();
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

static bool calibrate_is_higher(struct pace a, struct pace b)
{
	return a.cycles * b.ticks > b.cycles * a.ticks;
}

/*
 * One measurement. False: the machine stood still, either so long that the PIT wrapped unseen, once in
 * 55 ms, or so long that the timer ran out. A step in which the PIT wrapped makes the TSC seem to run
 * at least twice as fast as in the others, of which there must be some.
 */
static bool calibrate_measure(struct calibrate_rates *rates)
{
	struct pace lowest = {UINT32_MAX, 1}, highest = {0, 1};
	struct sample first, last;
	uint32_t ticks = 0, n_steps = 0;

	apic_timer_arm(UINT32_MAX);
	pit_start();
	first = last = calibrate_sample();
	while (ticks < MEASURE_TICKS) {
		struct sample next = calibrate_sample();
		struct pace pace = {next.tsc - last.tsc, (uint16_t)(last.pit - next.pit)};

		if (pace.ticks < STEP_TICKS) {
			continue;
		}
		lowest = calibrate_is_higher(lowest, pace) ? pace : lowest;
		highest = calibrate_is_higher(pace, highest) ? pace : highest;
		last = next;
		ticks += pace.ticks;
		n_steps++;
	}
	rates->tsc_khz = calibrate_khz_rounded(calibrate_khz(last.tsc - first.tsc, ticks));
	rates->timer_khz = calibrate_khz_rounded(calibrate_khz(first.timer - last.timer, ticks));
	highest.cycles = highest.cycles * 5 / 8;
	return last.timer != 0 && n_steps >= STEPS_MIN && calibrate_is_higher(lowest, highest);
}

bool calibrate(struct calibrate_rates *rates)
{
	struct calibrate_rates measured;
	bool is_measured = false;

	for (unsigned int i = 0; i < N_MEASUREMENTS && !is_measured; i++) {
		is_measured = calibrate_measure(&measured) && measured.timer_khz != 0;
	}
	apic_timer_arm(0);
	if (is_measured) {
		*rates = measured;
	}
	return is_measured;
}
