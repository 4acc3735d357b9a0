#pragma once
/*
 * The seam where a test build of RS does harm. hook_none.c is what ships; hook_test.c ends one of
 * the instances at a step that a test names, and shows tests what else the boot image carries.
 */
#include "osd/abi/hook.h"
#include "osd/servers/rs/base/handler.h"

struct update_txn;

/* Called whenever a transaction has entered a step. */
void hook_step(const struct update_txn *txn);
/* Before an operation of the commit: an error that stands in for the operation's, or E_OK. */
err_t hook_commit(enum hook_operation operation);
/* Bytes of heap to back for a new instance, of which RS thinks that it needs so many. */
uint64_t hook_heap_bytes(uint64_t bytes);
/* A quiescent state that only a test may name. E_UNSUPPORTED: there is none. */
err_t hook_state(const char *name, uint32_t *ret_state);
/* Requests that are in no row of the table. */
err_t hook_request(const struct message *msg, struct rs_reply *ret_reply);
