/*
 * Split virtqueues: VIRTIO 1.1, section 2.6. The ring and the buffers lie in one piece of DMA
 * memory. Buffer n belongs to descriptor n for good, and there are no chains: nothing is
 * allocated here, and no address is read back from what the device can write.
 *
 * The device is not believed: an index or a length out of range loses that buffer, and nothing
 * else. A queue has one user, the driver's loop; the barriers are for the device.
 */
#include <string.h>

#include "osd/lib/request/vm.h"
#include "osd/lib/virtio/mmio.h"

#define DESCRIPTOR_WRITE 2u

/*
 * What driver and device share (VIRTIO 1.1, 2.6.5 to 2.6.8). The driver writes the first two parts
 * and reads the third, the device the other way round; an index counts on without end, and an entry
 * is valid once the index has passed it.
 */
struct virtqueue_ring {
	struct {
		uint64_t address;
		uint32_t bytes;
		uint16_t flags, next;
	} descriptors[VIRTQUEUE_SIZE];
	struct {
		uint16_t flags;
		uint16_t index;
		uint16_t ring[VIRTQUEUE_SIZE];
		uint16_t event;
	} available;
	struct {
		uint16_t flags;
		uint16_t index;
		struct {
			uint32_t id, bytes;
		} ring[VIRTQUEUE_SIZE];
		uint16_t event;
	} used __attribute__((aligned(16)));
};

/* Memory before the buffers. */
#define RING_BYTES 1024u
_Static_assert(sizeof(struct virtqueue_ring) <= RING_BYTES, "the ring fits before the buffers");

/* DMA memory of VM's, which stays where it is and is never used for anything else. */
static err_t queue_memory(uint64_t bytes, vaddr_t *ret_va, paddr_t *ret_pa)
{
	struct vm_reply reply = vm_dma(EP_VM, (struct vm_request_dma){.bytes = bytes});

	if (reply.err == E_OK) {
		*ret_va = reply.va;
		*ret_pa = reply.pa;
	}
	return reply.err;
}

/* Tell the device where the parts of the ring lie; the queue is the selected one. */
static void queue_show(const struct virtqueue *queue, paddr_t ring_pa)
{
	const struct virtio_device *device = queue->device;

	mmio_write(device, MMIO_QUEUE_NUM, VIRTQUEUE_SIZE);
	mmio_write_pair(device, MMIO_QUEUE_DESC_LOW, ring_pa);
	mmio_write_pair(device, MMIO_QUEUE_DRIVER_LOW,
	        ring_pa + offsetof(struct virtqueue_ring, available));
	mmio_write_pair(
	        device, MMIO_QUEUE_DEVICE_LOW, ring_pa + offsetof(struct virtqueue_ring, used));
	mmio_write(device, MMIO_QUEUE_READY, 1);
}

err_t virtqueue_start(struct virtqueue *queue, const struct virtio_device *device, uint32_t number,
        uint32_t buffer_bytes)
{
	vaddr_t va;
	paddr_t pa;
	err_t err;

	mmio_write(device, MMIO_QUEUE_SEL, number);
	if (mmio_queue_max(device) < VIRTQUEUE_SIZE) {
		return E_UNSUPPORTED;
	}
	err = queue_memory(RING_BYTES + VIRTQUEUE_SIZE * buffer_bytes, &va, &pa);
	if (err != E_OK) {
		return err;
	}
	*queue = (struct virtqueue){
	        .device = device,
	        .number = number,
	        .buffer_bytes = buffer_bytes,
	        .buffers = (uint8_t *)va + RING_BYTES,
	        .buffers_pa = pa + RING_BYTES,
	        .ring = (struct virtqueue_ring *)va,
	};
	memset(queue->ring, 0, sizeof(*queue->ring));
	queue_show(queue, pa);
	return E_OK;
}

uint8_t *virtqueue_buffer(const struct virtqueue *queue, uint32_t index)
{
	return queue->buffers + (size_t)index * queue->buffer_bytes;
}

/*
 * Put a descriptor into the available ring and notify the device. The fence keeps the notification
 * behind the index: a device that was idle looks at the index once, when it is notified.
 */
static void queue_give(struct virtqueue *queue, uint32_t index, uint32_t bytes, uint16_t flags)
{
	struct virtqueue_ring *ring = queue->ring;
	uint16_t next = ring->available.index;

	ring->descriptors[index].address =
	        queue->buffers_pa + (uint64_t)index * queue->buffer_bytes;
	ring->descriptors[index].bytes = bytes;
	ring->descriptors[index].flags = flags;
	ring->available.ring[next % VIRTQUEUE_SIZE] = (uint16_t)index;
	/* The device, which reads the index first, sees the entry before it. */
	__atomic_store_n(&ring->available.index, (uint16_t)(next + 1), __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	mmio_write(queue->device, MMIO_QUEUE_NOTIFY, queue->number);
}

void virtqueue_give_empty(struct virtqueue *queue, uint32_t index)
{
	queue_give(queue, index, queue->buffer_bytes, DESCRIPTOR_WRITE);
}

void virtqueue_give_full(struct virtqueue *queue, uint32_t index, uint32_t bytes)
{
	queue_give(queue, index, bytes, 0);
}

int virtqueue_take(struct virtqueue *queue, uint32_t *ret_bytes)
{
	struct virtqueue_ring *ring = queue->ring;
	uint32_t at = queue->used_seen % VIRTQUEUE_SIZE;

	/* Pairs with the device's release of its index: the entry is there. */
	if (__atomic_load_n(&ring->used.index, __ATOMIC_ACQUIRE) == queue->used_seen) {
		return -1;
	}
	queue->used_seen++;
	if (ring->used.ring[at].id >= VIRTQUEUE_SIZE ||
	        ring->used.ring[at].bytes > queue->buffer_bytes) {
		return -1; /* a device that lies loses the buffer */
	}
	*ret_bytes = ring->used.ring[at].bytes;
	return (int)ring->used.ring[at].id;
}
