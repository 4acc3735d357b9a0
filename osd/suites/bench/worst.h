#pragma once
/* The longest calls that there are, and how late alarms are meanwhile: see worst.c. */
void worst_measure(void);
/* Of these, where hundreds wait for one: see worst_crowds.c. */
void worst_crowds(void);
