#pragma once
/*
 * What is wrong with a kit: place and sentence, to be shown once by the program that
 * asked. The sentence ends with what to do.
 */
#include "proto/envelope/envelope.h"

struct kit_fault {
	enum envelope_reason reason; /* ENVELOPE_OK: it is not about a signature */
	char place[512];
	char text[256];
};

/* Fills in *ret_fault and returns the error. */
[[gnu::format(printf, 4, 5)]] int kit_fault_set(
        struct kit_fault *ret_fault, int error, const char *place, const char *format, ...);
