#pragma once
/* Alarms of slots. */
#include "osd/kernel/object/slot.h"

/* No CPU has alarms yet. */
void alarms_init(void);
/*
 * Notify the slot from EP_CLOCK at a time (at once if past); 0 cancels. The alarm before goes, and
 * with it a notification of it that has not been received.
 */
void alarm_set(struct slot *slot, nsec_t at);
/*
 * Notify those whose alarm, of this CPU, is due, the most urgent first, or as many of them as is quickly
 * done. Return when to go on: with the others soon, or when the next one is due; TIMER_NEVER: there is none.
 */
nsec_t alarms_fire(nsec_t now);
