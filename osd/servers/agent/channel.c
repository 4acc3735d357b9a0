/*
 * The bytes. Input that was read and output that was not taken yet are plain arrays, so a live
 * update carries them over and no frame is lost; what was not read stays with the driver.
 */
#include "osd/servers/agent/priv.h"

#include <string.h>

#include "osd/lib/request/chardev.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"

#define CHANNEL_SERVICE "virtio_console"
#define CHANNEL_IN_BYTES 8192u
#define CHANNEL_OUT_BYTES 49152u

static endpoint_t channel_driver = EP_NONE;
static uint32_t channel_in_grant, channel_out_grant;
static uint8_t channel_in[CHANNEL_IN_BYTES];
static uint32_t channel_in_start, channel_in_n;
static uint8_t channel_out[CHANNEL_OUT_BYTES];
static uint32_t channel_out_n;

err_t channel_open(void)
{
	if (channel_in_grant == 0) {
		channel_driver = sef_lookup(CHANNEL_SERVICE);
		channel_in_grant =
		        grant_make(channel_driver, channel_in, CHANNEL_IN_BYTES, GRANT_WRITE);
		channel_out_grant =
		        grant_make(channel_driver, channel_out, CHANNEL_OUT_BYTES, GRANT_READ);
	}
	return chardev_open_retry(channel_driver).err;
}

bool channel_is(const char *service)
{
	return strncmp(service, CHANNEL_SERVICE, SERVICE_NAME_LEN) == 0;
}

bool channel_flush(void)
{
	struct chardev_reply reply;

	if (channel_out_n == 0) {
		return false;
	}
	reply = chardev_write(
	        channel_driver, (struct chardev_request){channel_out_grant, channel_out_n});
	if (reply.err != E_OK || reply.bytes == 0 || reply.bytes > channel_out_n) {
		return false;
	}
	channel_out_n -= (uint32_t)reply.bytes;
	memmove(channel_out, channel_out + reply.bytes, channel_out_n);
	return true;
}

uint32_t channel_space(void)
{
	return CHANNEL_OUT_BYTES - channel_out_n;
}

void channel_put(const void *bytes, uint32_t n)
{
	if (n > channel_space()) {
		sef_panic("%u bytes for %u of the output", n, channel_space());
	}
	memcpy(channel_out + channel_out_n, bytes, n);
	channel_out_n += n;
}

const uint8_t *channel_peek(uint32_t *ret_n)
{
	if (channel_in_n == 0) {
		struct chardev_reply reply = chardev_read(channel_driver,
		        (struct chardev_request){channel_in_grant, CHANNEL_IN_BYTES});

		channel_in_start = 0;
		channel_in_n = reply.err == E_OK && reply.bytes <= CHANNEL_IN_BYTES
		                       ? (uint32_t)reply.bytes
		                       : 0;
	}
	*ret_n = channel_in_n;
	return channel_in + channel_in_start;
}

void channel_consume(uint32_t n)
{
	channel_in_start += n;
	channel_in_n -= n;
}
