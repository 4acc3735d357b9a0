#pragma once
/* Policy files of a command line, read and compared; and what of policies is asked of lud. */
#include <jansson.h>

#include "ctl/cmdline/cmdline.h"
#include "orchestrator/policy/policy.h"

/* No command takes more files (commands.def), nor are there more in a directory. */
#define POLICY_FILES_MAX 64

struct policy_files {
	struct policy_source sources[POLICY_FILES_MAX]; /* of ->policies[], by place */
	struct policy *policies[POLICY_FILES_MAX];
	size_t n;
	struct policy_errors errors;
};

/*
 * Read all files that are named, and those in directories that are (NAME.yaml, by name), with their
 * drop-ins, and compare them when each by itself is valid. CTL_FAILED after all errors were told.
 */
int policy_files_read(const struct options *options, struct policy_files *ret_files);
void policy_files_fini(struct policy_files *files);
/* A text of a file, whatever bytes it has; the errors as JSON, whether there are any or not. */
json_t *policy_json_text(const char *text);
/* Tells all errors, of files whose keys this page of the manual has; CTL_FAILED. */
int policy_errors_refuse(
        const struct options *options, const struct policy_errors *errors, const char *manual);
void policy_errors_print_json(const struct policy_errors *errors);

/* A point in time that an option names, in microseconds since 1970. CTL_USAGE: it names none. */
#define POLICY_USEC INT64_C(1000000)
int policy_read_time(const char *option, const char *text, int64_t *ret_usec);

/* policy_lud.c: `policy show` without files */
int policy_show_running(const struct options *options);
