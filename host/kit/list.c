/*
 * Lists of files as text. Reading is writing turned round: what was read is written
 * again and must give the same bytes, so that one kit has exactly one list and one
 * release id. Paths are judged before anything else is done with them.
 */
#include "host/kit/list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/text/escape.h"

#define KIT_LIST_HEAD "samsara kit files 1\n"
#define KIT_LIST_STEP 256u

int kit_fault_set(
        struct kit_fault *ret_fault, int error, const char *place, const char *format, ...)
{
	/* The place may be the old one. */
	struct kit_fault fault = {.reason = ENVELOPE_OK};
	char text[sizeof(fault.text)];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Names in a kit are a stranger's: nothing that a terminal would obey is shown. */
	(void)text_escape(fault.place, sizeof(fault.place), place);
	(void)text_escape(fault.text, sizeof(fault.text), text);
	*ret_fault = fault;
	return error;
}

void kit_list_fini(struct kit_list *list)
{
	free(list->entries);
	*list = (struct kit_list){0};
}

/* Letters that mean nothing to a shell, a terminal or a path. */
static size_t kit_name_length(const char *name)
{
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-");
}

/*
 * A name that begins with no dot (so no "..", nothing hidden), and is none of the kit's own
 * files. Judged before it is used for anything.
 */
bool kit_path_is_valid(const char *path)
{
	return strlen(path) <= KIT_PATH_MAX && path[0] != '\0' && path[0] != '.' &&
	       path[kit_name_length(path)] == '\0' && strcmp(path, KIT_LIST) != 0 &&
	       strcmp(path, KIT_MANIFEST) != 0 && strcmp(path, KIT_SIGNED) != 0;
}

/* The first entry whose path is not below this one. */
static size_t kit_list_place(const struct kit_list *list, const char *path)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(list->entries[middle].path, path) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

const struct kit_list_entry *kit_list_find(const struct kit_list *list, const char *path)
{
	size_t at = kit_list_place(list, path);

	return at < list->n && strcmp(list->entries[at].path, path) == 0 ? &list->entries[at]
	                                                                 : NULL;
}

static uint64_t kit_list_bytes(const struct kit_list *list)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < list->n; i++) {
		sum += list->entries[i].len;
	}
	return sum;
}

/*
 * One more entry: its path, that it is new, and that counts and bytes stay within their
 * limits.
 */
static int kit_list_judge(const struct kit_list *list, const struct kit_list_entry *entry,
        const char *place, struct kit_fault *ret_fault)
{
	if (!kit_path_is_valid(entry->path)) {
		return kit_fault_set(ret_fault, -EBADMSG, place,
		        "'%s' is no path of a file of a kit; make the kit again", entry->path);
	}
	if (kit_list_find(list, entry->path)) {
		return kit_fault_set(ret_fault, -EBADMSG, place,
		        "%s is there twice; make the kit again", entry->path);
	}
	if (list->n == KIT_FILES_MAX) {
		return kit_fault_set(ret_fault, -EFBIG, place,
		        "a kit has at most %u files; make the kit again", KIT_FILES_MAX);
	}
	if (entry->len > KIT_FILE_BYTES_MAX) {
		return kit_fault_set(ret_fault, -EFBIG, place,
		        "%s has %" PRIu64 " bytes, and a file of a kit at most %" PRIu64
		        "; make it smaller",
		        entry->path, entry->len, KIT_FILE_BYTES_MAX);
	}
	if (kit_list_bytes(list) + entry->len > KIT_BYTES_MAX) {
		return kit_fault_set(ret_fault, -EFBIG, place,
		        "a kit has at most %" PRIu64 " bytes; split the service", KIT_BYTES_MAX);
	}
	return 0;
}

int kit_list_add(struct kit_list *list, const struct kit_list_entry *entry, const char *place,
        struct kit_fault *ret_fault)
{
	struct kit_list_entry *entries = list->entries;
	size_t at = kit_list_place(list, entry->path);
	int r = kit_list_judge(list, entry, place, ret_fault);

	if (r < 0) {
		return r;
	}
	if (list->n % KIT_LIST_STEP == 0) {
		entries = reallocarray(entries, list->n + KIT_LIST_STEP, sizeof(*entries));
	}
	if (!entries) {
		return kit_fault_set(ret_fault, -ENOMEM, place, "out of memory");
	}
	list->entries = entries;
	memmove(&entries[at + 1], &entries[at], (list->n - at) * sizeof(*entries));
	entries[at] = *entry;
	list->n++;
	return 0;
}

