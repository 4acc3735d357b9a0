#pragma once
/*
 * The control socket: luctl and other clients ask here. Who may: root, the user lud
 * runs as, and one more user that the configuration names, as the kernel tells them
 * (SO_PEERCRED). What a client may make lud hold for it has limits.
 */
#include "orchestrator/job/engine/engine.h"

struct control;

/* Takes the place of a stale socket; refuses when another lud answers there. */
int __must_check control_new(struct event_base *base, struct engine *engine,
        struct control **ret_control, struct failure *ret_failure);
/* The configuration changed. */
void control_reloaded(struct control *control);
/* Says Bye to every client and removes the socket. */
struct control *control_free(struct control *control);
