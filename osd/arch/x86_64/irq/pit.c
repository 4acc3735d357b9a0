/* The PIT, which nothing but the calibration of the clock needs: it counts 16 bits and wraps every 55 ms. */
#include "osd/arch/x86_64/irq/pit.h"
#include "osd/arch/x86_64/x86.h"

#define PIT_COMMAND 0x43
#define PIT_CHANNEL0 0x40
#define PIT_RATE_0 0x34  /* channel 0: both bytes, rate generator */
#define PIT_LATCH_0 0x00 /* channel 0: hold the count to be read */

void pit_start(void)
{
	port_out8(PIT_COMMAND, PIT_RATE_0);
	port_out8(PIT_CHANNEL0, 0);
	port_out8(PIT_CHANNEL0, 0);
}

uint16_t pit_count(void)
{
	uint8_t low;

	port_out8(PIT_COMMAND, PIT_LATCH_0);
	low = port_in8(PIT_CHANNEL0);
	return (uint16_t)(low | port_in8(PIT_CHANNEL0) << 8);
}
