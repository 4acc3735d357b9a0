#pragma once
/*
 * Virtio devices behind memory-mapped registers, and their queues: VIRTIO 1.1, sections 2.6 (split
 * virtqueues) and 4.2 (virtio over MMIO, version 2). One device, many queues, buffers that belong
 * to the queue. Nothing here waits.
 */
#include "osd/abi/types.h"

/* Owned by the driver; it stays where it is as long as a queue of the device is used. */
struct virtio_device {
	volatile uint32_t *registers;
	uint32_t slot; /* number of the transport, which also tells its interrupt line */
};

/*
 * Find the n-th transport of `n_slots` at `base` (slot_bytes apart) that holds a
 * device of this kind, reset it and settle on the features. E_NOTFOUND;
 * E_UNSUPPORTED: a wanted feature is missing.
 */
struct virtio_place {
	paddr_t base;
	uint32_t slot_bytes, n_slots;
};
err_t virtio_device_find(const struct virtio_place *place, uint32_t kind, uint64_t features,
        struct virtio_device *ret_device);
/* The driver is set up: let the device work. */
void virtio_device_run(const struct virtio_device *device);
/* Read and acknowledge the causes of an interrupt. */
uint32_t virtio_device_interrupt(const struct virtio_device *device);

#define VIRTQUEUE_SIZE 16u

/* A queue of VIRTQUEUE_SIZE buffers of equal size in DMA memory. */
struct virtqueue {
	const struct virtio_device *device;
	uint32_t number; /* as the device counts its queues */
	uint32_t buffer_bytes;
	uint8_t *buffers; /* VIRTQUEUE_SIZE * buffer_bytes */
	paddr_t buffers_pa;
	struct virtqueue_ring *ring; /* shared with the device: believe nothing read from it */
	uint16_t used_seen;          /* entries of the used ring that were taken */
};

/* Make a queue in fresh DMA memory and show it to the device. E_NOMEM, E_UNSUPPORTED. */
err_t virtqueue_start(struct virtqueue *queue, const struct virtio_device *device, uint32_t number,
        uint32_t buffer_bytes);
/* Address of a buffer, 0 .. VIRTQUEUE_SIZE - 1. */
uint8_t *virtqueue_buffer(const struct virtqueue *queue, uint32_t index);
/* Hand a buffer to the device: to be filled (bytes = space), or to be sent (bytes = length). */
void virtqueue_give_empty(struct virtqueue *queue, uint32_t index);
void virtqueue_give_full(struct virtqueue *queue, uint32_t index, uint32_t bytes);
/*
 * Take a buffer back from the device: its index, and how many bytes the device has written into it;
 * -1 if there is none, or if the device said nonsense, and then that buffer is lost.
 */
int virtqueue_take(struct virtqueue *queue, uint32_t *ret_bytes);
