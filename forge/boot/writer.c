/*
 * Putting a boot image together. Lines of the list are collected first and read at the end,
 * because the root that a kit must be signed under may stand behind it; what is set on the
 * command line replaces the list's.
 *
 * An image that a machine would refuse is not written: a service's payload passes the
 * machine's own check and belongs to the service and kit of its entry, and what an envelope
 * names are exactly these payload, description and release. The image as a whole passes
 * boot_check(). Signatures of envelopes are not verified here; that is the machine's to do.
 */
#include "forge/boot/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/base/tool.h"
#include "forge/kit/kit.h"
#include "host/text/hex.h"

void boot_writer_fini(struct boot_writer *w)
{
	size_t i;

	for (i = 0; i < w->n_entries; i++) {
		buf_fini(&w->entries[i].manifest);
		buf_fini(&w->entries[i].state);
		buf_fini(&w->entries[i].flat);
		buf_fini(&w->entries[i].payload);
		buf_fini(&w->entries[i].envelope);
		free(w->entries[i].kit);
		free(w->entries[i].release);
	}
	free(w->entries);
	buf_fini(&w->root);
	buf_fini(&w->statement);
	*w = (struct boot_writer){0};
}

/* A number in C notation, whole and not negative; `where` is for the message. */
static int boot_number(const char *where, const char *text, uint64_t *ret_value)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || *text == '-') {
		return report_refuse(where, "'%s' is not a number", text);
	}
	*ret_value = v;
	return 0;
}

/* Exactly n bytes in hexadecimal. */
static int boot_hex(const char *where, const char *text, uint8_t *ret_bytes, size_t n)
{
	return hex_read(text, ret_bytes, n)
	               ? 0
	               : report_refuse(where, "'%s' is not %zu hexadecimal digits", text, 2 * n);
}

/*
 * The kernel's command line. The rest of the field is zero, also of a longer one that the list had:
 * an image is the same for the same input.
 */
static int boot_set_cmdline(struct boot_writer *w, const char *where, const char *value)
{
	if (strlen(value) >= BOOT_CMDLINE_SIZE) {
		return report_refuse(
		        where, "the command line is longer than %u letters", BOOT_CMDLINE_SIZE - 1);
	}
	memset(w->header.cmdline, 0, BOOT_CMDLINE_SIZE);
	strcpy(w->header.cmdline, value);
	return 0;
}

/* A file as a part of the image. One that was read before is dropped: the command line wins. */
static int boot_set_part(struct buf *part, const char *path)
{
	buf_fini(part);
	return buf_read_file(part, path);
}

int boot_writer_set(struct boot_writer *w, const char *where, const char *key, const char *value)
{
	if (strcmp(key, "machine_id") == 0) {
		return boot_hex(where, value, w->header.machine_id, 16);
	}
	if (strcmp(key, "random_seed") == 0) {
		return boot_hex(where, value, w->header.random_seed, 32);
	}
	if (strcmp(key, "boot_time") == 0) {
		return boot_number(where, value, &w->header.boot_time_unix);
	}
	if (strcmp(key, "cmdline") == 0) {
		return boot_set_cmdline(w, where, value);
	}
	if (strcmp(key, "root") == 0) {
		return kit_read_root(&w->root, value);
	}
	if (strcmp(key, "statement") == 0) {
		return boot_set_part(&w->statement, value);
	}
	return report_refuse(where, "unknown key '%s'; forge/README.md lists the keys", key);
}

/* Remember a path or an id. Twice is a mistake here, since no command line overrides an entry. */
static int boot_entry_text(const char *where, const char *key, const char *value, char **ret_text)
{
	if (*ret_text) {
		return report_refuse(where, "%s is there twice", key);
	}
	*ret_text = mem_strdup(value);
	return 0;
}

/*
 * Read the entry's kit, now that the root is known whatever the order of the lines: its manifest,
 * state description and flat kit become parts of the image. With a release the kit must be that one,
 * signed under the list's root; without, it only has to be whole.
 */
static int boot_read_kit(const struct boot_writer *w, struct boot_source *e)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	const struct kit_signed_by by = {.root = &w->root, .release = e->release};
	const uint8_t *flat;
	size_t len;
	int r;

	if (e->release && (w->root.len == 0 || !e->kit)) {
		return report_refuse(e->entry.name, "a release needs a root and a kit");
	}
	if (!e->kit) {
		return 0;
	}
	r = kit_read(&kit, e->kit, e->release ? &by : NULL);
	if (r == 0) {
		buf_add(&e->manifest, kit.manifest, sizeof(*kit.manifest));
		e->state = kit.state;
		kit.state = (struct buf){0};
		flat = kit_dir_file(&kit.dir, "flat", &len);
		if (flat) {
			buf_add(&e->flat, flat, len);
		}
	}
	return r;
}

/*
 * One "key value" pair of an entry's line. Payload and envelope are read at once; kit and release
 * are only remembered, for boot_read_kit(). -EINVAL and errors of files are reported.
 */
