#pragma once
/*
 * Standing orders: that a machine shall give its services new layouts by itself, and how often. What
 * a person wants is a row of the record; what the machine has is made to agree with it, after each
 * boot, before an order ends, under a newer root, and when its services run other releases. The kits
 * that its services need are staged with it.
 */
#include "orchestrator/job/core/core.h"
#include "orchestrator/store/machines.h"

/* NULL: the machine took it; else why not: of the code STANDING_LATER, it will. */
#define STANDING_LATER "later"
typedef void (*standing_fn)(const struct failure *failure, void *arg);
/*
 * Records what is wanted of a machine, and has the machine told. fn is called once, later; not at
 * all where this fails: the record could not be written; nor where it gives STANDING_E_LATER: it is
 * recorded, the machine is not up, and is told as soon as it is.
 */
#define STANDING_E_LATER 1
int __must_check standing_want(struct engine *engine, struct machine *machine,
        const struct standing_row *want, standing_fn fn, void *arg);
/* Whoever waits with this arg is not called any more; NULL: nobody is, and nothing is sent. */
void standing_forget(struct engine *engine, const void *arg);
/* Is one on its way to the machine that somebody waits for, and whom another one would tell that it was ended? */
bool standing_is_awaited(const struct engine *engine, const struct machine *machine);
/* Looks at what a machine that is up has, and renews it where that is due. True: it has what is wanted, or nothing is known. */
bool standing_look(struct engine *engine, struct machine *machine);
/* Has a machine that is up another one than is wanted? ret_failure says why. */
bool standing_is_amiss(
        struct engine *engine, const struct machine *machine, struct failure *ret_failure);
/* Is nothing that is wanted to move let move now? ret_shut: by what the first of it is not. */
bool standing_is_kept(const struct engine *engine, const struct machine *machine,
        const struct standing_row *row, struct rules_gate *ret_shut);

/* standing_watch.c: when which machine is looked at; freed before the machines */
struct standing_watches *standing_watches_new(struct engine *engine);
struct standing_watches *standing_watches_free(struct standing_watches *watches);
/* A machine came up, or another order is wanted of it: it is looked at from now on, if it has or had one. */
void standing_watch(struct engine *engine, struct machine *machine);
/* It is to be removed. */
void standing_unwatch(struct engine *engine, struct machine *machine);
/*
 * Those of which the last look, some seconds ago at most, said that they have another one than is wanted, or which were not
 * looked at yet, by name: standing_is_amiss() says what is so now. After one of them; NULL: the first.
 */
struct machine *standing_amiss_next(const struct engine *engine, const struct machine *after);
/* Asserts that both lists are what a walk over all machines finds; for tests. */
void standing_watches_check(const struct engine *engine);
