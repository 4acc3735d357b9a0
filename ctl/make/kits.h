#pragma once
/*
 * The directory in which releases are made, SERVICE-N.kit each; of `luctl dev`, SERVICE-N.dev.kit.
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
int kits_write(const char *into, const struct kit_dir *kit, bool for_dev, char **ret_path);

/* How many kits of `luctl dev` stay, of a service. */
#define KITS_DEV_KEPT 8
/*
 * Calls fn with the release id (hex) of each kit of the service that `luctl dev` made, but for the newest KITS_DEV_KEPT, and
 * removes those for which it says so. What cannot be read stays.
 */
typedef bool (*kits_old_fn)(const char *id, void *arg);
void kits_remove_old(const char *into, const char *service, kits_old_fn fn, void *arg);
