#pragma once
/* Inside order: what the making of an order shares with its second signature. */
#include "orchestrator/job/order/order.h"

/*
 * Puts the keyring's root and a signed part together as ->order_envelope, and takes the date of
 * expiry from it. -EBADMSG: they do not fit; the root may have been renewed meanwhile.
 */
int __must_check job_order_assemble(struct job *job, const void *part, size_t part_size);
