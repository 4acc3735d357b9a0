#pragma once
/* Stubs of the requests to tty. */
#include "osd/abi/tty.h"
#include "osd/lib/request/stub.h"

#define REQUEST STUB
#include "osd/abi/tty.def"
#undef REQUEST
