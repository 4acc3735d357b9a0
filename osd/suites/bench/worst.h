#pragma once
/* The longest calls that there are, and how late alarms are meanwhile: see worst.c. */
void worst_measure(void);
