/*
 * What every file of luctl uses: messages of failure, and memory.
 *
 * luctl is a program that runs once: without memory it ends (abort), so no caller has an error
 * path for it. Every message of failure is escaped here for a terminal, whatever its parts are,
 * so no caller has to remember which of them came from lud or from a machine.
 */
#include "ctl/base/base.h"

#include <stdarg.h>

#include "host/text/escape.h"

/* vasprintf() that ends the process when there is no memory. */
static char *ctl_vformat(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0) {
		abort();
	}
	return text;
}

/* Words of lud and of machines come along in any of these. */
static void ctl_tell(const char *before, const char *text)
{
	_cleanup_(ctl_freep) char *escaped = text_escape_new(text);

	fprintf(stderr, "%s%s\n", before, escaped);
}

/* Failures of this command line; beyond the limit they repeat themselves. */
#define CTL_FAULTS_MAX 32u
static struct ctl_fault ctl_faults[CTL_FAULTS_MAX];
static size_t ctl_n_faults;

static void ctl_fault_keep(const struct ctl_fault *fault)
{
	struct ctl_fault *kept = &ctl_faults[ctl_n_faults];

	if (ctl_n_faults == CTL_FAULTS_MAX) {
		return;
	}
	ctl_n_faults++;
	*kept = *fault;
	kept->place = ctl_format("%s", fault->place);
	kept->cause = ctl_format("%s", fault->cause);
	kept->remedy = ctl_format("%s", fault->remedy);
	kept->name = ctl_format("%s", fault->name);
}

/* What ctl_catch() asked for, and got. */
static bool ctl_is_catching;
static char ctl_last[400];

void ctl_catch(bool on)
{
	ctl_is_catching = on;
	if (on) {
		*ctl_last = '\0';
	}
}

const char *ctl_caught(void)
{
	return ctl_last;
}

int ctl_fail_as(const struct ctl_fault *fault, bool is_told)
{
	_cleanup_(ctl_freep) char *text = NULL;

	if (ctl_is_catching) {
		snprintf(ctl_last, sizeof(ctl_last), "%s%s%s", fault->place,
		        *fault->place ? ": " : "", fault->cause);
		return fault->code;
	}
	ctl_fault_keep(fault);
	if (is_told) {
		return fault->code;
	}
	text = ctl_format("%s%s%s%s%s%s", fault->place, *fault->place ? ": " : "", fault->cause,
	        *fault->name ? " (" : "", fault->name, *fault->name ? ")" : "");
	ctl_tell("luctl: ", text);
	if (*fault->remedy) {
		ctl_tell("       ", fault->remedy);
	}
	return fault->code;
}

int ctl_fail(enum ctl_exit code, const char *where, const char *remedy, const char *format, ...)
{
	_cleanup_(ctl_freep) char *cause = NULL;
	va_list args;

	va_start(args, format);
	cause = ctl_vformat(format, args);
	va_end(args);
	return ctl_fail_as(
	        &(struct ctl_fault){code, where, cause, remedy ? remedy : "", "", 0}, false);
}

size_t ctl_faults_n(void)
{
	return ctl_n_faults;
}

const struct ctl_fault *ctl_fault_at(size_t i)
{
	return &ctl_faults[i];
}

void ctl_faults_forget(void)
{
	while (ctl_n_faults) {
		struct ctl_fault *fault = &ctl_faults[--ctl_n_faults];

		free((char *)fault->place);
		free((char *)fault->cause);
		free((char *)fault->remedy);
		free((char *)fault->name);
	}
}

void ctl_freep(void *pp)
{
	free(*(void **)pp);
}

char *ctl_format(const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	text = ctl_vformat(format, args);
	va_end(args);
	return text;
}

void *ctl_zero(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory) {
		abort();
	}
	return memory;
}