static int boot_entry_set(
        struct boot_source *e, const char *where, const char *key, const char *value)
{
	if (strcmp(key, "kit") == 0) {
		return boot_entry_text(where, key, value, &e->kit);
	}
	if (strcmp(key, "release") == 0) {
		return boot_entry_text(where, key, value, &e->release);
	}
	if (strcmp(key, "payload") == 0) {
		return buf_read_file(&e->payload, value);
	}
	if (strcmp(key, "envelope") == 0) {
		return buf_read_file(&e->envelope, value);
	}
	if (strcmp(key, "generation") == 0) {
		return boot_number(where, value, &e->entry.generation);
	}
	if (strcmp(key, "floor") == 0) {
		return boot_number(where, value, &e->entry.floor);
	}
	return report_refuse(where, "unknown word '%s'; forge/README.md lists them", key);
}

/*
 * A name of any letters: blobs are named by their users. A service's must be its kit's, which
 * boot_check_payload() asks.
 */
static int boot_entry_name(struct boot_source *e, const char *where, const char *name)
{
	if (!name || strlen(name) >= IMAGE_NAME_SIZE) {
		return report_refuse(
		        where, "an entry needs a name of at most %u letters", IMAGE_NAME_SIZE - 1);
	}
	strcpy(e->entry.name, name);
	return 0;
}

/* service NAME or blob NAME, then words with a value each, but for `kernel`. */
static int boot_read_entry(
        struct boot_writer *w, const char *where, enum boot_kind kind, char **save)
{
	struct boot_source *e;
	const char *key, *value;
	int r;

	MEM_PUSH(w->entries, w->n_entries, w->capacity);
	e = &w->entries[w->n_entries++];
	*e = (struct boot_source){.entry = {.kind = kind}};
	r = boot_entry_name(e, where, strtok_r(NULL, " \t", save));
	while (r == 0 && (key = strtok_r(NULL, " \t", save))) {
		if (strcmp(key, "kernel") == 0) {
			e->entry.flags |= BOOT_KERNEL_LOADED;
			continue;
		}
		value = strtok_r(NULL, " \t", save);
		r = value ? boot_entry_set(e, where, key, value)
		          : report_refuse(where, "%s needs a value", key);
	}
	return r;
}

/* A line begins an entry or sets something; boot_trim() has been over it. */
static int boot_read_line(struct boot_writer *w, const char *where, char *line)
{
	char *save = NULL, *key, *value;

	key = strtok_r(line, " \t", &save);
	if (!key) {
		return 0;
	}
	if (strcmp(key, "service") == 0) {
		return boot_read_entry(w, where, BOOT_KIND_SERVICE, &save);
	}
	if (strcmp(key, "blob") == 0) {
		return boot_read_entry(w, where, BOOT_KIND_BLOB, &save);
	}
	value = strtok_r(NULL, "", &save);
	if (!value) {
		return report_refuse(where, "%s needs a value", key);
	}
	return boot_writer_set(w, where, key, value + strspn(value, " \t"));
}

/*
 * Cut a comment and trailing blanks off. Blobs may have a '#' in their names: a
 * comment starts a line or follows a blank.
 */
static void boot_trim(char *line)
{
	size_t n;
	char *p;

	for (p = strchr(line, '#'); p; p = strchr(p + 1, '#')) {
		if (p == line || p[-1] == ' ' || p[-1] == '\t') {
			*p = '\0';
			break;
		}
	}
	n = strlen(line);
	while (n > 0 && strchr(" \t\r", line[n - 1])) {
		line[--n] = '\0';
	}
}

/*
 * Lines are numbered for messages. Payloads and envelopes are read as their lines come, kits
 * at the end.
 */
int boot_writer_read_list(struct boot_writer *w, const char *path)
{
	BUF_CLEANUP struct buf text = {0};
	unsigned int number = 0;
	char *next, *line;
	int r;

	r = buf_read_file(&text, path);
	next = (char *)text.bytes;
	while (r == 0 && (line = strsep(&next, "\n"))) {
		MEM_FREE char *where = mem_printf("%s:%u", path, ++number);

		boot_trim(line);
		r = boot_read_line(w, where, line);
	}
	return r;
}

/*
 * Append a part, and return its place for header or entry. Page-aligned, so that the machine can
 * map a part by itself. An empty part has no place: offset and length are 0.
 */
static struct boot_part boot_put(struct buf *out, const struct buf *part)
{
	struct boot_part p = {0};

	if (part->len > 0) {
		buf_align(out, IMAGE_PAGE);
		p = (struct boot_part){out->len, part->len};
		buf_add(out, part->bytes, part->len);
	}
	return p;
}

/*
 * A service is in the image by the name its own payload and kit carry. Blobs are not looked
 * at: what they are is between who puts them in and who asks for them.
 */
