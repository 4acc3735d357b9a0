#pragma once
/* Asking again, on another connection, for an answer that was lost on the way: what may be, how often, and for how long. */
#include <stdbool.h>
#include <stdint.h>

#include "proto/control/control.pb-c.h"

#define AGAIN_ID_SIZE 48u

/* Over all losses of one client. Belongs to it, zeroed at first. */
struct again {
	unsigned int n_tries; /* connections since one that lasted */
	int64_t lost_msec;    /* the first of these losses, by wait_now_msec() */
	int64_t opened_msec;  /* the newest connection */
	char id[AGAIN_ID_SIZE];
};

/*
 * Whether it may be asked again: it changes nothing, or has an id under which lud carries it out once, or is over with the first
 * time. Not what lasts as long as its connection, and streams, whose readers know where they were.
 */
bool again_may(const Control__Request *request);
/* Whether it has to have an id for that. */
bool again_needs_id(const Control__Request *request);
/* A fresh id, which lives as long as *again. */
char *again_id(struct again *again);

/* There is a connection. */
void again_opened(struct again *again);
/* It was lost, which is told. */
void again_begin(struct again *again, const char *name, const char *why);
/* Wait a little, or until Ctrl-C. True: the try that follows is the last one. */
bool again_pause(struct again *again);
/* Of a request that was asked again: lud is still busy with the first time. */
bool again_is_under_way(const struct again *again, const Wire__Error *error);
