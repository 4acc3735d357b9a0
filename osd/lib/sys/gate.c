#include "osd/lib/sys/gate.h"

vaddr_t sys_gate STATE_SKIP;
