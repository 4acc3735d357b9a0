/*
 * A 16550A serial port at COM1 (National Semiconductor PC16550D data sheet, registers in section
 * 8). The transmitter gets a FIFO's worth whenever it is empty, and interrupts for it are on only
 * while output waits. There is no flow control: input for which the ring has no room is lost. The
 * hook belongs to the slot, and its number is state, so a successor takes both over.
 */
#include "osd/drivers/tty/priv.h"

#include "osd/lib/sys/sys.h"

#define UART_PORT 0x3f8u
#define UART_LINE 4u
#define UART_FIFO_BYTES 16u

/* Offsets of ports. With LCR_DIVISOR set, the first two are the divisor instead. */
enum uart_register { UART_DATA, UART_IER, UART_FCR, UART_LCR, UART_MCR, UART_LSR };
#define IER_RECEIVED 0x1u
#define IER_TRANSMITTER 0x2u
#define FCR_ENABLE 0x1u
#define LCR_8N1 0x3u
#define LCR_DIVISOR 0x80u
#define MCR_DTR_RTS_OUT2 0xbu
#define LSR_DATA 0x1u
#define LSR_TRANSMITTER_EMPTY 0x20u

/* Number of the interrupt hook; an error before uart_start. */
static err_t uart_hook = E_STATE;

static uint32_t uart_read(enum uart_register reg)
{
	uint64_t value;

	return sys_port_in(UART_PORT + reg, 1, &value) == E_OK ? (uint32_t)value : 0;
}

static void uart_write(enum uart_register reg, uint32_t value)
{
	(void)sys_port_out(UART_PORT + reg, 1, value);
}

err_t uart_start(void)
{
	uart_hook = sys_irq_hook(UART_LINE, 0);
	if (uart_hook < 0) {
		return uart_hook;
	}
	uart_write(UART_LCR, LCR_DIVISOR);
	uart_write(UART_DATA, 1); /* 115200 baud */
	uart_write(UART_IER, 0);
	uart_write(UART_LCR, LCR_8N1);
	uart_write(UART_FCR, FCR_ENABLE);
	uart_write(UART_MCR, MCR_DTR_RTS_OUT2);
	return E_OK;
}

void uart_drain(struct ring *output)
{
	uint8_t burst[UART_FIFO_BYTES];

	while (ring_used(output) > 0 && (uart_read(UART_LSR) & LSR_TRANSMITTER_EMPTY) != 0) {
		uint32_t n = ring_take(output, burst, sizeof(burst));

		for (uint32_t i = 0; i < n; i++) {
			uart_write(UART_DATA, burst[i]);
		}
	}
}

void uart_fill(struct ring *input)
{
	while ((uart_read(UART_LSR) & LSR_DATA) != 0) {
		uint8_t byte = (uint8_t)uart_read(UART_DATA);

		(void)ring_put(input, &byte, 1);
	}
}

void uart_interrupts(bool output_waits)
{
	uart_write(UART_IER, IER_RECEIVED | (output_waits ? IER_TRANSMITTER : 0));
	(void)sys_irq_enable(uart_hook);
}
