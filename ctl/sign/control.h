#pragma once
/*
 * The control key of a person, for orders that destroy: whether it is here, and what it signs.
 */
#include <stdbool.h>

#include "ctl/cmdline/cmdline.h"
#include "proto/control/control.pb-c.h"

/*
 * True when it can be used on this host. Asked before lud is, so that no job is made which would
 * wait for a signature that cannot come.
 */
bool control_is_at_hand(const struct options *options);
/*
 * Print what an order would do, sign it and send the signature to lud. False: it is not what was
 * asked for, or cannot be signed; the reason was printed, and lud was asked to end the job.
 */
bool control_sign(const struct options *options, const Control__Request *asked,
        const Control__Progress *news);
