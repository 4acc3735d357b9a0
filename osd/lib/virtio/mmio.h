#pragma once
/* Register offsets of virtio over MMIO (VIRTIO 1.1, table 4.1), for this library only. */
#include "osd/lib/virtio/virtio.h"

/* Byte offsets as the device has them, so there are gaps and no count at the end. */
enum mmio_register {
	MMIO_MAGIC_VALUE = 0x000,
	MMIO_VERSION_NUMBER = 0x004,
	MMIO_DEVICE_ID = 0x008,
	MMIO_DEVICE_FEATURES = 0x010,
	MMIO_DEVICE_FEATURES_SEL = 0x014,
	MMIO_DRIVER_FEATURES = 0x020,
	MMIO_DRIVER_FEATURES_SEL = 0x024,
	MMIO_QUEUE_SEL = 0x030,
	MMIO_QUEUE_NUM_MAX = 0x034,
	MMIO_QUEUE_NUM = 0x038,
	MMIO_QUEUE_READY = 0x044,
	MMIO_QUEUE_NOTIFY = 0x050,
	MMIO_INTERRUPT_STATUS = 0x060,
	MMIO_INTERRUPT_ACK = 0x064,
	MMIO_STATUS = 0x070,
	MMIO_QUEUE_DESC_LOW = 0x080,
	MMIO_QUEUE_DRIVER_LOW = 0x090,
	MMIO_QUEUE_DEVICE_LOW = 0x0a0,
};

/* One 32-bit register; device memory, so the order of accesses is that of the program. */
void mmio_write(const struct virtio_device *device, enum mmio_register reg, uint32_t value);
/* Write a 64-bit value to a pair of registers, the lower half first. */
void mmio_write_pair(const struct virtio_device *device, enum mmio_register low, uint64_t value);
/* Largest size of the selected queue. */
uint32_t mmio_queue_max(const struct virtio_device *device);
