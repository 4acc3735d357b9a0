/*
 * What a service says, and what it knows of its surroundings. A log line is cut off at 256 bytes
 * and is one kernel call; one that the kernel refuses is dropped, so that no service depends on
 * its log. The text of a panic lies in a static buffer, out of which RS reads it while the
 * instance stands in its last report. Names are looked up in the start page first, which costs no
 * call; a service that was not there at the start is asked of the kernel.
 */
#include "osd/lib/sef/sef.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "osd/lib/rt/rt.h"
#include "osd/lib/annotate/annotate.h"

#define LINE_MAX_BYTES 256

static char panic_text[LINE_MAX_BYTES] STATE_SKIP;

const struct start_info *sef_start(void)
{
	return rt_start_info();
}

void sef_log(const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	(void)sys_log_write(line, n < LINE_MAX_BYTES ? (size_t)n : LINE_MAX_BYTES - 1);
}

void sef_panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(panic_text, sizeof(panic_text), format, args);
	va_end(args);
	rt_panic(panic_text);
}

endpoint_t sef_lookup(const char *name)
{
	const struct start_info *info = sef_start();
	char padded[SERVICE_NAME_LEN] = {0};
	err_t found;

	for (uint32_t i = 0; i < info->n_names && i < START_NAMES_MAX; i++) {
		if (strncmp(info->names[i].name, name, SERVICE_NAME_LEN) == 0 &&
		        info->names[i].endpoint != EP_NONE) {
			return info->names[i].endpoint;
		}
	}
	strncpy(padded, name, sizeof(padded) - 1);
	found = sys_lookup(padded);
	return found >= 0 ? (endpoint_t)found : EP_NONE;
}

bool sef_argument(const char *key, char *ret_value, size_t size)
{
	const char *word = sef_start()->arguments;
	size_t key_bytes = strlen(key);

	while (*word) {
		size_t bytes = strcspn(word, " ");

		if (bytes > key_bytes && word[key_bytes] == '=' &&
		        strncmp(word, key, key_bytes) == 0) {
			if (bytes - key_bytes > size) {
				return false;
			}
			memcpy(ret_value, word + key_bytes + 1, bytes - key_bytes - 1);
			ret_value[bytes - key_bytes - 1] = '\0';
			return true;
		}
		word += bytes + (word[bytes] == ' ');
	}
	return false;
}
