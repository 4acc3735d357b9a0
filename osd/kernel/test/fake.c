/* The machine behind machine.h, and what else the kernel's objects call. */
#include "osd/kernel/test/fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/arch/frame.h"
#include "osd/kernel/mmu/mmu.h"
#include "osd/kernel/object/rights.h"

struct arch_cpu *fake_cpu;
uint64_t fake_cycles;
uint32_t fake_n_cpus = 1, fake_woken;
jmp_buf *fake_leaves;
nsec_t fake_now, fake_timer_at;
char fake_log[4096];
uint8_t fake_memory[FAKE_FRAMES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint16_t fake_uses[FAKE_FRAMES];
uint16_t *frame_uses = fake_uses;
uint64_t n_frame_uses = FAKE_FRAMES;
size_t n_fake_log;

const uint64_t kcall_mask_uncommitted = 2;

void arch_context_start(struct arch_context *ctx, vaddr_t entry, vaddr_t stack, uint64_t argument)
{
	*ctx = (struct arch_context){.args = {argument}};
	(void)entry;
	(void)stack;
}

void arch_context_fpu_set(struct arch_context *ctx, paddr_t frame)
{
	(void)ctx;
	(void)frame;
}

vaddr_t arch_context_pc(const struct arch_context *ctx)
{
	return ctx->number;
}

nsec_t arch_clock(void)
{
	return fake_now;
}

void arch_timer_set(nsec_t at)
{
	fake_timer_at = at;
}

uint32_t arch_irq_lines(void)
{
	return 8;
}

void arch_irq_mask(uint32_t line)
{
	(void)line;
}

void arch_irq_unmask(uint32_t line)
{
	(void)line;
}

void mmu_init(void)
{
	frame_uses_set(0, FAKE_FRAMES, FRAME_USER);
}

err_t mmu_space_init(struct mmu_space *space, paddr_t root)
{
	*space = (struct mmu_space){.arch.root = root};
	return E_OK;
}

size_t arch_entropy(uint64_t *words, size_t n)
{
	memset(words, 0, n * sizeof(*words));
	return n;
}

void arch_log_write(const char *text, size_t n)
{
	if (n > sizeof(fake_log) - n_fake_log) {
		n = sizeof(fake_log) - n_fake_log;
	}
	memcpy(fake_log + n_fake_log, text, n);
	n_fake_log += n;
}

static _Noreturn void fake_leave(struct arch_context *ctx)
{
	if (fake_leaves == NULL) {
		abort();
	}
	fake_cpu->current = ctx;
	longjmp(*fake_leaves, 1);
}

void arch_resume(struct arch_context *ctx, const struct arch_space *space)
{
	(void)space;
	fake_leave(ctx);
}

void arch_cpu_wake(uint32_t number)
{
	fake_woken |= 1u << number;
}

void arch_cpu_leave(uint32_t number)
{
	(void)number;
	abort();
}

void arch_idle(void)
{
	fake_leave(NULL);
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}
