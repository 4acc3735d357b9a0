#pragma once
/* Stubs of the requests to RS; a service finds its endpoint in the start page (supervisor). */
#include "osd/abi/rs.h"
#include "osd/lib/request/stub.h"

#define REQUEST STUB
#include "osd/abi/rs.def"
#undef REQUEST
