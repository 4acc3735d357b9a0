/*
 * The calibration on a machine that is stopped at each of its readings, for times from which the PIT
 * comes back wrapped any number of times and the timer run out: the rates are right all the same.
 */
#undef NDEBUG
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "osd/arch/arch.h"
#include "osd/arch/x86_64/irq/apic.h"
#include "osd/arch/x86_64/irq/calibrate.h"
#include "osd/arch/x86_64/irq/pit.h"

#define TSC_KHZ UINT64_C(2500000)
#define TIMER_KHZ UINT64_C(1000000)
#define READING_CYCLES 12500u /* 5 us */
#define MSEC_CYCLES TSC_KHZ
#define N_READINGS_MAX 10000000u /* of all measurements there may be */

uint64_t fake_cycles; /* the TSC, which is the machine's time as well */

static uint64_t pit_from, timer_from;
static uint32_t n_readings, stop_at, stop_until, seed;
static uint64_t stop_cycles;
static uint32_t timer_stuck_at;
static bool timer_is_stuck;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

/* Each touch of the hardware takes its time, and the machine is stopped in it, once or until the host lets it run. */
static void reading(void)
{
	n_readings++;
	assert(n_readings < N_READINGS_MAX);
	fake_cycles += READING_CYCLES;
	if (n_readings == stop_at) {
		fake_cycles += stop_cycles;
	} else if (n_readings < stop_until && draw(100) == 0) {
		fake_cycles += draw(2) ? draw(200) * MSEC_CYCLES : draw(6000) * MSEC_CYCLES;
	}
}

void pit_start(void)
{
	reading();
	pit_from = fake_cycles;
}

uint16_t pit_count(void)
{
	reading();
	return (uint16_t)(0 - (fake_cycles - pit_from) * PIT_HZ / (TSC_KHZ * 1000));
}

void apic_timer_arm(uint64_t ticks)
{
	assert(ticks == 0 || ticks == UINT32_MAX);
	reading();
	timer_from = fake_cycles;
}

uint32_t apic_timer_count(void)
{
	uint64_t ticks;

	reading();
	ticks = (fake_cycles - timer_from) * TIMER_KHZ / TSC_KHZ;
	if (timer_is_stuck) {
		return timer_stuck_at;
	}
	return ticks > UINT32_MAX ? 0 : (uint32_t)(UINT32_MAX - ticks);
}

static void expect_right(void)
{
	struct calibrate_rates rates = {0, 0};

	n_readings = 0;
	if (!calibrate(&rates) || rates.tsc_khz != TSC_KHZ || rates.timer_khz != TIMER_KHZ) {
		fprintf(stderr,
		        "stopped at reading %" PRIu32 " for %" PRIu64 " cycles, or until %" PRIu32
		        ", seed %" PRIu32 ": %" PRIu64 " and %" PRIu64 " kHz\n",
		        stop_at, stop_cycles, stop_until, seed, rates.tsc_khz, rates.timer_khz);
		assert(false);
	}
}

/* Once, at each reading of a measurement. */
static void test_one_stop(void)
{
	static const uint64_t msec[] = {
	        1, 40, 54, 55, 56, 110, 4280, 4285, 4290, 4294, 4295, 4300, 60000};
	uint32_t n_undisturbed;

	expect_right();
	n_undisturbed = n_readings;
	for (size_t i = 0; i < sizeof(msec) / sizeof(msec[0]); i++) {
		stop_cycles = msec[i] * MSEC_CYCLES;
		for (stop_at = 1; stop_at <= n_undisturbed; stop_at++) {
			expect_right();
		}
	}
	stop_at = 0;
}

/* Again and again, until the host lets it run. */
static void test_many_stops(void)
{
	for (uint32_t i = 0; i < 1000; i++) {
		stop_until = 500 + 20 * i;
		seed = i;
		expect_right();
	}
	stop_until = 0;
}

/* A timer that never counts is no clock, and the search for one ends. */
static void test_no_timer(uint32_t stuck_at)
{
	struct calibrate_rates rates = {1, 2};

	n_readings = 0;
	timer_is_stuck = true;
	timer_stuck_at = stuck_at;
	assert(!calibrate(&rates) && rates.tsc_khz == 1 && rates.timer_khz == 2);
	timer_is_stuck = false;
}

int main(void)
{
	test_one_stop();
	test_many_stops();
	test_no_timer(0);
	test_no_timer(UINT32_MAX);
	return 0;
}
