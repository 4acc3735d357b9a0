#pragma once
/*
 * The standing order: which services RS moves into new layouts by itself, and when. One counts at a
 * time. main.c calls standing_run() behind update_run() and sets its alarm by
 * standing_next_deadline(); requests come by rs.def.
 */
#include "osd/abi/rs.h"
#include "osd/abi/types.h"

/* Note how the last move ended, and begin the next one that is due. */
void standing_run(void);
/* When standing_run() has something to do at the latest; NSEC_NEVER: nothing. */
nsec_t standing_next_deadline(void);
/* The machine stood still: moves that were to come are due so much later. Its end stays. */
void standing_extend(nsec_t by);
