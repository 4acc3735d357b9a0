/* Which calls may be made before a commit, from calls.def. */
#include "osd/kernel/object/rights.h"
#include "osd/abi/calls.h"

enum kcall_rights { RIGHTS_ALL, RIGHTS_UNCOMMITTED, RIGHTS_MASK };

#define KCALL(number, name, kind, arguments, rights, ...)                                          \
	| (RIGHTS_##rights == RIGHTS_UNCOMMITTED ? 1ull << ((number) - KCALL_BASE) : 0)
const uint64_t kcall_mask_uncommitted = 0
#include "osd/abi/calls.def"
        ;
#undef KCALL
