/* I/O ports of the caller's ranges. */
#include "osd/kernel/call/call.h"

static err_t check_port(const struct instance *self, uint64_t port, uint64_t width)
{
	const struct slot_privileges *p = &self->slot->privileges;

	if ((width != 1 && width != 2 && width != 4) || port + width > 0x10000 || port > 0xffff) {
		return E_INVAL;
	}
	for (unsigned int i = 0; i < p->n_io; i++) {
		if (port >= p->io[i].first && port + width - 1 <= p->io[i].last) {
			return E_OK;
		}
	}
	return E_PERM;
}

err_t do_port_in(struct instance *self, const uint64_t *args)
{
	err_t r = check_port(self, args[0], args[1]);

	if (r == E_OK) {
		arch_context_result2_set(
		        &self->context, arch_port_in((uint16_t)args[0], (uint32_t)args[1]));
	}
	return r;
}

err_t do_port_out(struct instance *self, const uint64_t *args)
{
	err_t r = check_port(self, args[0], args[1]);

	if (r == E_OK) {
		arch_port_out((uint16_t)args[0], (uint32_t)args[1], (uint32_t)args[2]);
	}
	return r;
}
