/* IRQ hooks: one per line, numbered by the line. A line stays masked from its interrupt until its
 * owner enables it. */
#include "osd/kernel/object/irq.h"
#include "osd/kernel/object/domain.h"

struct hook {
	uint16_t number; /* of the slot, which may move */
	bool is_used;
	uint8_t bit; /* cookie: bit in the notification */
};

static struct hook hooks[N_IRQ_LINES];

static bool irq_is_of(const struct hook *hook, const struct slot *slot)
{
	return hook->is_used && hook->number == slot->number;
}

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
	if (hooks[line].is_used && hooks[line].number != slot->number) {
		return E_BUSY;
	}
	hooks[line] = (struct hook){(uint16_t)slot->number, true, (uint8_t)bit};
	*ret_hook = line;
	return E_OK;
}

err_t irq_enable(struct slot *slot, uint32_t hook)
{
	if (hook >= irq_lines() || !irq_is_of(&hooks[hook], slot)) {
		return E_INVAL;
	}
	arch_irq_unmask(hook);
	return E_OK;
}

static void irq_unhook(uint32_t line)
{
	arch_irq_mask(line);
	hooks[line] = (struct hook){0};
}

void irq_release(struct slot *slot)
{
	for (uint32_t i = 0; i < irq_lines(); i++) {
		if (irq_is_of(&hooks[i], slot)) {
			irq_unhook(i);
		}
	}
}

/* Does the one behind the slot that has the hook run in the domain, which does not have the line? */
static bool irq_is_beyond(uint32_t line, const struct domain *domain)
{
	const struct instance *instance;

	if (!hooks[line].is_used) {
		return false;
	}
	instance = slot_at(hooks[line].number)->instance;
	return instance->space->domain == domain && !instance->is_uncommitted &&
	       !privileges_have_line(&domain->privileges, line);
}

void irq_review(const struct domain *domain)
{
	for (uint32_t i = 0; i < irq_lines(); i++) {
		if (irq_is_beyond(i, domain)) {
			irq_unhook(i);
		}
	}
}

struct slot *irq_line_slot(uint32_t line, uint32_t *ret_bit)
{
	if (line >= N_IRQ_LINES || !hooks[line].is_used) {
		return NULL;
	}
	*ret_bit = hooks[line].bit;
	return slot_at(hooks[line].number);
}

uint32_t irq_hooks_free_count(void)
{
	uint32_t n_free = 0;

	for (uint32_t i = 0; i < irq_lines(); i++) {
		n_free += !hooks[i].is_used;
	}
	return n_free;
}
