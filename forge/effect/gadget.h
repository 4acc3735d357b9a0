#pragma once
/*
 * Gadgets: up to five instructions that end in a return, an indirect jump or an indirect call,
 * at every byte offset of code. Read by capstone; only luforge-compare links it.
 */
#include <stdint.h>

#define GADGET_INSTRUCTIONS 5u
/* No instruction is longer than 15 bytes. */
#define GADGET_BYTES_MAX (GADGET_INSTRUCTIONS * 15)

struct gadget_reader;

/* Negative errno, reported. */
int gadget_reader_new(struct gadget_reader **ret_reader);
struct gadget_reader *gadget_reader_free(struct gadget_reader *reader);

/*
 * Of each offset of the code: the bytes of the gadget that starts there, 0 for none. *ret_calls:
 * calls among the instructions read from the start on, which is so many return addresses.
 */
void gadget_scan(struct gadget_reader *reader, const uint8_t *code, uint32_t size,
        uint8_t *ret_lengths, uint32_t *ret_calls);
