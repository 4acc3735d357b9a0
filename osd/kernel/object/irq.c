/* IRQ hooks: one per line, numbered by the line. A line stays masked from its interrupt until its
 * owner enables it. */
#include "osd/kernel/object/irq.h"

struct hook {
	struct slot *slot; /* NULL: free */
	uint32_t bit;      /* cookie: bit in the notification */
};

static struct hook hooks[N_IRQ_LINES];

static uint32_t irq_lines(void)
{
	uint32_t n_lines = arch_irq_lines();

	return n_lines < N_IRQ_LINES ? n_lines : N_IRQ_LINES;
}

void irq_init(void)
{
	for (uint32_t i = 0; i < irq_lines(); i++) {
		arch_irq_mask(i);
	}
}

err_t irq_hook(struct slot *slot, uint32_t line, uint32_t bit, uint32_t *ret_hook)
{
	if (line >= irq_lines() || bit >= 64) {
		return E_INVAL;
	}
	if (hooks[line].slot != NULL && hooks[line].slot != slot) {
		return E_BUSY;
	}
	hooks[line] = (struct hook){slot, bit};
	*ret_hook = line;
	return E_OK;
}

err_t irq_enable(struct slot *slot, uint32_t hook)
{
	if (hook >= irq_lines() || hooks[hook].slot != slot) {
		return E_INVAL;
	}
	arch_irq_unmask(hook);
	return E_OK;
}

void irq_release(struct slot *slot)
{
	for (uint32_t i = 0; i < irq_lines(); i++) {
		if (hooks[i].slot == slot) {
			arch_irq_mask(i);
			hooks[i] = (struct hook){0};
		}
	}
}

struct slot *irq_line_slot(uint32_t line, uint32_t *ret_bit)
{
	if (line >= N_IRQ_LINES || hooks[line].slot == NULL) {
		return NULL;
	}
	*ret_bit = hooks[line].bit;
	return hooks[line].slot;
}

uint32_t irq_hooks_free_count(void)
{
	uint32_t n_free = 0;

	for (uint32_t i = 0; i < irq_lines(); i++) {
		n_free += hooks[i].slot == NULL;
	}
	return n_free;
}
