#pragma once
/*
 * The directory in which releases are made, SERVICE-N.kit each.
 */
#include "ctl/base/base.h"
#include "host/kit/renew.h"

/* Make the directory, with those above it. CTL_OK, or the reason was printed. */
int kits_prepare(const char *into);
/*
 * The highest number that a kit of the service has there, by what it says and by what it is called;
 * 0: there is none. CTL_OK, or the reason was printed.
 */
int kits_highest(const char *into, const char *service, uint32_t *ret_number);
/*
 * Write a kit from memory, readable for everybody, under its place, where nothing may be yet. CTL_OK:
 * *ret_path is the caller's.
 */
int kits_write(const char *into, const struct kit_dir *kit, char **ret_path);
