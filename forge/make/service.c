/*
 * Service descriptions: lines of a key and values, straight into the fields of a kit
 * manifest. One table has a row for each key, with the field it fills and its limits, so that
 * most keys share a reader; a key that is not in the table is an error, as is a value too
 * many.
 *
 * Kernel calls are named as in the calls.def that the caller gives, by a search for its KCALL
 * lines: the forge includes nothing of the machine. What is wrong is reported with file and
 * line. The rules that several fields must obey together are those of kit_manifest_check(),
 * asked when the kit is made.
 *
 * The limits here are those of the fields and of common sense, to be told early and with a
 * line number; the machine believes the signed manifest only.
 */
#include "forge/make/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "forge/base/names.h"
#include "forge/base/report.h"

#define SERVICE_WORDS_MAX 64
#define SERVICE_CALL_BASE 0x1000u

/* Where the reader is. words[] point into a copy of the text that is cut up line by line. */
struct service_reader {
	struct service *service;
	const char *path;
	unsigned int line;
	char *words[SERVICE_WORDS_MAX]; /* of the current line, key first */
	size_t n_words;
	struct buf calls_text;
	struct names calls; /* kernel call name -> bit */
};

/* One key: its reader, and what the reader needs to know of the field. */
struct service_key {
	const char *key;
	int (*read)(struct service_reader *r, const struct service_key *key);
	size_t offset;    /* of the field in struct kit_manifest */
	uint64_t max;     /* largest number */
	size_t n_max;     /* most names or ranges */
	size_t n_offset;  /* of their count */
	size_t name_size; /* bytes of one name */
};

void service_fini(struct service *service)
{
	size_t i;

	for (i = 0; i < service->n_libraries; i++) {
		free(service->libraries[i]);
	}
	buf_fini(&service->text);
	*service = (struct service){0};
}

/* Refuse the current line. Always -EINVAL. */
[[gnu::format(printf, 2, 3)]] static int service_refuse(
        const struct service_reader *r, const char *fmt, ...)
{
	MEM_FREE char *where = mem_printf("%s:%u", r->path, r->line);
	MEM_FREE char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return report_refuse(where, "%s", n < 0 ? fmt : text);
}

/* A field of the manifest by its offset, which the table of keys has; its type is the reader's. */
static void *service_field(const struct service_reader *r, size_t offset)
{
	return (char *)&r->service->manifest + offset;
}

/* A number in C notation, perhaps with K or M behind it, and no larger than max with them. */
static int service_number(
        const struct service_reader *r, const char *word, uint64_t max, uint64_t *ret_value)
{
	unsigned long long v;
	unsigned int shift = 0;
	char *end;

	errno = 0;
	v = strtoull(word, &end, 0);
	if (errno != 0 || end == word || *word == '-') {
		return service_refuse(r, "'%s' is not a number", word);
	}
	if (*end == 'K' || *end == 'M') {
		shift = *end == 'K' ? 10 : 20;
		end++;
	}
	if (*end != '\0' || v > max >> shift) {
		return service_refuse(
		        r, "'%s' is not a number up to %llu", word, (unsigned long long)max);
	}
	*ret_value = v << shift;
	return 0;
}

/* The one value of a line that must have exactly one; "" when there are none or more. */
static const char *service_only_word(const struct service_reader *r)
{
	return r->n_words == 2 ? r->words[1] : "";
}

/* Without exactly one value, service_only_word() is "", which is no number. */
static int service_read_u32(struct service_reader *r, const struct service_key *key)
{
	uint64_t v;
	int e = service_number(r, service_only_word(r), key->max, &v);

	if (e == 0) {
		*(uint32_t *)service_field(r, key->offset) = (uint32_t)v;
	}
	return e;
}

static int service_read_u64(struct service_reader *r, const struct service_key *key)
{
	uint64_t v;
	int e = service_number(r, service_only_word(r), key->max, &v);

	if (e == 0) {
		*(uint64_t *)service_field(r, key->offset) = v;
	}
	return e;
}