static int boot_check_payload(const struct boot_source *e)
{
	const struct kit_manifest *manifest = (const void *)e->manifest.bytes;
	struct image_view view;
	enum image_error error;

	if (e->entry.kind != BOOT_KIND_SERVICE) {
		return 0;
	}
	error = image_check(e->payload.bytes, e->payload.len, &view);
	if (error != IMAGE_OK) {
		return report_refuse(
		        e->entry.name, "the payload is bad: %s", image_error_text(error));
	}
	if (strcmp(view.header->service, e->entry.name) != 0 || !manifest ||
	        strcmp(manifest->service, e->entry.name) != 0) {
		return report_refuse(e->entry.name, "kit or payload belong to another service (%s)",
		        view.header->service);
	}
	return 0;
}

/* A machine verifies the envelope of what it boots with; what it does not name would never run. */
static int boot_check_envelope(const struct boot_source *e)
{
	struct envelope_view view;
	enum envelope_reason reason;

	if (e->envelope.len == 0) {
		return 0;
	}
	reason = envelope_open(e->envelope.bytes, e->envelope.len, &view);
	if (reason == ENVELOPE_OK && view.kind != ENVELOPE_OF_VARIANT) {
		return report_refuse(e->entry.name, "the envelope is not that of a variant");
	}
	if (reason == ENVELOPE_OK) {
		reason = envelope_verify_payload(&view, e->payload.bytes, e->payload.len);
	}
	if (reason == ENVELOPE_OK) {
		reason = envelope_verify_description(&view, e->state.bytes, e->state.len);
	}
	if (reason != ENVELOPE_OK) {
		return report_refuse(e->entry.name,
		        "payload and kit are not those of the envelope: %s; make the variant again",
		        envelope_reason_text(reason));
	}
	if (e->manifest.len != sizeof(*view.kit) ||
	        memcmp(e->manifest.bytes, view.kit, sizeof(*view.kit)) != 0) {
		return report_refuse(e->entry.name, "the envelope is that of another release than "
		                                    "the kit; name the kit that it "
		                                    "was made from");
	}
	return 0;
}

/* Whether the machine is told to keep no kits (osd/servers/rs/base/machine.h): then it is given none. */
static bool boot_keeps_kits(const struct boot_writer *w)
{
	size_t len;
	const char *word = boot_cmdline_get(&w->header, "kits", &len);

	return !word || len != 4 || memcmp(word, "none", 4) != 0;
}

/*
 * The kits are read here, after the list: the root that they must be signed under may stand
 * behind them in it.
 */
static int boot_put_entries(struct boot_writer *w, struct buf *out)
{
	size_t i;
	int r;

	for (i = 0; i < w->n_entries; i++) {
		struct boot_source *e = &w->entries[i];

		r = boot_read_kit(w, e);
		if (r == 0) {
			r = boot_check_payload(e);
		}
		if (r == 0) {
			r = boot_check_envelope(e);
		}
		if (r < 0) {
			return r;
		}
		e->entry.manifest = boot_put(out, &e->manifest);
		e->entry.state = boot_put(out, &e->state);
		if (e->entry.kind != BOOT_KIND_SERVICE || boot_keeps_kits(w)) {
			e->entry.flat = boot_put(out, &e->flat);
		}
		e->entry.payload = boot_put(out, &e->payload);
		e->entry.envelope = boot_put(out, &e->envelope);
		memcpy(out->bytes + w->header.entries_off + i * sizeof(e->entry), &e->entry,
		        sizeof(e->entry));
	}
	return 0;
}

/*
 * Header and entries have their places first and are filled when the parts have theirs. The
 * last word is boot_check(), the machine's own.
 */
int boot_writer_finish(struct boot_writer *w, struct buf *ret_image)
{
	BUF_CLEANUP struct buf out = {0};
	struct boot_view view;
	enum image_error error;
	int r = 0;

	memcpy(w->header.magic, BOOT_MAGIC, sizeof(w->header.magic));
	w->header.version = BOOT_VERSION;
	w->header.header_size = sizeof(w->header);
	w->header.n_entries = (uint32_t)w->n_entries;
	w->header.entries_off = sizeof(w->header);
	buf_add_zero(&out, sizeof(w->header) + w->n_entries * sizeof(struct boot_entry));
	w->header.root = boot_put(&out, &w->root);
	w->header.statement = boot_put(&out, &w->statement);
	if (w->root.len > 0) {
		r = tool_hash(w->root.bytes, w->root.len, w->header.root_hash);
	}
	if (r == 0) {
		r = boot_put_entries(w, &out);
	}
	if (r < 0) {
		return r;
	}
	buf_align(&out, IMAGE_PAGE);
	w->header.total_size = out.len;
	memcpy(out.bytes, &w->header, sizeof(w->header));
	error = boot_check(out.bytes, out.len, &view);
	if (error != IMAGE_OK) {
		return report_refuse("boot image", "%s", image_error_text(error));
	}
	*ret_image = out;
	out = (struct buf){0};
	return 0;
}
