#pragma once
/*
 * The driver's parts: the device's control conversation (control.c), the byte channel (port.c),
 * requests (table.c). All of it runs in one loop; nothing waits.
 */
#include "osd/abi/chardev.h"
#include "osd/lib/request/serve.h"
#include "osd/lib/virtio/virtio.h"

/* Find the device, set its queues up, hook its interrupt. */
err_t control_start(void);
/* Take the device's control messages and answer them; then let interrupts come again. */
void control_interrupt(void);

/* Make the queues of the one port that is used. E_NOMEM, E_UNSUPPORTED. */
err_t port_start(const struct virtio_device *device);
/* The device has named a port; the first call for PORT_NUMBER gives it all buffers for input. */
void port_open(uint32_t number);
/* Take back what the device has filled or sent; true if a client should look. */
bool port_interrupt(void);

/*
 * The device's interrupt: serve the control queues, move buffers, notify the client if it may go
 * on.
 */
void table_interrupt(void);
/* Serve a request; the reply overwrites the message. */
bool table_dispatch(struct message *msg);
/* Handlers: OPEN in table.c, the others in port.c. READ and WRITE never wait: `bytes` may be 0. */
#define REQUEST SERVE_PROTOTYPE
#include "osd/abi/chardev.def"
#undef REQUEST
