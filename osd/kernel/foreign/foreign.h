#pragma once
/*
 * Foreign threads: programs that make another system's calls. Each `syscall` of one becomes a message
 * to the server that its personality names, and the answer one register.
 */
#include "osd/kernel/object/slot.h"

/*
 * The running instance, which is foreign, made a system call: it waits for the answer, or, where nobody
 * is there to give one, for its supervisor. sched_run() follows.
 */
void foreign_call(struct instance *self);
/* The call that the instance waits in ends for this reason; its supervisor is told. */
void foreign_call_unanswered(struct instance *instance, err_t reason);
/* End the call that the instance waits in; nobody is told. E_STATE: it is in none. */
err_t foreign_call_end(struct instance *instance);

/* May this slot say where calls of the personality go? E_INVAL: there is none; E_PERM: another's. */
err_t personality_check_owner(uint32_t personality, endpoint_t owner);
/* They go there from now on, all of which are EP_NONE or live; none: the personality is free. */
void personality_set(uint32_t personality, endpoint_t owner, const endpoint_t *routes, uint32_t n);
bool personality_is_set(uint32_t personality);
/* Who answers this call; EP_NONE: nobody. */
endpoint_t personality_route(uint32_t personality, uint64_t number);
