/*
 * Lines of the log. Services log in pieces of 48 bytes without waiting; a piece is kept with its
 * sender until the line is whole, so that lines of two services do not mix. Nobody is made to
 * wait: what the output ring has no room for is lost. Senders beyond the 64th share a place.
 */
#include "osd/drivers/tty/priv.h"

#include <string.h>

#include "osd/lib/heap/heap.h"

#define LINE_BYTES 256u
#define LINE_SENDERS_MAX 64u

/* What one sender has written of a line that has not ended. Never freed: see LINE_SENDERS_MAX. */
struct line {
	struct line *next;
	endpoint_t from;
	uint32_t n;
	char text[LINE_BYTES];
};

static struct line *line_list;
static uint32_t line_n_senders;
static uint64_t line_n_written;

/* The place of a sender, a new one if need be; NULL: no memory, and the text is lost. */
static struct line *line_of(endpoint_t from)
{
	struct line *line;

	for (line = line_list; line != NULL; line = line->next) {
		if (line->from == from) {
			return line;
		}
	}
	if (line_n_senders == LINE_SENDERS_MAX) {
		/* More senders than memory was set aside for: the newest place changes hands. */
		line_list->from = from;
		return line_list;
	}
	line = heap_new(struct line);
	if (line == NULL) {
		return NULL;
	}
	line->from = from;
	line->n = 0;
	line->next = line_list;
	line_list = line;
	line_n_senders++;
	return line;
}

/* Write a line and begin the next. What the ring cannot take is lost: the log makes nobody wait. */
static void line_flush(struct line *line, struct ring *output)
{
	(void)ring_put(output, line->text, line->n);
	(void)ring_put(output, "\r\n", 2);
	line->n = 0;
	line_n_written++;
}

void line_add(endpoint_t from, const char *text, uint32_t n, struct ring *output)
{
	struct line *line = line_of(from);

	if (line == NULL) {
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (text[i] == '\n' || line->n == LINE_BYTES) {
			line_flush(line, output);
		}
		if (text[i] != '\n') {
			line->text[line->n++] = text[i];
		}
	}
}

uint64_t line_count(void)
{
	return line_n_written;
}
