#pragma once
/*
 * Small services that every file of the kernel uses: log, panic,
 * assertions, random numbers, counters.
 */
#include <stdarg.h>
#include "osd/abi/calls.h"
#include "osd/arch/arch.h"

struct instance;

/*
 * log_printf (arch.h) understands %s %c %d %u %x with l and ll, %p,
 * %.*s, widths and zero padding.
 */
void log_vprintf(const char *format, va_list *args);
void log_bytes(const char *text, size_t n);

/* For broken kernel invariants; panic() dumps registers and slots and switches the machine off with
 * a failure. */
#define KASSERT(condition)                                                                         \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0)) {                                           \
			panic("%s:%d: %s", __FILE_NAME__, __LINE__, #condition);                   \
		}                                                                                  \
	} while (0)

void random_init(const uint8_t seed[32]);
uint64_t random_next(void);

/* Counters for kernel_stats (n_* fields only; the rest is read where it lives). */
extern struct kernel_stats kernel_stats;
