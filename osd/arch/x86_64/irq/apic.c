/*
 * Interrupt controllers: the local APIC with its one-shot timer, and up to two IOAPICs (microvm has
 * a second one for its virtio slots). Lines are level-triggered: a line that is still high when it
 * is unmasked fires again, so nothing is lost while a driver works. Everything legacy is masked.
 */
#include "osd/arch/x86_64/irq/apic.h"
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/x86.h"

#define LAPIC_PA 0xfee00000ull
#define LAPIC_ID 0x20
#define LAPIC_EOI 0xb0
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_COMMAND 0x300
#define LAPIC_COMMAND_TO 0x310
#define LAPIC_TIMER 0x320
#define LAPIC_LINT0 0x350
#define LAPIC_LINT1 0x360
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_COUNT 0x390
#define LAPIC_TIMER_DIVIDE 0x3e0
#define LAPIC_MASKED (1u << 16)
#define LAPIC_ENABLE (1u << 8)
#define DIVIDE_BY_1 0xbu
#define COMMAND_ASSERT (1u << 14)
#define COMMAND_PENDING (1u << 12)
#define ID_SHIFT 24

#define IOAPIC_PA 0xfec00000ull
#define IOAPIC_STRIDE 0x10000ull
#define N_IOAPICS_MAX 2u
#define IOAPIC_VERSION 1u
#define IOAPIC_LINE 0x10u
#define LINE_LEVEL (1u << 15)
#define LINE_MASKED (1u << 16)
#define IOAPIC_WINDOW 0x10u /* bytes from the select register to the window */

/* The two legacy controllers: mask registers, and all lines. */
#define PIC_MASK_FIRST 0x21
#define PIC_MASK_SECOND 0xa1
#define PIC_ALL 0xff

/* Found at boot, fixed afterwards. Lines are numbered through both IOAPICs. */
static uint32_t n_lines;
static uint32_t ioapic_lines[N_IOAPICS_MAX];
static uint64_t timer_khz;

static volatile uint32_t *apic_local(uint32_t offset)
{
	return (volatile uint32_t *)(KMAP_LAPIC + offset);
}

static void apic_io_select(uint32_t ioapic, uint32_t index)
{
	*(volatile uint32_t *)(KMAP_IOAPIC + ioapic * PAGE_SIZE) = index;
}

static volatile uint32_t *apic_io_window(uint32_t ioapic)
{
	return (volatile uint32_t *)(KMAP_IOAPIC + ioapic * PAGE_SIZE + IOAPIC_WINDOW);
}

static void apic_io_write(uint32_t ioapic, uint32_t index, uint32_t value)
{
	apic_io_select(ioapic, index);
	*apic_io_window(ioapic) = value;
}

/* A line's redirection entry: two registers, of which the upper one says which CPU: this one. */
static void apic_line_write(uint32_t line, uint32_t flags)
{
	uint32_t ioapic = line >= ioapic_lines[0];
	uint32_t pin = ioapic ? line - ioapic_lines[0] : line;

	apic_io_write(ioapic, IOAPIC_LINE + 2 * pin + 1, apic_id() << ID_SHIFT);
	apic_io_write(ioapic, IOAPIC_LINE + 2 * pin, flags | (VECTOR_IRQ_FIRST + line));
}

static void apic_io_init(void)
{
	for (uint32_t i = 0; i < N_IOAPICS_MAX; i++) {
		kmap_device(KMAP_IOAPIC + i * PAGE_SIZE, IOAPIC_PA + i * IOAPIC_STRIDE);
		apic_io_select(i, IOAPIC_VERSION);
		uint32_t version = *apic_io_window(i);
		if (version == UINT32_MAX || version == 0) {
			break;
		}
		ioapic_lines[i] = (version >> 16 & 0xff) + 1;
		n_lines += ioapic_lines[i];
	}
	for (uint32_t line = 0; line < n_lines; line++) {
		apic_line_write(line, LINE_LEVEL | LINE_MASKED);
	}
}

void apic_cpu_init(void)
{
	*apic_local(LAPIC_SPURIOUS) = LAPIC_ENABLE | VECTOR_SPURIOUS;
	*apic_local(LAPIC_LINT0) = LAPIC_MASKED;
	*apic_local(LAPIC_LINT1) = LAPIC_MASKED;
	*apic_local(LAPIC_TIMER_DIVIDE) = DIVIDE_BY_1;
	*apic_local(LAPIC_TIMER) = VECTOR_TIMER;
}

void apic_init(void)
{
	port_out8(PIC_MASK_FIRST, PIC_ALL);
	port_out8(PIC_MASK_SECOND, PIC_ALL);
	kmap_device(KMAP_LAPIC, LAPIC_PA);
	apic_cpu_init();
	apic_io_init();
}

uint32_t apic_id(void)
{
	return *apic_local(LAPIC_ID) >> ID_SHIFT;
}

void apic_ipi(uint32_t id, uint32_t what)
{
	while (*apic_local(LAPIC_COMMAND) & COMMAND_PENDING) {
		__builtin_ia32_pause();
	}
	*apic_local(LAPIC_COMMAND_TO) = id << ID_SHIFT;
	*apic_local(LAPIC_COMMAND) = COMMAND_ASSERT | what;
}

void apic_timer_arm(uint64_t ticks)
{
	*apic_local(LAPIC_TIMER_INITIAL) = ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;
}

uint32_t apic_timer_count(void)
{
	return *apic_local(LAPIC_TIMER_COUNT);
}

void apic_timer_calibrated(uint64_t khz)
{
	timer_khz = khz;
}

uint64_t apic_timer_khz(void)
{
	return timer_khz;
}

void apic_end_of_interrupt(void)
{
	*apic_local(LAPIC_EOI) = 0;
}

uint32_t arch_irq_lines(void)
{
	return n_lines;
}

void arch_irq_unmask(uint32_t line)
{
	apic_line_write(line, LINE_LEVEL);
}

void arch_irq_mask(uint32_t line)
{
	apic_line_write(line, LINE_LEVEL | LINE_MASKED);
}
