#pragma once
/*
 * The running update, as the rest of RS sees it: what comes in for it (events, messages, time), and
 * what others must know while it runs. It is begun and ended by orders; see order.h.
 */
#include "osd/abi/calls.h"
#include "osd/abi/message.h"
#include "osd/servers/rs/trust/trust.h"

/* The number of the running transaction; number 0: none runs. Of epoch 0: RS's own. */
struct trust_number update_running(void);
/*
 * Begin to move a service into another layout of the release that it runs, whose kit this is: a
 * transaction of RS's own, without events, which gives way to orders. E_BUSY: a transaction runs.
 * E_V_RELEASE: the service runs another release. Errors of verification.
 */
__must_check err_t update_move(const char name[SERVICE_NAME_LEN], struct trust_variant *kit);
/* Does a transaction of RS's own run (a prepare check, a move) that has not come to the switch? */
bool update_gives_way(void);
/* Then it ends. */
void update_give_way(const char *why);
/* What a move needs at most from the switch on, as a rule: when to ask again. */
#define UPDATE_MOVE_MS 20
/* Does such a move run? */
bool update_is_moving(void);
/* How the last move ended, when none runs. */
const struct rs_result *update_moved(void);
/*
 * Is the slot behind this endpoint held? A copy through its grants
 * would make RS wait for itself.
 */
bool update_is_holding(endpoint_t endpoint);
/* Work on steps that wait for nobody. Call after every message, when its reply is on its way. */
void update_run(void);
/* Was this event one of a transaction's instances, and dealt with? */
bool update_event(const struct slot_event *event);
/* SEF_PREPARE_REFUSED */
void update_refused(const struct message *msg);
/* The kernel notified, and all its events have been taken. */
void update_signal(nsec_t now);
void update_tick(nsec_t now);
nsec_t update_next_deadline(void);
/* All limits of the running transaction run on by so much. */
void update_extend(nsec_t by);
