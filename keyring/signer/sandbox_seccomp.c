/*
 * System calls of lusign after its start, as a list of those that are left; any other kills
 * the process. Keys, rules and log are open by then, so opening a file is not among them. A
 * change of libraries may need another call: process_test.c runs the real program in it.
 */
#include "keyring/signer/sandbox.h"

#include <errno.h>
#include <stddef.h>

#include <seccomp.h>

/* Memory for OpenSSL, random numbers, the clock, two pipes or a socket, a log, and the end. */
static const int sandbox_calls[] = {
        SCMP_SYS(read),
        SCMP_SYS(write),
        SCMP_SYS(fdatasync),
        SCMP_SYS(accept4),
        SCMP_SYS(poll),
        SCMP_SYS(getrandom),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(time),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(getpid),
        SCMP_SYS(brk),
        SCMP_SYS(mmap),
        SCMP_SYS(munmap),
        SCMP_SYS(mprotect),
        SCMP_SYS(madvise),
        SCMP_SYS(futex),
        SCMP_SYS(close),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
};

int sandbox_enter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx == NULL ? -ENOMEM : 0;

	for (unsigned int i = 0; r == 0 && i < sizeof(sandbox_calls) / sizeof(sandbox_calls[0]);
	        i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, sandbox_calls[i], 0);
	}
	if (r == 0) {
		r = seccomp_load(ctx);
	}
	seccomp_release(ctx);
	return r;
}
