/*
 * The bytes. Input that was read and output that was not taken yet are plain arrays, so a live
 * update carries them over and no frame is lost; what was not read stays with the driver.
 *
 *	channel_in    | consumed | channel_in_n bytes       | free |
 *	                         ^ channel_in_start
 *	channel_out   | channel_out_n bytes, oldest first   | free |
 *
 * Nothing waits for the driver's device: a request moves what it can, also nothing, and the driver
 * notifies when more can be moved. Of what it says only counts are used, and none that is larger
 * than what was asked for. When it was restarted, bytes are lost in both directions; the session is
 * then ended by follow.c, and a new one begins on the driver's new instance, whose endpoint is the
 * same.
 */
#include "osd/servers/agent/priv.h"

#include <string.h>

#include "osd/lib/request/chardev.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"

#define CHANNEL_SERVICE "virtio_console"
#define CHANNEL_IN_BYTES 8192u   /* one read */
#define CHANNEL_OUT_BYTES 49152u /* three of the largest frames: a reply, events, and one more */

static endpoint_t channel_driver = EP_NONE;
static uint32_t channel_in_grant, channel_out_grant; /* 0: not made yet; then never ended */
static uint8_t channel_in[CHANNEL_IN_BYTES];
static uint32_t channel_in_start, channel_in_n; /* what is read and not consumed */
static uint8_t channel_out[CHANNEL_OUT_BYTES];
static uint32_t channel_out_n; /* what is made and not taken */

/*
 * Called at the start and after each restart of the driver, which forgets its client. The grants are
 * made once: they name the driver's endpoint and our arrays, and an update moves both along.
 */
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

/* Output that the driver did not take, or failed to, stays and is offered again. */
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

/* A new read is made only when all is consumed, so that bytes never have to be moved. */
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
