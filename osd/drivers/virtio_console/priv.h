#pragma once
/* The driver's parts: the device's control conversation (control.c), the byte channel (port.c),
 * requests (table.c). */
#include "osd/abi/chardev.h"
#include "osd/lib/request/serve.h"
#include "osd/lib/virtio/virtio.h"

/* Find the device, set its queues up, hook its interrupt. */
err_t control_start(void);
/* Take the device's control messages and answer them; then let interrupts come again. */
void control_interrupt(void);

/* The one port that is opened: the first that the device names. */
err_t port_start(const struct virtio_device *device);
void port_open(uint32_t number);
/* Take back what the device has filled or sent; true if a client should look. */
bool port_interrupt(void);

void table_interrupt(void);
/* Serve a request; the reply overwrites the message. */
bool table_dispatch(struct message *msg);
/* Handlers: OPEN in table.c, the others in port.c. READ and WRITE never wait: `bytes` may be 0. */
#define REQUEST SERVE_PROTOTYPE
#include "osd/abi/chardev.def"
#undef REQUEST
