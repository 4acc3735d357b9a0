#pragma once
/* Alarms of slots. */
#include "osd/kernel/object/slot.h"

/* This CPU has no alarms yet. */
void alarms_init(void);
/*
 * Notify the slot from EP_CLOCK at a time (at once if past); 0 cancels. The alarm before goes, and
 * with it a notification of it that has not been received.
 */
void alarm_set(struct slot *slot, nsec_t at);
/* When the next alarm of this CPU is due; TIMER_NEVER: there is none. */
nsec_t alarm_next(void);
/* Notify everybody whose alarm, of this CPU, is due. */
void alarms_fire(nsec_t now);
