/* Between the files of this room: what was foreseen, and new objects by class. */
#pragma once

#include "osd/lib/state/heap/old_heap.h"

/* batch.c */
/* The class of a site's objects in old slots of this stride; *ret is NULL if it is not known
 * before each object is. False: STATE_E_SCRATCH. */
bool state_batch_get(struct state_report *r, struct state_site *site, uint32_t old_stride,
        bool is_array, struct state_batch **ret);
/* Take batch->n places into an array of as many; NULL: there is no memory for it. */
enum state_code state_batch_fill(
        struct state_report *r, struct state_batch *batch, uint64_t places[]);
/* One of the places. There is one. */
uint64_t state_batch_deal(struct state_heap *h, struct state_batch *batch);

/* forecast.c */
/* Take over what was foreseen of a page whose run is checked; its batch counts what was not. False:
 * nothing was. */
bool state_forecast_meet(const struct state_heap *h, uint64_t page, struct state_run *run);
/* All pages have been met: what is left was in vain. */
void state_forecast_end(struct state_heap *h);
