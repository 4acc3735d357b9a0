#pragma once
/*
 * Recovery of services that are in no transaction: fresh restart, crash-loop limit, heartbeats.
 * main.c calls recover_tick() and sets its alarm by recover_next_deadline().
 */
#include "osd/servers/rs/life/service.h"

/* The cause of an end when too many signs of life are missing. */
#define RECOVER_SILENT "no sign of life"

/*
 * The instance behind a service ended or must end: start afresh behind the same endpoint, or give
 * up. err and text say why, in the journal. The service is not in UPDATING: its transaction comes
 * first.
 */
void recover_crash(struct service *service, err_t err, const char *text);
/*
 * Start afresh on request; the crash count does not move. E_PERM: the kernel loaded it. E_NOTFOUND:
 * there is nothing to start. E_BUSY: a transaction has it. E_STATE: it is starting; errors of
 * instance_create() when it was down.
 */
__must_check err_t recover_restart(struct service *service);
/* A fresh instance said that it has initialised itself. */
void recover_started(struct service *service);
/* (Re)start the heartbeat of a service that is up. */
void recover_heartbeat_arm(struct service *service, nsec_t now);
/*
 * Ask for a sign of life when it is time to. False: too many were not answered; what follows is the
 * caller's: a crash, or the end of the transaction that the service takes part in.
 */
__must_check bool recover_watch(struct service *service, nsec_t now);
/*
 * Ask a service that runs for a sign of life, now; whether it gives one is told in its status. RS
 * and VM give one by the status itself, which RS makes and asks VM for.
 */
void recover_ping(struct service *service, nsec_t now);
/* Start deadlines, retries, and heartbeats of services outside of a transaction. */
void recover_tick(nsec_t now);
/* SEF_PONG: the sender is alive. */
void recover_pong(const struct message *msg);
/* The first of all limits of services; NSEC_NEVER: none runs. */
nsec_t recover_next_deadline(void);
/* All limits of services run on by so much. */
void recover_extend(nsec_t by);
