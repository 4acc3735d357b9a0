#pragma once
/* A keyring of its own for each test program, in a directory that goes with it. */
#include "proto/envelope/envelope.h"

#define TEST_NOW UINT64_C(1800000000)
#define TEST_DAY UINT64_C(86400)

/* The directory, and the keyring in it: made at TEST_NOW, for 365 days. */
extern char test_dir[64];
extern char test_ring[128];

void test_setup(void);
void test_teardown(void);

/* A file of the keyring. */
void test_path(char ret_path[256], const char *name);

/* Remove a keyring; nothing may be in it that keyring_create() did not make. */
void test_ring_remove(const char *ring);

/* A manifest that a release key signs. */
void test_kit(struct kit_manifest *ret_kit);
