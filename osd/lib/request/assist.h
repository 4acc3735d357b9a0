#pragma once
/* Stubs of the requests to assist. */
#include "osd/abi/assist.h"
#include "osd/lib/request/stub.h"

#define REQUEST STUB
#include "osd/abi/assist.def"
#undef REQUEST
