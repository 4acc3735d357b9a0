#pragma once
/*
 * The static libraries of a service description, found in the directories of a request.
 */
#include "forge/elf/archive.h"

struct kit_request;
struct service;

/*
 * Append the members that the objects need to them, and a line "library NAME ORIGIN" for each
 * library to the text, ORIGIN as LIBRARY.source beside it says. A library that no directory has is
 * refused by name.
 */
int library_gather(const struct kit_request *request, const struct service *service,
        struct object_list *objects, struct buf *origins);
