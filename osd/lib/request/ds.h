#pragma once
/* Stubs of the requests to DS, and of the event that it sends to subscribers. */
#include "osd/abi/ds.h"
#include "osd/lib/request/stub.h"

#define REQUEST STUB
#include "osd/abi/ds.def"
#undef REQUEST
