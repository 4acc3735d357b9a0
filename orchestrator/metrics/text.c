/*
 * The text format of Prometheus, version 0.0.4:
 *
 *     # HELP samsara_machine_up 1: a session is open ...
 *     # TYPE samsara_machine_up gauge
 *     samsara_machine_up{machine="m"} 1
 *
 * Names and help are ours and need no escape. Values of labels come from people and machines: a reader must neither be led to take
 * one for a label, a sample or a line, nor be given bytes that it refuses the whole answer for.
 */
#include <string.h>

#include "orchestrator/metrics/priv.h"

enum metric_type { METRIC_TYPE_GAUGE, METRIC_TYPE_COUNTER, METRIC_TYPE_HISTOGRAM, _METRIC_TYPE_N };

static const char *const metric_types[_METRIC_TYPE_N] = {
        [METRIC_TYPE_GAUGE] = "gauge",
        [METRIC_TYPE_COUNTER] = "counter",
        [METRIC_TYPE_HISTOGRAM] = "histogram",
};

static const struct {
	const char *name, *labels, *help;
	enum metric_type type;
} metrics_rows[_METRIC_N] = {
#define LUD(name, type, labels, help)                                                              \
	[METRIC_##name] = {"samsara_" #name, labels, help, METRIC_TYPE_##type},
#define MACHINE LUD
#include "orchestrator/metrics/metrics.def"
};

void metrics_head(const struct metrics_page *page)
{
	const char *name = metrics_rows[page->id].name;

	evbuffer_add_printf(page->out, "# HELP %s %s.\n# TYPE %s %s\n", name,
	        metrics_rows[page->id].help, name, metric_types[metrics_rows[page->id].type]);
}

void metrics_label(const char *text, char ret_label[METRICS_LABEL_SIZE])
{
	size_t n = 0;

	for (; text[n] && n + 1 < METRICS_LABEL_SIZE; n++) {
		ret_label[n] = text[n] >= ' ' && text[n] < 0x7f ? text[n] : '?';
	}
	ret_label[n] = '\0';
}

static void text_value(struct evbuffer *out, const char *value)
{
	char label[METRICS_LABEL_SIZE], escaped[2 * METRICS_LABEL_SIZE];
	size_t n = 0;

	metrics_label(value, label);
	for (const char *at = label; *at; at++) {
		if (*at == '"' || *at == '\\') {
			escaped[n++] = '\\';
		}
		escaped[n++] = *at;
	}
	evbuffer_add(out, escaped, n);
}

/* The labels of the row with their values; whether there was any. The brace that opens them is put, too. */
static bool text_labels(const struct metrics_page *page, const char *const *values)
{
	const char *names = metrics_rows[page->id].labels;
	const char *between = "{";

	for (size_t i = 0; *names; i++) {
		int len = (int)strcspn(names, ",");

		evbuffer_add_printf(page->out, "%s%.*s=\"", between, len, names);
		text_value(page->out, values[i]);
		evbuffer_add(page->out, "\"", 1);
		names += len + (names[len] == ',');
		between = ",";
	}
	return *between == ',';
}

void metrics_put(const struct metrics_page *page, double value, const char *const *values)
{
	evbuffer_add_printf(page->out, "%s", metrics_rows[page->id].name);
	if (text_labels(page, values)) {
		evbuffer_add(page->out, "}", 1);
	}
	evbuffer_add_printf(page->out, " %.15g\n", value);
}

void metrics_put_plain(const struct metrics_page *page, double value)
{
	metrics_put(page, value, NULL);
}

void metrics_observe(struct metrics_histogram *histogram, const uint64_t *bounds_us, uint64_t us)
{
	size_t at = 0;

	while (bounds_us[at] && us > bounds_us[at]) {
		at++;
	}
	histogram->in[at]++;
	histogram->sum_us += us;
}

/* Buckets are told as how many there were up to a bound, the one of all of them last. */
void metrics_put_histogram(const struct metrics_page *page,
        const struct metrics_histogram *histogram, const uint64_t *bounds_us,
        const char *const *values)
{
	const char *name = metrics_rows[page->id].name;
	uint64_t n = 0;
	bool more = true;

	for (size_t i = 0; more; i++) {
		more = bounds_us[i] != 0;
		n += histogram->in[i];
		evbuffer_add_printf(page->out, "%s_bucket", name);
		evbuffer_add_printf(page->out, "%sle=\"", text_labels(page, values) ? "," : "{");
		if (more) {
			evbuffer_add_printf(page->out, "%.10g", (double)bounds_us[i] / 1e6);
		} else {
			evbuffer_add_printf(page->out, "+Inf");
		}
		evbuffer_add_printf(page->out, "\"} %llu\n", (unsigned long long)n);
	}
	for (size_t i = 0; i < 2; i++) {
		evbuffer_add_printf(page->out, "%s%s", name, i ? "_count" : "_sum");
		if (text_labels(page, values)) {
			evbuffer_add(page->out, "}", 1);
		}
		evbuffer_add_printf(
		        page->out, " %.15g\n", i ? (double)n : (double)histogram->sum_us / 1e6);
	}
}
