#pragma once
/* Stubs of the requests to a byte-channel driver. */
#include "osd/abi/chardev.h"
#include "osd/lib/request/stub.h"

/* The one service that drives a byte channel. */
#define RANK_chardev RANK_virtio_console

#define REQUEST STUB
#include "osd/abi/chardev.def"
#undef REQUEST
