/*
 * The byte channel. Input stays in the device's own buffers until a client takes it, so a slow
 * client slows the peer and nothing is dropped here; output goes straight from the client's grant
 * into a free buffer of the transmit queue.
 */
#include "osd/drivers/virtio_console/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"

#define PORT_BUFFER_BYTES 4096u
#define PORT_NONE 0xffffffffu
/* Queues of port 1 (VIRTIO 1.1, 5.3.2: port n > 0 has queues 2n + 2 and 2n + 3). */
#define PORT_NUMBER 1u
#define PORT_QUEUE_IN (2 * PORT_NUMBER + 2)
#define PORT_QUEUE_OUT (2 * PORT_NUMBER + 3)

static struct virtqueue port_in, port_out;
static uint32_t port_number = PORT_NONE; /* set when the device has named it */

/* Filled buffers in order of arrival, and how far the first has been read. */
static struct {
	uint32_t index, bytes;
} port_filled[VIRTQUEUE_SIZE];
static uint32_t port_n_filled, port_read_offset;
/* Transmit buffers that are ours. */
static uint32_t port_free[VIRTQUEUE_SIZE];
static uint32_t port_n_free;
static bool port_writer_waits; /* the last write did not take all: notify when there is room */
/* Bytes, for CHARDEV_STATS. */
static uint64_t port_n_in, port_n_out;

err_t port_start(const struct virtio_device *device)
{
	err_t err = virtqueue_start(&port_in, device, PORT_QUEUE_IN, PORT_BUFFER_BYTES);

	if (err == E_OK) {
		err = virtqueue_start(&port_out, device, PORT_QUEUE_OUT, PORT_BUFFER_BYTES);
	}
	for (uint32_t i = 0; i < VIRTQUEUE_SIZE; i++) {
		port_free[i] = i;
	}
	port_n_free = VIRTQUEUE_SIZE;
	return err;
}

void port_open(uint32_t number)
{
	if (number != PORT_NUMBER || port_number == number) {
		return;
	}
	port_number = number;
	for (uint32_t i = 0; i < VIRTQUEUE_SIZE; i++) {
		virtqueue_give_empty(&port_in, i);
	}
}

/* Note which buffers the device has filled, as they stand; true if there were any. */
static bool port_take_input(void)
{
	uint32_t bytes;
	bool any = false;
	int index;

	while (port_n_filled < VIRTQUEUE_SIZE && (index = virtqueue_take(&port_in, &bytes)) >= 0) {
		port_filled[port_n_filled].index = (uint32_t)index;
		port_filled[port_n_filled++].bytes = bytes;
		port_n_in += bytes;
		any = true;
	}
	return any;
}

/* Take back what the device has sent; true if a writer waits for just that. */
static bool port_take_output(void)
{
	uint32_t bytes;
	bool wanted = false;
	int index;

	while (port_n_free < VIRTQUEUE_SIZE && (index = virtqueue_take(&port_out, &bytes)) >= 0) {
		port_free[port_n_free++] = (uint32_t)index;
		wanted = port_writer_waits;
	}
	if (wanted) {
		port_writer_waits = false;
	}
	return wanted;
}

bool port_interrupt(void)
{
	bool input = port_take_input();

	return port_take_output() || input;
}

/* The first filled buffer was read to its end: give it back to be filled. */
static void port_recycle_first(void)
{
	uint32_t index = port_filled[0].index;

	port_n_filled--;
	memmove(&port_filled[0], &port_filled[1], port_n_filled * sizeof(port_filled[0]));
	port_read_offset = 0;
	virtqueue_give_empty(&port_in, index);
}

err_t chardev_on_read(
        endpoint_t who, const struct chardev_request *req, struct chardev_reply *ret_reply)
{
	uint64_t done = 0;

	while (port_n_filled > 0 && done < req->bytes) {
		uint32_t n = port_filled[0].bytes - port_read_offset;
		err_t err;

		n = n < req->bytes - done ? n : (uint32_t)(req->bytes - done);
		err = sys_copy_to_grant(who, req->grant, done,
		        virtqueue_buffer(&port_in, port_filled[0].index) + port_read_offset, n);
		if (err != E_OK) {
			return err;
		}
		done += n;
		port_read_offset += n;
		if (port_read_offset == port_filled[0].bytes) {
			port_recycle_first();
		}
	}
	ret_reply->bytes = done;
	return E_OK;
}

err_t chardev_on_write(
        endpoint_t who, const struct chardev_request *req, struct chardev_reply *ret_reply)
{
	uint64_t done = 0;

	(void)port_take_output();
	while (port_n_free > 0 && done < req->bytes && port_number != PORT_NONE) {
		uint32_t index = port_free[port_n_free - 1];
		uint64_t left = req->bytes - done;
		uint32_t n = left < PORT_BUFFER_BYTES ? (uint32_t)left : PORT_BUFFER_BYTES;
		err_t err = sys_copy_from_grant(
		        who, req->grant, done, virtqueue_buffer(&port_out, index), n);

		if (err != E_OK) {
			return err;
		}
		port_n_free--;
		virtqueue_give_full(&port_out, index, n);
		port_n_out += n;
		done += n;
	}
	port_writer_waits = done < req->bytes;
	ret_reply->bytes = done;
	return E_OK;
}

err_t chardev_on_stats(endpoint_t who, struct chardev_reply *ret_reply)
{
	ret_reply->n_in = port_n_in;
	ret_reply->n_out = port_n_out;
	for (uint32_t i = 0; i < port_n_filled; i++) {
		ret_reply->n_waiting += port_filled[i].bytes;
	}
	ret_reply->n_waiting -= port_read_offset;
	return E_OK;
}
