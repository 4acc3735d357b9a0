/* Debug console, exit device, I/O ports, entropy. */
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

static bool console_rdrand(uint64_t *ret_word)
{
	bool is_ok;

	for (int tries = 0; tries < 10; tries++) {
		__asm__ volatile("rdrand %0; setc %1" : "=r"(*ret_word), "=q"(is_ok) : : "cc");
		if (is_ok) {
			return true;
		}
	}
	return false;
}

size_t arch_entropy(uint64_t *words, size_t n)
{
	bool has_rdrand = cpuid(1, 0).c & 1u << 30;
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
