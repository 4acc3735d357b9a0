/*
 * The driver's requests. It has one client, the last that opened it: that one is notified when
 * there is input, or room again for output that did not fit. A notification says only that it
 * pays to ask; how much there is, the next request tells.
 */
#include "osd/drivers/virtio_console/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"

static endpoint_t table_client = EP_NONE;

void table_interrupt(void)
{
	bool news;

	control_interrupt();
	news = port_interrupt();
	if (news && table_client != EP_NONE) {
		(void)sys_notify(table_client);
	}
}

void table_dispatch(struct message *msg)
{
	struct chardev_request req = *MSG_AS(struct chardev_request, msg);
	struct chardev_reply reply = {.err = E_NOSYS};

	switch (msg->type) {
	case CHARDEV_OPEN:
		table_client = msg->source;
		reply.err = E_OK;
		break;
	case CHARDEV_READ:
		reply.err = port_read(msg->source, &req, &reply);
		break;
	case CHARDEV_WRITE:
		reply.err = port_write(msg->source, &req, &reply);
		break;
	case CHARDEV_STATS:
		port_stats(&reply);
		reply.err = E_OK;
		break;
	}
	memset(msg->w, 0, sizeof(msg->w));
	msg->type = MSG_REPLY;
	*MSG_AS(struct chardev_reply, msg) = reply;
}
