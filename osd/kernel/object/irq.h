#pragma once
/*
 * Interrupt hooks: a line is delivered to the slot that hooked it, as a
 * notification from EP_HARDWARE.
 */
#include "osd/kernel/object/slot.h"

#define N_IRQ_LINES 64

struct domain;

void irq_init(void);
/*
 * Hook a line for a slot; `ret_hook` numbers the hook. E_INVAL (line),
 * E_BUSY (another slot has it).
 */
err_t irq_hook(struct slot *slot, uint32_t line, uint32_t bit, uint32_t *ret_hook);
/* E_INVAL: not a hook of this slot. */
err_t irq_enable(struct slot *slot, uint32_t hook);
/* Who is told when the line fires, by which bit of the notification; NULL: nobody. */
struct slot *irq_line_slot(uint32_t line, uint32_t *ret_bit);
/*
 * Mask and free the hooks of those who run in the domain, of lines that it does not have. What has not
 * committed keeps its slot's: the old instance may have to have them again.
 */
void irq_review(const struct domain *domain);
/* Mask and free all hooks of a slot. */
void irq_release(struct slot *slot);
uint32_t irq_hooks_free_count(void);
