#pragma once
/* Small services that every file of the kernel uses: log, panic, assertions, random numbers, counters. */
#include "osd/abi/calls.h"

struct instance;

/* Write to the kernel's log. Understands %s %c %d %u %x %lx %lu %ld %p, widths and zero padding. */
__attribute__((format(printf, 1, 2))) void log_printf(const char *format, ...);
void log_bytes(const char *text, size_t n);

/* A kernel invariant is broken: dump registers and slots, switch the machine off with a failure. */
__attribute__((format(printf, 1, 2))) _Noreturn void panic(const char *format, ...);
#define KASSERT(condition) \
	do { \
		if (__builtin_expect(!(condition), 0)) { \
			panic("%s:%d: %s", __FILE_NAME__, __LINE__, #condition); \
		} \
	} while (0)

void random_init(const uint8_t seed[32]);
uint64_t random_next(void);

/* Counters for kernel_stats (n_* fields only; the rest is read where it lives). */
extern struct kernel_stats kernel_stats;
