#pragma once
/*
 * The seam where a test build of RS does harm: called whenever a transaction enters a step.
 * hook_none.c is what ships; hook_test.c ends one of the instances at a step that the boot command
 * line or a test request names.
 */
struct update_txn;

void hook_step(struct update_txn *txn);
