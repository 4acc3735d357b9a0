#pragma once
/*
 * The console's own interfaces: rings (ring.c), the serial port (uart.c), lines of the log
 * (line.c), requests (table.c). All of it runs in one loop, so nothing here is locked.
 */
#include "osd/abi/tty.h"
#include "osd/lib/request/serve.h"
#include "osd/lib/state/annotate.h"

#define RING_BYTES 16384u /* a power of two */

struct ring {
	uint32_t head, tail; /* free running; head - tail bytes wait */
	uint8_t bytes[RING_BYTES];
};

/* How many bytes wait. */
uint32_t ring_used(const struct ring *ring);
/* Append what fits and return how much did. */
uint32_t ring_put(struct ring *ring, const void *bytes, uint32_t n);
/* Take up to n bytes and return how many. */
uint32_t ring_take(struct ring *ring, void *ret_bytes, uint32_t n);

/*
 * Hook the interrupt and set the port up, 115200 baud, 8 bits, no parity. An
 * error of the hook is passed on.
 */
err_t uart_start(void);
/* Feed the transmitter from the ring as far as it takes bytes. */
void uart_drain(struct ring *output);
/* Take what the receiver has; what the ring has no room for is lost. */
void uart_fill(struct ring *input);
/* Let the next interrupt come; the transmitter's only while output waits. */
void uart_interrupts(bool output_waits);

/* Collect log messages by sender; whole lines go to the output together. */
void line_add(endpoint_t from, const char *text, uint32_t n, struct ring *output);
/* Lines written; an update does not reset it. */
uint64_t line_count(void);

/* Begin work in this instance: hook the interrupt and set the port up. */
err_t table_start(void);
/* Move bytes both ways as far as port and rings allow; harmless when nothing has happened. */
void table_interrupt(void);
/* Answer a request, or take an asynchronous one; true if there is a reply to send. */
bool table_dispatch(struct message *msg);
#define REQUEST SERVE_PROTOTYPE
#include "osd/abi/tty.def"
#undef REQUEST
