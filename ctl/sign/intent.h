#pragma once
/*
 * What a person asked for, held against the order that lud proposes for it. A control key signs
 * what was asked and nothing else: lud is not trusted with what destroys.
 */
#include "proto/control/control.pb-c.h"
#include "proto/envelope/envelope.h"

/*
 * Why this order is not to be signed for this request; NULL: it is what was asked for. order has
 * passed order_manifest_check(). now: unix seconds. Which machine a name stands for only lud knows:
 * see known.h.
 */
const char *intent_refusal(
        const Control__Request *asked, const struct order_manifest *order, uint64_t now);
/* The machine that was named; "": it was left to lud. */
const char *intent_machine(const Control__Request *asked);
