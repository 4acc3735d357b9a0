#pragma once
/* From the boot image to the table of services; see osd/abi/boot.h for what the image holds. */
#include "osd/abi/start.h"

/*
 * Read the boot image; start what depends on nothing. Panics on a boot image that is not
 * well-formed.
 */
void boot_begin(const struct start_info *start);
