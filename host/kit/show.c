/*
 * Privileges as lines. Every field of the manifest that says what a service may do or use has
 * a line; show_test.c changes each byte of them and looks for the difference. Two releases
 * are compared as sets of lines, so a person sees what a new one asks for beyond the old one.
 *
 * Reads manifests that kit_manifest_check() has passed; bounds are kept all the same, because
 * a line too few would hide a privilege.
 */
#include "host/kit/show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define KIT_CALL_BASE 0x1000u

static const char *const kit_call_names[KIT_CALLS_MAX] = {
#include "call_names.inc"
};

/* KIT_LINES_MAX is room for every field at its limit: nothing is ever left out. */
[[gnu::format(printf, 2, 3)]] static void kit_line(struct kit_lines *lines, const char *format, ...)
{
	va_list args;

	if (lines->n == KIT_LINES_MAX) {
		return;
	}
	va_start(args, format);
	(void)vsnprintf(lines->line[lines->n++], KIT_LINE_SIZE, format, args);
	va_end(args);
}

/* A call that this build has no name for is shown by its number: a newer kit hides nothing. */
static void kit_lines_calls(const struct kit_manifest *m, struct kit_lines *lines)
{
	unsigned int i;

	for (i = 0; i < KIT_CALLS_MAX; i++) {
		if ((m->call_mask[i / 64] >> i % 64 & 1) == 0) {
			continue;
		}
		if (kit_call_names[i]) {
			kit_line(lines, "call %s", kit_call_names[i]);
		} else {
			kit_line(lines, "call 0x%x", KIT_CALL_BASE + i);
		}
	}
}

static void kit_lines_names(
        struct kit_lines *lines, const char *kind, const char *names, size_t size, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		kit_line(lines, "%s %.*s", kind, (int)size, names + i * size);
	}
}

static void kit_lines_devices(const struct kit_manifest *m, struct kit_lines *lines)
{
	uint32_t i;

	for (i = 0; i < m->n_io && i < KIT_IO_MAX; i++) {
		kit_line(lines, "ports 0x%x-0x%x", m->io[i].first, m->io[i].last);
	}
	for (i = 0; i < m->n_mmio && i < KIT_MMIO_MAX; i++) {
		kit_line(lines, "mmio 0x%" PRIx64 "+0x%" PRIx64, m->mmio[i].base, m->mmio[i].len);
	}
	for (i = 0; i < m->n_irqs && i < KIT_IRQ_MAX; i++) {
		kit_line(lines, "irq %" PRIu32, m->irqs[i]);
	}
}

/* Known flags by name, the rest as a number. */
static void kit_lines_flags(const struct kit_manifest *m, struct kit_lines *lines)
{
	if (m->flags & KIT_CONTROL) {
		kit_line(lines, "flag control");
	}
	if (m->flags & ~(uint32_t)KIT_CONTROL) {
		kit_line(lines, "flag 0x%x", m->flags & ~(uint32_t)KIT_CONTROL);
	}
}

static void kit_lines_limits(const struct kit_manifest *m, struct kit_lines *lines)
{
	static const char *const restart[_KIT_RESTART_N] = {"none", "same", "reset"};

	if (m->n_slots > 0) {
		kit_line(lines, "slots %" PRIu32, m->n_slots);
	}
	kit_line(lines, "rank %" PRIu32, m->rank);
	kit_line(lines, "priority %" PRIu32, m->priority);
	kit_line(lines, "quantum-us %" PRIu32, m->quantum_usec);
	kit_line(lines, "heap %" PRIu64, m->heap_limit);
	kit_line(lines, "stack %" PRIu64, m->stack_size);
	kit_line(lines, "restart %s", m->restart < _KIT_RESTART_N ? restart[m->restart] : "?");
	kit_line(lines, "restart-limit %" PRIu32, m->restart_limit);
	kit_line(lines, "heartbeat-ms %" PRIu32, m->heartbeat_ms);
	kit_line(lines, "state %.*s", (int)SERVICE_NAME_SIZE, m->quiescent);
	kit_line(lines, "floor %" PRIu32, m->floor);
}

void kit_lines_of(const struct kit_manifest *m, struct kit_lines *ret_lines)
{
	ret_lines->n = 0;
	kit_lines_calls(m, ret_lines);
	kit_lines_names(ret_lines, "target", m->targets[0], SERVICE_NAME_SIZE, m->n_targets);
	kit_lines_devices(m, ret_lines);
	kit_lines_flags(m, ret_lines);
	kit_lines_names(ret_lines, "depends", m->depends[0], SERVICE_NAME_SIZE, m->n_depends);
	kit_lines_names(ret_lines, "metric", m->metrics[0], KIT_METRIC_NAME_SIZE, m->n_metrics);
	kit_lines_limits(m, ret_lines);
}

static bool kit_lines_have(const struct kit_lines *lines, const char *line)
{
	size_t i;

	for (i = 0; i < lines->n; i++) {
		if (strcmp(lines->line[i], line) == 0) {
			return true;
		}
	}
	return false;
}

void kit_lines_without(
        const struct kit_lines *a, const struct kit_lines *b, struct kit_lines *ret_lines)
{
	size_t i;

	ret_lines->n = 0;
	for (i = 0; i < a->n; i++) {
		if (!kit_lines_have(b, a->line[i])) {
			kit_line(ret_lines, "%s", a->line[i]);
		}
	}
}
