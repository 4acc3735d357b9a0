#pragma once
/* Random calls and supervisor's actions on the kernel's objects (core_play.c), and what tests of single cases (core_test.c) use of it. */
#include "osd/kernel/object/slot.h"

#define N_TEST 8u      /* slots that play */
#define N_STEPS 40000u /* at most, which messages are counted for */
#define SUPERVISOR 1u  /* of all others */
#define TYPE 0x700u    /* of messages; none of the kernel's own */

/* The frame in which the space of each slot lies; those behind them are for tests of their own. */
#define N_OBJECTS 64u
#define FRAME(number) ((1 + (number)) * PAGE_SIZE)
extern paddr_t object_of[N_OBJECTS];
/* And its domain; these are behind those of all the spaces that there can be. */
#define DOMAIN_FRAME(number) FRAME(N_SPACES + N_OBJECTS + (number))
extern paddr_t domain_of[N_OBJECTS];

extern uint64_t next_message; /* the number that the next one carries */

/* All slots open, in random states from this seed on. */
void play_init(uint64_t seed);
/* One call, or one action, and what follows from it. */
void play_step(void);
void check_all(void);
void open_slot(uint32_t number);
/* Whole, however many pieces it takes; close_slot() has the space closed, too. */
void close_whole(struct slot *slot);
void close_slot(uint32_t number);
