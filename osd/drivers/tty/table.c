/*
 * The console's requests. None of them waits: what the output ring cannot take is the caller's to
 * send again. Bytes go through a chunk on the stack, at most 512 a request, and a read that
 * cannot be copied out takes nothing from the ring.
 */
#include "osd/drivers/tty/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"

#define CHUNK_BYTES 512u

static struct ring table_output, table_input;
static uint64_t table_n_written;

err_t table_start(void)
{
	err_t r = uart_start();

	if (r == E_OK) {
		table_interrupt();
	}
	return r;
}

void table_interrupt(void)
{
	uart_fill(&table_input);
	uart_drain(&table_output);
	uart_interrupts(ring_used(&table_output) > 0);
}

static uint32_t table_chunk(const struct tty_request *req, uint32_t limit)
{
	uint32_t n = req->bytes < CHUNK_BYTES ? req->bytes : CHUNK_BYTES;

	return n < limit ? n : limit;
}

static err_t table_write(endpoint_t who, const struct tty_request *req, struct tty_reply *ret_reply)
{
	uint8_t chunk[CHUNK_BYTES];
	uint32_t n = table_chunk(req, RING_BYTES - ring_used(&table_output));
	err_t r = sys_copy_from_grant(who, req->grant, 0, chunk, n);

	if (r == E_OK) {
		ret_reply->bytes = ring_put(&table_output, chunk, n);
		table_n_written += n;
		table_interrupt();
	}
	return r;
}

static err_t table_read(endpoint_t who, const struct tty_request *req, struct tty_reply *ret_reply)
{
	uint8_t chunk[CHUNK_BYTES];
	uint32_t n = table_chunk(req, ring_used(&table_input));
	uint32_t tail = table_input.tail;
	err_t r;

	n = ring_take(&table_input, chunk, n);
	r = sys_copy_to_grant(who, req->grant, 0, chunk, n);
	if (r == E_OK) {
		ret_reply->bytes = n;
	} else {
		table_input.tail = tail; /* nothing was taken */
	}
	return r;
}

static void table_log(const struct message *msg)
{
	uint32_t n = msg->w[6] < 48 ? (uint32_t)msg->w[6] : 48;

	line_add(msg->source, (const char *)msg->w, n, &table_output);
	table_interrupt();
}

bool table_dispatch(struct message *msg)
{
	struct tty_request req = *MSG_AS(struct tty_request, msg);
	struct tty_reply reply = {.err = E_NOSYS};

	switch (msg->type) {
	case TTY_LOG:
		table_log(msg);
		return false;
	case TTY_WRITE:
		reply.err = table_write(msg->source, &req, &reply);
		break;
	case TTY_READ:
		reply.err = table_read(msg->source, &req, &reply);
		break;
	case TTY_STATS:
		reply = (struct tty_reply){
		        E_OK, table_n_written, line_count(), ring_used(&table_output)};
		break;
	}
	memset(msg->w, 0, sizeof(msg->w));
	msg->type = MSG_REPLY;
	*MSG_AS(struct tty_reply, msg) = reply;
	return true;
}
