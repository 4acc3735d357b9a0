/*
 * The two ends that every wait has, whatever it is for: the time that the person gave it, and Ctrl-C. The handler only
 * notes the signal: without SA_RESTART the call that waits ends, and whoever made it looks here.
 */
#include "ctl/client/wait.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

/* When luctl gives up waiting, by the monotonic clock, and how long that was. */
static int64_t wait_deadline_msec;
static uint32_t wait_given_msec;

/* Never cleared: luctl ends at its next wait. */
static volatile sig_atomic_t wait_interrupted;

int64_t wait_now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void wait_limit(uint32_t msec)
{
	if (!wait_given_msec) {
		wait_given_msec = msec;
		wait_deadline_msec = wait_now_msec() + msec;
	}
}

uint32_t wait_limit_msec(void)
{
	return wait_given_msec;
}

int wait_left_msec(int most)
{
	int64_t left = wait_given_msec ? wait_deadline_msec - wait_now_msec() : most;

	return left <= 0 ? 0 : left < most ? (int)left : most;
}

static void wait_on_interrupt(int signal)
{
	wait_interrupted = 1;
}

void wait_for_interrupt(void)
{
	static const struct sigaction interrupt = {.sa_handler = wait_on_interrupt};

	sigaction(SIGINT, &interrupt, NULL);
}

bool wait_is_interrupted(void)
{
	return wait_interrupted;
}
