/*
 * The control queues of a multiport console: VIRTIO 1.1, section 5.3.6.2. The device announces its
 * ports; the driver says it is ready, and opens the first generic port.
 */
#include "osd/drivers/virtio_console/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/sys.h"

#define CONSOLE_KIND 3u
#define FEATURE_MULTIPORT (1ull << 1)
#define QUEUE_CONTROL_IN 2u
#define QUEUE_CONTROL_OUT 3u
#define CONTROL_BYTES 64u
/*
 * QEMU's microvm: transports of 512 bytes from here, the lines counted
 * from 16 (acpi on, one IOAPIC).
 */
#define MMIO_BASE 0xfeb00000ull
#define MMIO_SLOT_BYTES 512u
#define MMIO_N_SLOTS 8u
#define MMIO_FIRST_LINE 16u

/* On the wire (VIRTIO 1.1, 5.3.6.2), so there is no count at the end. */
enum control_event {
	CONTROL_DEVICE_READY = 0,
	CONTROL_PORT_ADD,
	CONTROL_PORT_REMOVE,
	CONTROL_PORT_READY,
	CONTROL_CONSOLE_PORT,
	CONTROL_RESIZE,
	CONTROL_PORT_OPEN,
	CONTROL_PORT_NAME,
};
/* What either side says, in the byte order of the machine (little, as the device has it). */
struct control_message {
	uint32_t port;
	uint16_t event, value;
};

static struct virtio_device control_device;
static struct virtqueue control_in, control_out;
static uint32_t control_out_next;
static err_t control_hook = E_STATE;

/*
 * Say something to the device. Buffers are used in turn without waiting for one to come back:
 * there are VIRTQUEUE_SIZE of them, and a port gives cause for two messages.
 */
static void control_say(uint32_t port, enum control_event event, uint16_t value)
{
	struct control_message say = {port, (uint16_t)event, value};
	uint32_t index = control_out_next++ % VIRTQUEUE_SIZE;
	uint32_t bytes;

	while (virtqueue_take(&control_out, &bytes) >= 0) {
	}
	memcpy(virtqueue_buffer(&control_out, index), &say, sizeof(say));
	virtqueue_give_full(&control_out, index, sizeof(say));
}

/* Of what a device may announce, only ports that appear matter; the rest is passed over. */
static void control_hear(const struct control_message *heard)
{
	if (heard->event == CONTROL_PORT_ADD) {
		control_say(heard->port, CONTROL_PORT_READY, 1);
		if (heard->port != 0) { /* 0 is the console port, which is not ours */
			port_open(heard->port);
			control_say(heard->port, CONTROL_PORT_OPEN, 1);
		}
	}
}

void control_interrupt(void)
{
	struct control_message heard;
	uint32_t bytes;
	int index;

	(void)virtio_device_interrupt(&control_device);
	while ((index = virtqueue_take(&control_in, &bytes)) >= 0) {
		if (bytes >= sizeof(heard)) {
			memcpy(&heard, virtqueue_buffer(&control_in, (uint32_t)index),
			        sizeof(heard));
			control_hear(&heard);
		}
		virtqueue_give_empty(&control_in, (uint32_t)index);
	}
	(void)sys_irq_enable((uint32_t)control_hook);
}

/* The order is free; the device looks at no queue before virtio_device_run. */
static err_t control_queues_start(void)
{
	err_t err = virtqueue_start(&control_in, &control_device, QUEUE_CONTROL_IN, CONTROL_BYTES);

	if (err == E_OK) {
		err = virtqueue_start(
		        &control_out, &control_device, QUEUE_CONTROL_OUT, CONTROL_BYTES);
	}
	if (err == E_OK) {
		err = port_start(&control_device);
	}
	return err;
}

err_t control_start(void)
{
	const struct virtio_place place = {MMIO_BASE, MMIO_SLOT_BYTES, MMIO_N_SLOTS};
	err_t err = virtio_device_find(&place, CONSOLE_KIND, FEATURE_MULTIPORT, &control_device);

	if (err == E_OK) {
		err = control_queues_start();
	}
	if (err != E_OK) {
		sef_log("no usable console device: %s", sys_error_name(err));
		return err;
	}
	control_hook = sys_irq_hook(MMIO_FIRST_LINE + control_device.slot, 0);
	if (control_hook < 0) {
		return control_hook;
	}
	virtio_device_run(&control_device);
	for (uint32_t i = 0; i < VIRTQUEUE_SIZE; i++) {
		virtqueue_give_empty(&control_in, i);
	}
	control_say(0, CONTROL_DEVICE_READY, 1);
	control_interrupt();
	return E_OK;
}
