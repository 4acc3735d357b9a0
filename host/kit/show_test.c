/* No right, limit or flag of a manifest changes without a line that changes. */
#undef NDEBUG
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/kit/show.h"
#include "proto/envelope/sample.h"

static struct kit_lines was, now, added, removed;

static bool has(const struct kit_lines *lines, const char *line)
{
	for (size_t i = 0; i < lines->n; i++) {
		if (!strcmp(lines->line[i], line)) {
			return true;
		}
	}
	return false;
}

static void compare(const struct kit_manifest *a, const struct kit_manifest *b)
{
	kit_lines_of(a, &was);
	kit_lines_of(b, &now);
	kit_lines_without(&now, &was, &added);
	kit_lines_without(&was, &now, &removed);
}

/* A manifest whose every array is full, so that every byte of it counts. */
static void fill(struct kit_manifest *m)
{
	unsigned int i;

	m->n_targets = KIT_TARGETS_MAX;
	m->n_depends = KIT_DEPENDS_MAX;
	m->n_metrics = KIT_METRICS_MAX;
	m->n_io = KIT_IO_MAX;
	m->n_mmio = KIT_MMIO_MAX;
	m->n_irqs = KIT_IRQ_MAX;
	for (i = 0; i < KIT_TARGETS_MAX; i++) {
		(void)snprintf(m->targets[i], SERVICE_NAME_SIZE, "target_%011u", i);
	}
	for (i = 0; i < KIT_DEPENDS_MAX; i++) {
		(void)snprintf(m->depends[i], SERVICE_NAME_SIZE, "depends_%011u", i);
	}
	for (i = 0; i < KIT_METRICS_MAX; i++) {
		(void)snprintf(m->metrics[i], KIT_METRIC_NAME_SIZE, "metric_%u", i);
	}
	for (i = 0; i < KIT_IO_MAX; i++) {
		m->io[i] = (struct kit_io){i * 16, i * 16 + 8};
		m->irqs[i] = i;
		m->mmio[i % KIT_MMIO_MAX] = (struct kit_mmio){i << 20, 4096};
	}
}

/* Bytes behind the NUL of a name say nothing. */
static bool counts(const struct kit_manifest *m, size_t at)
{
	const uint8_t *bytes = (const void *)m;

	if (at >= offsetof(struct kit_manifest, targets) &&
	        at < offsetof(struct kit_manifest, io)) {
		return bytes[at] != 0;
	}
	return at < offsetof(struct kit_manifest, n_targets) ||
	       at >= offsetof(struct kit_manifest, rank);
}

static void test_every_byte(void)
{
	struct kit_manifest good, bad;
	struct sample s;
	size_t at;

	sample_init(&s, ENVELOPE_OF_VARIANT);
	good = s.kit;
	fill(&good);
	for (at = offsetof(struct kit_manifest, call_mask); at < sizeof(good); at++) {
		if (!counts(&good, at)) {
			continue;
		}
		bad = good;
		((uint8_t *)&bad)[at] ^= 1;
		compare(&good, &bad);
		if (added.n + removed.n == 0) {
			fprintf(stderr, "byte %zu changes and no line does\n", at);
			abort();
		}
	}
	compare(&good, &good);
	assert(added.n == 0 && removed.n == 0);
}

static void test_words(void)
{
	struct kit_manifest more;
	struct sample s;

	sample_init(&s, ENVELOPE_OF_VARIANT);
	more = s.kit;
	more.call_mask[0] |= 1u << 6;
	more.flags = KIT_CONTROL;
	more.n_irqs = 0;
	more.heap_limit *= 2;
	strcpy(more.targets[more.n_targets++], "*");
	compare(&s.kit, &more);
	assert(has(&was, "call receive") && has(&was, "call 0x10c0") && has(&was, "target vm"));
	assert(has(&was, "ports 0x3f8-0x3ff") && has(&was, "mmio 0xfeb00000+0x1000"));
	assert(has(&was, "depends ds") && has(&was, "floor 5") && has(&was, "restart same"));
	assert(added.n == 4 && has(&added, "flag control") && has(&added, "heap 2097152"));
	assert(has(&added, "target *") && !has(&added, "target vm"));
	assert(removed.n == 3 && has(&removed, "irq 4") && has(&removed, "flag 0x1"));
}

int main(void)
{
	test_every_byte();
	test_words();
	return 0;
}