/* Append every word of the line to an array of names. */
static int service_read_names(struct service_reader *r, const struct service_key *key)
{
	uint32_t *n = key->n_offset ? service_field(r, key->n_offset) : NULL;
	uint32_t used = n ? *n : 0;
	char *field = service_field(r, key->offset);
	size_t i;

	for (i = 1; i < r->n_words; i++, used++) {
		if (used == key->n_max) {
			return service_refuse(
			        r, "%s takes at most %zu names", key->key, key->n_max);
		}
		if (strlen(r->words[i]) >= key->name_size) {
			return service_refuse(r, "'%s' is longer than %zu letters", r->words[i],
			        key->name_size - 1);
		}
		strcpy(field + used * key->name_size, r->words[i]);
	}
	if (n) {
		*n = used;
	}
	return 0;
}

/*
 * The default quiescent state: one of those that the table of words has for services, or
 * none. The list of valid words in the message comes from the same table.
 */
static int service_read_state(struct service_reader *r, const struct service_key *key)
{
	static const char words[][SERVICE_NAME_SIZE] = {
	        "none",
#define STATE_SERVICE(word) word,
#define STATE_ASKED(word)
#define QUIESCENT(name, number, word, use) STATE_##use(word)
#include "proto/words/quiescent.def"
#undef QUIESCENT
#undef STATE_ASKED
#undef STATE_SERVICE
	};
	char valid[sizeof(words) + 2 * sizeof(words) / sizeof(words[0])] = "";
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(service_only_word(r), words[i]) == 0) {
			strcpy(service_field(r, key->offset), words[i]);
			return 0;
		}
		strcat(strcat(valid, i == 0 ? "" : ", "), words[i]);
	}
	return service_refuse(r, "there is no quiescent state '%s'; write one of: %s",
	        service_only_word(r), valid);
}

/* Each call is a bit of the mask, its number above the first. Given twice is no error. */
static int service_read_calls(struct service_reader *r, const struct service_key *key)
{
	uint64_t *mask = service_field(r, key->offset);
	uint64_t *bit;
	size_t i;

	for (i = 1; i < r->n_words; i++) {
		bit = names_find(&r->calls, r->words[i]);
		if (!bit) {
			return service_refuse(r, "there is no kernel call '%s'", r->words[i]);
		}
		mask[*bit / 64] |= UINT64_C(1) << *bit % 64;
	}
	return 0;
}

/* FIRST-LAST or one port. Cuts the word at the dash. */
static int service_read_io(struct service_reader *r, const struct service_key *key)
{
	struct kit_manifest *m = &r->service->manifest;
	struct kit_io *io = m->io;
	uint64_t first, last;
	char *dash;
	size_t i;

	for (i = 1; i < r->n_words; i++) {
		if (m->n_io == KIT_IO_MAX) {
			return service_refuse(r, "at most %u port ranges", KIT_IO_MAX);
		}
		dash = strchr(r->words[i], '-');
		if (dash) {
			*dash++ = '\0';
		}
		if (service_number(r, r->words[i], key->max, &first) < 0 ||
		        service_number(r, dash ? dash : r->words[i], key->max, &last) < 0) {
			return -EINVAL;
		}
		if (last < first) {
			return service_refuse(r, "a port range ends before it starts");
		}
		io[m->n_io++] = (struct kit_io){(uint32_t)first, (uint32_t)last};
	}
	return 0;
}

/* One range of device memory a line: whole pages, since that is what the kernel maps. */
static int service_read_mmio(struct service_reader *r, const struct service_key *key)
{
	struct kit_manifest *m = &r->service->manifest;
	uint64_t base, len;

	if (r->n_words != 3 || m->n_mmio == KIT_MMIO_MAX) {
		return service_refuse(
		        r, "mmio takes a base and a length, in at most %u lines", KIT_MMIO_MAX);
	}
	if (service_number(r, r->words[1], key->max, &base) < 0 ||
	        service_number(r, r->words[2], key->max, &len) < 0) {
		return -EINVAL;
	}
	if (base % 4096 != 0 || len % 4096 != 0 || len == 0) {
		return service_refuse(r, "base and length must be multiples of 4096");
	}
	m->mmio[m->n_mmio++] = (struct kit_mmio){base, len};
	return 0;
}

