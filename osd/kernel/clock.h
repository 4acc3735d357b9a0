#pragma once
/* Alarms and the timer: tickless, one deadline per CPU. */
#include "osd/kernel/slot.h"

void clock_init(void);
/*
 * Notify the slot from EP_CLOCK at a time (at once if past); 0 cancels. The alarm before goes, and
 * with it a notification of it that has not been received.
 */
void alarm_set(struct slot *slot, nsec_t at);
/* The timer fires at this time at the latest. */
void clock_arm(nsec_t at);
