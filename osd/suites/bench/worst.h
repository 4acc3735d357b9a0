#pragma once
/* The longest calls that there are, and how late alarms are meanwhile: see worst.c. */
#include "osd/suites/bare/bare.h"

void worst_measure(void);
/* Of these, where hundreds wait for one: see worst_crowds.c. */
void worst_crowds(void);
/* And where there are thousands of threads: see worst_many.c. */
void worst_many(void);

/* For these: frames that nobody takes back, a list of all that a space has, and a few who wait for one that ends. */
paddr_t worst_frames(uint32_t n);
void worst_list(space_t space);
void worst_waiting(void);
