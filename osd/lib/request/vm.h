#pragma once
/* Stubs of the requests to VM; its endpoint is always EP_VM. */
#include "osd/abi/vm.h"
#include "osd/lib/request/stub.h"

#define REQUEST STUB
#include "osd/abi/vm.def"
#undef REQUEST
