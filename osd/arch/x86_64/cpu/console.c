/*
 * The ways out of the machine that need no driver: the debug console, which takes bytes as fast as
 * they come, and the exit device, which ends QEMU with a code; I/O ports for drivers, whose rights
 * the kernel has checked; and entropy, where the CPU has rdrand. Without rdrand the random source
 * has the boot image's seed alone.
 */
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/x86.h"

void arch_log_write(const char *text, size_t n)
{
	__asm__ volatile("rep outsb" : "+S"(text), "+c"(n) : "d"(PORT_LOG) : "memory");
}

uint32_t arch_port_in(uint16_t port, uint32_t width)
{
	uint32_t value = 0;

	if (width == 1) {
		value = port_in8(port);
	} else if (width == 2) {
		__asm__ volatile("inw %1, %w0" : "=a"(value) : "Nd"(port));
		value &= 0xffff;
	} else {
		__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	}
	return value;
}

void arch_port_out(uint16_t port, uint32_t width, uint32_t value)
{
	if (width == 1) {
		port_out8(port, (uint8_t)value);
	} else if (width == 2) {
		__asm__ volatile("outw %w0, %1" : : "a"(value), "Nd"(port));
	} else {
		__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
	}
}

#define RDRAND_TRIES 10 /* as its vendor advises */
#define CPUID_C_RDRAND (1u << 30)

static bool console_rdrand(uint64_t *ret_word)
{
	bool is_ok;

	for (int tries = 0; tries < RDRAND_TRIES; tries++) {
		__asm__ volatile("rdrand %0; setc %1" : "=r"(*ret_word), "=q"(is_ok) : : "cc");
		if (is_ok) {
			return true;
		}
	}
	return false;
}

size_t arch_entropy(uint64_t *words, size_t n)
{
	bool has_rdrand = cpuid(1, 0).c & CPUID_C_RDRAND;
	size_t n_done = 0;

	while (has_rdrand && n_done < n && console_rdrand(&words[n_done])) {
		n_done++;
	}
	return n_done;
}

_Noreturn void arch_off(uint32_t code)
{
	arch_port_out(PORT_EXIT, 4, code);
	for (;;) {
		__asm__ volatile("cli; hlt");
	}
}
