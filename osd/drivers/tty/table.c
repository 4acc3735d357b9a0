/*
 * The console's requests. None of them waits: what the output ring cannot take is the caller's to
 * send again. Bytes go through a chunk on the stack, at most 512 a request, and a read that
 * cannot be copied out takes nothing from the ring.
 */
#include "osd/drivers/tty/priv.h"

#include "osd/lib/sys/sys.h"

#define CHUNK_BYTES 512u

/* Ordinary state: a successor goes on with the bytes that wait. */
static struct ring table_output, table_input;
static uint64_t table_n_written;

err_t table_start(void)
{
	err_t err = uart_start();

	if (err == E_OK) {
		table_interrupt();
	}
	return err;
}

void table_interrupt(void)
{
	uart_fill(&table_input);
	uart_drain(&table_output);
	uart_interrupts(ring_used(&table_output) > 0);
}

/* How much of a request is served now: what was asked for, what a chunk holds, and the limit. */
static uint32_t table_chunk(const struct tty_request *req, uint32_t limit)
{
	uint32_t n = req->bytes < CHUNK_BYTES ? req->bytes : CHUNK_BYTES;

	return n < limit ? n : limit;
}

err_t tty_on_write(endpoint_t who, const struct tty_request *req, struct tty_reply *ret_reply)
{
	uint8_t chunk[CHUNK_BYTES];
	uint32_t n = table_chunk(req, RING_BYTES - ring_used(&table_output));
	err_t err = sys_copy_from_grant(who, req->grant, 0, chunk, n);

	if (err == E_OK) {
		ret_reply->bytes = ring_put(&table_output, chunk, n);
		table_n_written += n;
		table_interrupt();
	}
	return err;
}

err_t tty_on_read(endpoint_t who, const struct tty_request *req, struct tty_reply *ret_reply)
{
	uint8_t chunk[CHUNK_BYTES];
	uint32_t n = table_chunk(req, ring_used(&table_input));
	uint32_t tail = table_input.tail;
	err_t err;

	n = ring_take(&table_input, chunk, n);
	err = sys_copy_to_grant(who, req->grant, 0, chunk, n);
	if (err == E_OK) {
		ret_reply->bytes = n;
	} else {
		table_input.tail = tail; /* nothing was taken */
	}
	return err;
}

void tty_on_log(endpoint_t who, const struct tty_text *text)
{
	uint32_t n = text->bytes < TTY_TEXT_MAX ? (uint32_t)text->bytes : TTY_TEXT_MAX;

	line_add(who, text->text, n, &table_output);
	table_interrupt();
}

err_t tty_on_stats(endpoint_t who, struct tty_reply *ret_reply)
{
	ret_reply->bytes = table_n_written;
	ret_reply->n_lines = line_count();
	ret_reply->n_waiting = ring_used(&table_output);
	return E_OK;
}

bool table_dispatch(struct message *msg)
{
	switch (msg->type) {
#define REQUEST SERVE_CASE
#include "osd/abi/tty.def"
#undef REQUEST
	}
	return serve_unknown(msg);
}