/* Interrupt lines, in any number a line and in several lines. */
static int service_read_irqs(struct service_reader *r, const struct service_key *key)
{
	struct kit_manifest *m = &r->service->manifest;
	uint64_t v;
	size_t i;

	for (i = 1; i < r->n_words; i++) {
		if (m->n_irqs == KIT_IRQ_MAX) {
			return service_refuse(r, "at most %u lines", KIT_IRQ_MAX);
		}
		if (service_number(r, r->words[i], key->max, &v) < 0) {
			return -EINVAL;
		}
		m->irqs[m->n_irqs++] = (uint32_t)v;
	}
	return 0;
}

/* What RS does when the service has crashed; the words are those of kit_restart. */
static int service_read_restart(struct service_reader *r, const struct service_key *key)
{
	static const char *const words[_KIT_RESTART_N] = {
	        [KIT_RESTART_NONE] = "none",
	        [KIT_RESTART_SAME] = "same",
	        [KIT_RESTART_RESET] = "reset",
	};
	uint32_t i;

	for (i = 0; i < _KIT_RESTART_N; i++) {
		if (strcmp(service_only_word(r), words[i]) == 0) {
			*(uint32_t *)service_field(r, key->offset) = i;
			return 0;
		}
	}
	return service_refuse(r, "restart is none, same or reset");
}

/* key->max: the flag that `yes` sets. */
static int service_read_flag(struct service_reader *r, const struct service_key *key)
{
	const char *word = service_only_word(r);

	if (strcmp(word, "yes") != 0 && strcmp(word, "no") != 0) {
		return service_refuse(r, "%s is yes or no", key->key);
	}
	*(uint32_t *)service_field(r, key->offset) |= *word == 'y' ? (uint32_t)key->max : 0;
	return 0;
}

/* Only remembered here; looked for when the kit is made. */
static int service_read_library(struct service_reader *r, const struct service_key *key)
{
	struct service *s = r->service;
	size_t i;

	for (i = 1; i < r->n_words; i++) {
		if (s->n_libraries == SERVICE_LIBRARIES_MAX) {
			return service_refuse(r, "at most %u libraries", SERVICE_LIBRARIES_MAX);
		}
		s->libraries[s->n_libraries++] = mem_strdup(r->words[i]);
	}
	return 0;
}

#define FIELD(member) .offset = offsetof(struct kit_manifest, member)
#define COUNT(member) .n_offset = offsetof(struct kit_manifest, member)

/* Every key that there is; forge/README.md has the same table for people. */
static const struct service_key service_keys[] = {
        {"service", service_read_names, FIELD(service), .n_max = 1, .name_size = SERVICE_NAME_SIZE},
        {"release", service_read_u32, FIELD(counter), .max = UINT32_MAX},
        {"floor", service_read_u32, FIELD(floor), .max = UINT32_MAX},
        {"rank", service_read_u32, FIELD(rank), .max = 255},
        {"priority", service_read_u32, FIELD(priority), .max = 255},
        {"quantum_usec", service_read_u32, FIELD(quantum_usec), .max = 1000000},
        {"calls", service_read_calls, FIELD(call_mask)},
        {"slots", service_read_u32, FIELD(n_slots), .max = KIT_SLOTS_MAX},
        {"targets", service_read_names, FIELD(targets), COUNT(n_targets), .n_max = KIT_TARGETS_MAX,
                .name_size = SERVICE_NAME_SIZE},
        {"depends", service_read_names, FIELD(depends), COUNT(n_depends), .n_max = KIT_DEPENDS_MAX,
                .name_size = SERVICE_NAME_SIZE},
        {"metrics", service_read_names, FIELD(metrics), COUNT(n_metrics), .n_max = KIT_METRICS_MAX,
                .name_size = KIT_METRIC_NAME_SIZE},
        {"state", service_read_state, FIELD(quiescent)},
        {"io", service_read_io, .max = 0xffff},
        {"mmio", service_read_mmio, .max = UINT64_C(1) << 52},
        {"irq", service_read_irqs, .max = 255},
        {"restart", service_read_restart, FIELD(restart)},
        {"restart_limit", service_read_u32, FIELD(restart_limit), .max = 1000},
        {"heartbeat_ms", service_read_u32, FIELD(heartbeat_ms), .max = 3600000},
        {"control", service_read_flag, FIELD(flags), .max = KIT_CONTROL},
        {"heap_limit", service_read_u64, FIELD(heap_limit), .max = UINT64_C(1) << 40},
        {"stack_size", service_read_u64, FIELD(stack_size), .max = UINT64_C(1) << 30},
        {"library", service_read_library, .max = 0},
};

