/*
 * Commands that become another program, beside luforge: making a kit needs LLVM, comparing two
 * layouts a disassembler, and to load such libraries takes longer than to make a variant. Nothing
 * else needs them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "forge/base/mem.h"
#include "forge/base/report.h"
#include "forge/cmd/cmd.h"

/* Does not return when the program is there; argv is the command's own. */
static int become_run(const char *program, char **argv)
{
	char self[4096];
	const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash;

	if (len < 0) {
		return report_errno("/proc/self/exe", errno, "cannot be read");
	}
	self[len] = '\0';
	slash = strrchr(self, '/');
	MEM_FREE char *path = mem_printf("%.*s/%s", (int)(slash ? slash - self : 0), self, program);
	(void)execv(path, argv);
	return report_errno(path, errno, "cannot be run; it belongs beside luforge");
}

int cmd_kit(int argc, char **argv)
{
	return become_run("luforge-kit", argv);
}

int cmd_compare(int argc, char **argv)
{
	return become_run("luforge-compare", argv);
}
