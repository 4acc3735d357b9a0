/*
 * A line of the caller to the kernel's log, marked with its name; only plain text
 * gets through. VM and RS, whom nobody supervises, are not limited: what they say is
 * what is left when all else fails.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/base/log.h"
#include "osd/kernel/fault/usercopy.h"

#define LOG_LINE_MAX 256u
#define LOG_MARK_BYTES 3u /* ": " behind the name, and the newline */

/* Return the length without a trailing newline. */
static size_t log_line_clean(char *line, size_t n)
{
	if (n > 0 && line[n - 1] == '\n') {
		n--;
	}
	for (size_t i = 0; i < n; i++) {
		if ((line[i] < ' ' && line[i] != '\t') || line[i] > '~') {
			line[i] = '?';
		}
	}
	return n;
}

/* A line of n bytes; the mark in front of it counts, or empty lines would cost next to nothing. */
static bool log_check_rate(struct slot *slot, uint32_t n)
{
	uint32_t mark = LOG_MARK_BYTES;
	uint32_t n_dropped;

	for (const char *c = slot->name; *c != '\0'; c++) {
		mark++;
	}
	if (!log_rate_take(&slot->log_rate, arch_clock(), n + mark)) {
		return false;
	}
	n_dropped = log_rate_dropped(&slot->log_rate);
	if (n_dropped > 0) {
		log_printf("kernel: %s: %u bytes of log dropped\n", slot->name, n_dropped);
	}
	return true;
}

err_t do_log_write(struct instance *self, const uint64_t *args)
{
	char line[LOG_LINE_MAX + 1];
	uint64_t n = args[1];
	err_t err;

	if (n > LOG_LINE_MAX) {
		return E_TOO_LONG;
	}
	err = n > 0 ? user_read(self, args[0], line, n) : E_OK;
	if (err != E_OK) {
		return err;
	}
	if (self->slot->supervisor != EP_NONE && !log_check_rate(self->slot, (uint32_t)n)) {
		return E_FULL;
	}
	n = log_line_clean(line, n);
	line[n++] = '\n';
	log_printf("%s: ", self->slot->name);
	log_bytes(line, n);
	return E_OK;
}