int kit_list_write(const struct kit_list *list, char **ret_text, size_t *ret_len)
{
	FILE *file = open_memstream(ret_text, ret_len);
	size_t i, k;

	if (!file) {
		return -errno;
	}
	fputs(KIT_LIST_HEAD, file);
	for (i = 0; i < list->n; i++) {
		for (k = 0; k < sizeof(list->entries[i].hash); k++) {
			fprintf(file, "%02x", list->entries[i].hash[k]);
		}
		fprintf(file, " %" PRIu64 " %s\n", list->entries[i].len, list->entries[i].path);
	}
	if (fclose(file) != 0) {
		free(*ret_text);
		return -ENOMEM;
	}
	return 0;
}

static bool kit_hex_digit(char c, uint8_t *ret_value)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c) : NULL;

	*ret_value = found ? (uint8_t)(found - digits) : 0;
	return found != NULL;
}

/* HASH, blank, LENGTH, blank, PATH; whether it is the only form is seen afterwards. */
static bool kit_list_parse_line(const char *line, struct kit_list_entry *ret_entry)
{
	uint8_t high, low;
	char *end;
	size_t i;

	for (i = 0; i < sizeof(ret_entry->hash); i++) {
		if (!kit_hex_digit(line[2 * i], &high) || !kit_hex_digit(line[2 * i + 1], &low)) {
			return false;
		}
		ret_entry->hash[i] = (uint8_t)(high << 4 | low);
	}
	line += 2 * sizeof(ret_entry->hash);
	if (line[0] != ' ' || line[1] < '0' || line[1] > '9') {
		return false;
	}
	errno = 0;
	ret_entry->len = strtoull(line + 1, &end, 10);
	if (errno != 0 || *end != ' ' || strlen(end + 1) > KIT_PATH_MAX) {
		return false;
	}
	strcpy(ret_entry->path, end + 1);
	return true;
}

static int kit_list_parse_text(
        struct kit_list *list, char *text, const char *place, struct kit_fault *ret_fault)
{
	struct kit_list_entry entry = {0};
	char *line;
	int r = 0;

	(void)strsep(&text, "\n");
	while (r == 0 && (line = strsep(&text, "\n")) && (*line || text)) {
		if (!kit_list_parse_line(line, &entry)) {
			return kit_fault_set(ret_fault, -EBADMSG, place,
			        "the list of files is damaged; make the kit again");
		}
		r = kit_list_add(list, &entry, place, ret_fault);
	}
	return r;
}

/* What was understood, written again, must be what was read. */
static int kit_list_compare(const struct kit_list *list, const void *bytes, size_t len,
        const char *place, struct kit_fault *ret_fault)
{
	char *text = NULL;
	size_t text_len;
	int r = kit_list_write(list, &text, &text_len);

	if (r < 0) {
		return kit_fault_set(ret_fault, r, place, "%s", strerror(-r));
	}
	if (text_len != len || memcmp(text, bytes, len) != 0) {
		r = kit_fault_set(ret_fault, -EBADMSG, place,
		        "the list of files is not in its one form; make the kit again");
	}
	free(text);
	return r;
}

int kit_list_parse(struct kit_list *ret_list, const void *bytes, size_t len, const char *place,
        struct kit_fault *ret_fault)
{
	struct kit_list list = {0};
	char *text;
	int r;

	if (len > KIT_LIST_BYTES_MAX || len < strlen(KIT_LIST_HEAD) ||
	        memcmp(bytes, KIT_LIST_HEAD, strlen(KIT_LIST_HEAD)) != 0) {
		return kit_fault_set(ret_fault, -EBADMSG, place,
		        "not a list of a kit's files; make the kit again");
	}
	text = strndup(bytes, len);
	if (!text) {
		return kit_fault_set(ret_fault, -ENOMEM, place, "out of memory");
	}
	r = kit_list_parse_text(&list, text, place, ret_fault);
	free(text);
	if (r == 0) {
		r = kit_list_compare(&list, bytes, len, place, ret_fault);
	}
	if (r < 0) {
		kit_list_fini(&list);
		return r;
	}
	*ret_list = list;
	return 0;
}
