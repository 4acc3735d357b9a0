/*
 * Pages of a list. An answer is one message, whatever the record has: a page ends at its limit, or
 * where the next row would not fit. Whoever asks goes on from the last row of a page, and what is
 * added meanwhile shifts nothing. Of a list one row more than the limit is looked for: its being
 * there is how a page knows that it is not the last.
 */
#include "orchestrator/control/ask/priv.h"
#include "proto/frame/frame.h"

/* What rows may take of a message; the rest is for what stands beside them. */
#define CONTROL_PAGE_BYTES (FRAME_PAYLOAD_MAX - 8192)

/* Nobody gets more than CONTROL_PAGE_MAX rows, asked for or not: what a page costs lud has a bound, too. */
struct control_page control_page(uint32_t asked, size_t usual)
{
	/* What a client asks for is a wish: any number comes here. */
	size_t limit = asked ? asked : usual;

	return (struct control_page){.limit = limit < CONTROL_PAGE_MAX ? limit : CONTROL_PAGE_MAX};
}

/* One row always fits: a page without any would never come to an end. */
bool control_page_takes(struct control_page *page, const ProtobufCMessage *row)
{
	/* With its tag and length. */
	size_t bytes = protobuf_c_message_get_packed_size(row) + 8;

	if (page->more || page->n == page->limit ||
	        (page->n && page->bytes + bytes > CONTROL_PAGE_BYTES)) {
		page->more = true;
		return false;
	}
	page->n++;
	page->bytes += bytes;
	return true;
}
