/*
 * A virtio device behind memory-mapped registers: finding it among the transports of the board,
 * and agreeing on features with it (VIRTIO 1.1, table 4.1 and section 3.1.1). Only modern devices
 * are taken (version 2), and features are all or nothing: a device that lacks one is refused. The
 * device is reset first, so a driver that was started afresh finds it as new.
 */
#include "osd/lib/virtio/virtio.h"

#include "osd/lib/request/vm.h"
#include "osd/lib/virtio/mmio.h"

#define MMIO_MAGIC 0x74726976u
#define MMIO_VERSION 2u
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER 2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FEATURES_OK 8u
#define FEATURE_VERSION_1 (1ull << 32)

static uint32_t mmio_read(const struct virtio_device *device, enum mmio_register reg)
{
	return device->registers[reg / 4];
}

void mmio_write(const struct virtio_device *device, enum mmio_register reg, uint32_t value)
{
	device->registers[reg / 4] = value;
}

void mmio_write_pair(const struct virtio_device *device, enum mmio_register low, uint64_t value)
{
	mmio_write(device, low, (uint32_t)value);
	mmio_write(device, low + 4, (uint32_t)(value >> 32));
}

uint32_t mmio_queue_max(const struct virtio_device *device)
{
	return mmio_read(device, MMIO_QUEUE_NUM_MAX);
}

/* Status bits are set one after the other and never cleared but by a reset (VIRTIO 1.1, 2.1). */
static void mmio_status_add(const struct virtio_device *device, uint32_t bit)
{
	mmio_write(device, MMIO_STATUS, mmio_read(device, MMIO_STATUS) | bit);
}

static uint64_t mmio_features(const struct virtio_device *device)
{
	uint64_t low;

	mmio_write(device, MMIO_DEVICE_FEATURES_SEL, 0);
	low = mmio_read(device, MMIO_DEVICE_FEATURES);
	mmio_write(device, MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)mmio_read(device, MMIO_DEVICE_FEATURES) << 32;
}

/*
 * Reset the device and go with it up to FEATURES_OK: it takes just these features, or is left alone
 * with E_UNSUPPORTED. A device clears FEATURES_OK to say that it cannot work with what was chosen.
 */
static err_t mmio_negotiate(const struct virtio_device *device, uint64_t features)
{
	mmio_write(device, MMIO_STATUS, 0);
	mmio_status_add(device, STATUS_ACKNOWLEDGE);
	mmio_status_add(device, STATUS_DRIVER);
	if ((mmio_features(device) & features) != features) {
		return E_UNSUPPORTED;
	}
	mmio_write(device, MMIO_DRIVER_FEATURES_SEL, 0);
	mmio_write(device, MMIO_DRIVER_FEATURES, (uint32_t)features);
	mmio_write(device, MMIO_DRIVER_FEATURES_SEL, 1);
	mmio_write(device, MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	mmio_status_add(device, STATUS_FEATURES_OK);
	return (mmio_read(device, MMIO_STATUS) & STATUS_FEATURES_OK) != 0 ? E_OK : E_UNSUPPORTED;
}

static err_t mmio_map(paddr_t pa, uint64_t bytes, uint8_t **ret_registers)
{
	struct vm_reply reply = vm_mmio(EP_VM, (struct vm_request_dma){pa, bytes});

	if (reply.err == E_OK) {
		*ret_registers = (uint8_t *)reply.va;
	}
	return reply.err;
}

err_t virtio_device_find(const struct virtio_place *place, uint32_t kind, uint64_t features,
        struct virtio_device *ret_device)
{
	uint8_t *registers;
	err_t err = mmio_map(place->base, place->slot_bytes * place->n_slots, &registers);

	if (err != E_OK) {
		return err;
	}
	for (uint32_t slot = 0; slot < place->n_slots; slot++) {
		struct virtio_device device = {
		        (volatile uint32_t *)(registers + slot * place->slot_bytes), slot};

		if (mmio_read(&device, MMIO_MAGIC_VALUE) == MMIO_MAGIC &&
		        mmio_read(&device, MMIO_VERSION_NUMBER) == MMIO_VERSION &&
		        mmio_read(&device, MMIO_DEVICE_ID) == kind) {
			*ret_device = device;
			return mmio_negotiate(ret_device, features | FEATURE_VERSION_1);
		}
	}
	return E_NOTFOUND;
}

void virtio_device_run(const struct virtio_device *device)
{
	mmio_status_add(device, STATUS_DRIVER_OK);
}

uint32_t virtio_device_interrupt(const struct virtio_device *device)
{
	uint32_t causes = mmio_read(device, MMIO_INTERRUPT_STATUS);

	mmio_write(device, MMIO_INTERRUPT_ACK, causes);
	return causes;
}
