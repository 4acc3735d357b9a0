#pragma once
/*
 * An address of an instance, in words. Of a layout that nobody may know it is what lies there, which
 * is the same in every layout of the release:
 *
 *	piece N + OFFSET                              of the kit (line N of its file `names`)
 *	object P.S + OFFSET of site piece N           of the heap: page, slot, and the site's witness
 *	stack, depth BYTES                            from where the stack pointer began
 *
 * Never an address: also a distance is told only from what the address lies in.
 */
#include "osd/servers/rs/base/text.h"
#include "osd/servers/rs/life/instance.h"

/* `slot`: that the instance is behind at the moment. Reads its memory, which is not believed. */
void where_add(struct text *text, const struct instance *instance, const struct binary *binary,
        endpoint_t slot, uint64_t address);