/* Cut the comment off and split into words, in place. */
static int service_split(struct service_reader *r, char *line)
{
	char *save = NULL, *word;

	line[strcspn(line, "#")] = '\0';
	r->n_words = 0;
	for (word = strtok_r(line, " \t\r", &save); word; word = strtok_r(NULL, " \t\r", &save)) {
		if (r->n_words == SERVICE_WORDS_MAX) {
			return service_refuse(r, "too many words in a line");
		}
		r->words[r->n_words++] = word;
	}
	return 0;
}

static int service_read_line(struct service_reader *r, char *line)
{
	size_t i;
	int e = service_split(r, line);

	if (e < 0 || r->n_words == 0) {
		return e;
	}
	for (i = 0; i < sizeof(service_keys) / sizeof(service_keys[0]); i++) {
		if (strcmp(r->words[0], service_keys[i].key) == 0) {
			return service_keys[i].read(r, &service_keys[i]);
		}
	}
	return service_refuse(r, "unknown key '%s'; forge/README.md lists the keys", r->words[0]);
}

/* The text is copied: r->service->text stays as it was read, and goes into the kit. */
static int service_read_lines(struct service_reader *r)
{
	MEM_FREE char *text = mem_strdup((char *)r->service->text.bytes);
	char *next = text, *line;
	int e;

	while ((line = strsep(&next, "\n"))) {
		r->line++;
		e = service_read_line(r, line);
		if (e < 0) {
			return e;
		}
	}
	return 0;
}

/* Learn call names and bits from KCALL(number, name, ...) lines; cuts the text up. */
static int service_read_call_table(struct service_reader *r, const char *path)
{
	char *next, *line, *name;
	unsigned int number;
	int at, e;

	e = buf_read_file(&r->calls_text, path);
	if (e < 0) {
		return e;
	}
	next = (char *)r->calls_text.bytes;
	while ((line = strsep(&next, "\n"))) {
		at = 0;
		if (sscanf(line, "KCALL(%x, %n", &number, &at) != 1 || at == 0) {
			continue;
		}
		name = line + at;
		name[strcspn(name, ",")] = '\0';
		if (number < SERVICE_CALL_BASE || number - SERVICE_CALL_BASE >= KIT_CALLS_MAX) {
			return report_refuse(path, "number of call '%s' is out of range", name);
		}
		(void)names_add(&r->calls, name, number - SERVICE_CALL_BASE);
	}
	return 0;
}

/* What has no default. */
static int service_check(const struct service *s, const char *path)
{
	if (s->manifest.service[0] == '\0') {
		return report_refuse(path, "no 'service NAME' line");
	}
	if (s->manifest.stack_size == 0 || s->manifest.heap_limit == 0) {
		return report_refuse(path, "stack_size and heap_limit must be given");
	}
	if (s->manifest.quiescent[0] == '\0') {
		return report_refuse(path, "no 'state NAME' line");
	}
	return 0;
}

/* Nothing of *ret_service is set unless the whole description is good. */
int service_read(struct service *ret_service, const char *path, const char *calls_path)
{
	MEM_CLEANUP(service_fini) struct service s = {0};
	struct service_reader r = {.service = &s, .path = path};
	int e;

	memcpy(s.manifest.magic, KIT_MAGIC, sizeof(s.manifest.magic));
	s.manifest.version = MANIFEST_VERSION;
	s.manifest.size = sizeof(s.manifest);
	s.manifest.counter = 1;
	e = service_read_call_table(&r, calls_path);
	if (e == 0) {
		e = buf_read_file(&s.text, path);
	}
	if (e == 0) {
		e = service_read_lines(&r);
	}
	if (e == 0) {
		e = service_check(&s, path);
	}
	names_fini(&r.calls);
	buf_fini(&r.calls_text);
	if (e == 0) {
		*ret_service = s;
		s = (struct service){0};
	}
	return e;
}
