/*
 * Service descriptions. One that is accepted makes a manifest in which every name ends and every
 * count is within its array.
 */
#include <string.h>

#include "forge/fuzz/fuzz.h"
#include "forge/make/service.h"

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static void names_check(const char *names, size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		require(memchr(names + i * size, 0, size) != NULL);
	}
}

static void manifest_check(const struct kit_manifest *m)
{
	require(m->n_io <= KIT_IO_MAX && m->n_mmio <= KIT_MMIO_MAX && m->n_irqs <= KIT_IRQ_MAX);
	require(m->n_targets <= KIT_TARGETS_MAX && m->n_depends <= KIT_DEPENDS_MAX &&
	        m->n_metrics <= KIT_METRICS_MAX);
	names_check(m->service, 1, sizeof(m->service));
	names_check(m->quiescent, 1, sizeof(m->quiescent));
	names_check(m->targets[0], m->n_targets, SERVICE_NAME_SIZE);
	names_check(m->depends[0], m->n_depends, SERVICE_NAME_SIZE);
	names_check(m->metrics[0], m->n_metrics, KIT_METRIC_NAME_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	struct service service;

	if (service_read(&service, path, CALLS_DEF) == 0) {
		manifest_check(&service.manifest);
		for (size_t i = 0; i < service.n_libraries; i++) {
			fuzz_touch_text(service.libraries[i]);
		}
		service_fini(&service);
	}
	return 0;
}
