/*
 * luforge kit becomes another program, luforge-kit beside it. Making a kit needs LLVM, whose
 * libraries take longer to load than a variant takes to be made; nothing else needs them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "forge/base/mem.h"
#include "forge/base/report.h"
#include "forge/cmd/cmd.h"

#define KIT_PROGRAM "luforge-kit"

/* Does not return when the program is there; argv is the command's own. */
int cmd_kit(int argc, char **argv)
{
	char self[4096];
	const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash;

	if (len < 0) {
		return report_errno("/proc/self/exe", errno, "cannot be read");
	}
	self[len] = '\0';
	slash = strrchr(self, '/');
	MEM_FREE char *path =
	        mem_printf("%.*s/" KIT_PROGRAM, (int)(slash ? slash - self : 0), self);
	(void)execv(path, argv);
	return report_errno(
	        path, errno, "cannot run the program that makes kits; it belongs beside luforge");
}
