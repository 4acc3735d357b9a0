/*
 * Both are needed: a CPU that can, and the right to use it. All CPUs of a host have the same flags, so the first
 * one's count. The line of flags is longer than a page on some CPUs, so it is read whole.
 */
#include "host/kvm/kvm.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether the line has the flag as a word behind its first. */
static bool kvm_has(const char *line, const char *flag)
{
	size_t len = strlen(flag);

	for (const char *at = strstr(line + 1, flag); at; at = strstr(at + len, flag)) {
		if (isspace((unsigned char)at[-1]) &&
		        (!at[len] || isspace((unsigned char)at[len]))) {
			return true;
		}
	}
	return false;
}

static bool kvm_cpu_can(const char *cpus)
{
	FILE *file = fopen(cpus, "re");
	char *line = NULL;
	size_t size = 0;
	bool is_flags = false;
	bool can = false;

	while (file && !is_flags && getline(&line, &size, file) > 0) {
		is_flags = !strncmp(line, "flags", 5);
		can = is_flags && (kvm_has(line, "vmx") || kvm_has(line, "svm"));
	}
	if (file) {
		(void)fclose(file);
	}
	free(line);
	return can;
}

enum kvm_state kvm_ask(const char *cpus, const char *device)
{
	if (!kvm_cpu_can(cpus)) {
		return KVM_NO_CPU;
	}
	if (access(device, R_OK | W_OK) == 0) {
		return KVM_READY;
	}
	return errno == EACCES ? KVM_DENIED : KVM_NO_DEVICE;
}
