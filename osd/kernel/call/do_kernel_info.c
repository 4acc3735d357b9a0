/* Which kernel this is: its version, and the id that the linker made of its bytes. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"

err_t do_kernel_info(struct instance *self, const uint64_t *args)
{
	struct kernel_info info = {.version = KERNEL_VERSION};

	_Static_assert(sizeof(KERNEL_VERSION) <= sizeof(info.version), "the version ends with a 0");
	__builtin_memcpy(info.build_id, arch_kernel_build_id(), sizeof(info.build_id));
	return user_write(self, args[0], &info, sizeof(info));
}
