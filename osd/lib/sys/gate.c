/* Not transferred: the successor has a gate page of its own, and its start code says where. */
#include "osd/lib/sys/gate.h"

vaddr_t sys_gate STATE_SKIP;
