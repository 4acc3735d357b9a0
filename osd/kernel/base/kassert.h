#pragma once
/* Assertions of the kernel; they stay on in what ships. */
#include "osd/arch/arch.h"

/*
 * For broken kernel invariants only, never for what a caller can provoke: panic() dumps registers
 * and slots and switches the machine off with a failure.
 */
#define KASSERT(condition)                                                                         \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0)) {                                           \
			panic("%s:%d: %s", __FILE_NAME__, __LINE__, #condition);                   \
		}                                                                                  \
	} while (0)
