/*
 * The driver's requests. It has one client, the last that opened it: that one is notified when
 * there is input, or room again for output that did not fit. A notification says only that it
 * pays to ask; how much there is, the next request tells.
 */
#include "osd/drivers/virtio_console/priv.h"

#include "osd/lib/sys/sys.h"

/* Who is notified; requests of others are answered all the same. */
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

err_t chardev_on_open(endpoint_t who, struct chardev_reply *ret_reply)
{
	table_client = who;
	return E_OK;
}

bool table_dispatch(struct message *msg)
{
	switch (msg->type) {
#define REQUEST SERVE_CASE
#include "osd/abi/chardev.def"
#undef REQUEST
	}
	return serve_unknown(msg);
}
