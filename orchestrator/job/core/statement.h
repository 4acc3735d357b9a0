#pragma once
/*
 * Starting statements: what the record knows of a machine's services and a reboot would make the
 * machine forget (floors, newest generations), signed by the order key.
 */
#include "orchestrator/job/core/job.h"

/* Gets the envelope, alive until it returns, or the failure. */
typedef void (*statement_fn)(
        const struct failure *failure, const uint8_t *envelope, size_t size, void *arg);
/*
 * Has a statement made from the record and signed. fn is called once: at once where none can be
 * made, else later.
 */
void statement_ask(struct engine *engine, struct machine *machine, statement_fn fn, void *arg);
/* Whoever waits with this arg is not called any more; NULL: nobody is. */
void statement_forget(struct engine *engine, const void *arg);
/* Sends one to a machine; one that is still being signed for it is given up. */
void statement_send(struct engine *engine, struct machine *machine);
