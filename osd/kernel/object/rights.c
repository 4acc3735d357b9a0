/* Which calls have which rights, made from calls.def. */
#include "osd/kernel/object/rights.h"
#include "osd/abi/calls.h"

enum kcall_rights { RIGHTS_ALL, RIGHTS_UNCOMMITTED, RIGHTS_MASK };

#define RIGHTS_BIT(wanted, number, rights)                                                         \
	| (RIGHTS_##rights == (wanted) ? 1ull << ((number) - KCALL_BASE) : 0)

#define KCALL(number, name, kind, arguments, rights, ...) RIGHTS_BIT(RIGHTS_ALL, number, rights)
const uint64_t kcall_mask_all = 0
#include "osd/abi/calls.def"
        ;
#undef KCALL

#define KCALL(number, name, kind, arguments, rights, ...)                                          \
	RIGHTS_BIT(RIGHTS_UNCOMMITTED, number, rights)
const uint64_t kcall_mask_uncommitted = 0
#include "osd/abi/calls.def"
        ;
#undef KCALL

#define KCALL(number, name, kind, arguments, rights, ...) RIGHTS_BIT(RIGHTS_MASK, number, rights)
const uint64_t kcall_mask_given = 0
#include "osd/abi/calls.def"
        ;
#undef KCALL
