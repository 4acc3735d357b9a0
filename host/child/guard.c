/*
 * A guarded child has no way back: groups go first, then the user, and no later exec
 * gives privileges again. The filter takes away the network, other processes, mounts,
 * name spaces and keys of the kernel. What it may do with files, owners and modes say,
 * for which it needs a user of its own. A call that is not allowed fails with EPERM, so
 * that tools which merely try go on.
 *
 * Children of one user could still signal each other, and reach each other's memory and
 * directories through /proc. A domain of its own (Landlock) ends that, as far as the
 * kernel has it: signals from Linux 6.12 on, /proc from 6.7 on.
 */
#include "host/child/guard.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#define GUARD_GIB (UINT64_C(1) << 30)

char *const child_guard_environment[] = {
        (char[]){"PATH=/usr/local/bin:/usr/bin:/bin"},
        (char[]){"LC_ALL=C"},
        (char[]){"TMPDIR=."},
        NULL,
};

/*
 * What no tool of a worker needs, and what would reach other processes, the network or the
 * kernel. A list of the forbidden, not of the allowed: linkers and compilers use too much
 * that is harmless.
 */
static const int guard_denied[] = {
        SCMP_SYS(socket),
        SCMP_SYS(io_uring_setup),
        SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(pidfd_getfd),
        SCMP_SYS(kcmp),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(bpf),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(move_mount),
        SCMP_SYS(open_tree),
        SCMP_SYS(fsopen),
        SCMP_SYS(fspick),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(unshare),
        SCMP_SYS(setns),
        SCMP_SYS(add_key),
        SCMP_SYS(request_key),
        SCMP_SYS(keyctl),
        SCMP_SYS(open_by_handle_at),
        SCMP_SYS(init_module),
        SCMP_SYS(finit_module),
        SCMP_SYS(delete_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(kexec_file_load),
        SCMP_SYS(reboot),
        SCMP_SYS(swapon),
        SCMP_SYS(swapoff),
        SCMP_SYS(settimeofday),
        SCMP_SYS(clock_settime),
        SCMP_SYS(iopl),
        SCMP_SYS(ioperm),
};

/* clone() itself is needed for processes and threads; new name spaces are not. */
static const int guard_spaces[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID,
        CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};

static const struct {
	int resource;
	rlim_t limit;
} guard_limits[] = {
        {RLIMIT_CORE, 0},
        {RLIMIT_NOFILE, 256},
        {RLIMIT_AS, 8 * GUARD_GIB},
        {RLIMIT_FSIZE, GUARD_GIB},
        {RLIMIT_CPU, 600},
};

static int guard_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < sizeof(guard_denied) / sizeof(guard_denied[0]); i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), guard_denied[i], 0);
	}
	for (size_t i = 0; !r && i < sizeof(guard_spaces) / sizeof(guard_spaces[0]); i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
		        SCMP_A0(SCMP_CMP_MASKED_EQ, guard_spaces[i], guard_spaces[i]));
	}
	/* Its flags are in memory, where a filter sees nothing: the C library takes clone(). */
	if (!r) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	}
	/* Limits of its own only: those of another one can end it. */
	if (!r) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
		        SCMP_A0(SCMP_CMP_NE, 0, 0));
	}
	if (!r) {
		r = seccomp_load(filter);
	}
	seccomp_release(filter);
	errno = -r;
	return r ? -1 : 0;
}

/*
 * As linux/landlock.h of newer kernels has it. Any ruleset makes a domain, and none looks
 * into processes outside its own. Rules for files are not used: they forbid more renaming
 * than is asked for. TCP is denied twice, since there are no sockets.
 */
struct guard_ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

#define GUARD_LANDLOCK_VERSION 1u /* flag: say which version */
#define GUARD_NET_TCP 3u          /* bind, connect; from version 4 on */
#define GUARD_SCOPES 3u           /* abstract sockets, signals; from version 6 on */

/* Without Landlock there is no domain: what seccomp and the user forbid stays forbidden. */
static int guard_domain(void)
{
	struct guard_ruleset rules = {.net = GUARD_NET_TCP};
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, GUARD_LANDLOCK_VERSION);
	int fd, r;

	if (version < 4) {
		return 0;
	}
	rules.scoped = version < 6 ? 0 : GUARD_SCOPES;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (fd < 0) {
		return -1;
	}
	r = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return r;
}

/* Never raises a limit; the hard one goes down with the soft one. */
static int guard_limit(void)
{
	for (size_t i = 0; i < sizeof(guard_limits) / sizeof(guard_limits[0]); i++) {
		struct rlimit limit;

		if (getrlimit(guard_limits[i].resource, &limit) < 0) {
			return -1;
		}
		if (limit.rlim_max > guard_limits[i].limit) {
			limit.rlim_max = guard_limits[i].limit;
		}
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(guard_limits[i].resource, &limit) < 0) {
			return -1;
		}
	}
	return 0;
}

/*
 * In this order: the user while there is a right to change it, limits, no new privileges, the
 * domain, and the filter last, which forbids some of the calls before it. *ret_what says what
 * failed.
 */
int child_guard_enter(const struct child_guard *guard, const char **ret_what)
{
	*ret_what = "change its user";
	if (guard->user.separate && child_user_become(&guard->user) < 0) {
		return -1;
	}
	/* A change of user has taken back that it dies with lud. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
		return -1;
	}
	*ret_what = "limit itself";
	if (guard_limit() < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return -1;
	}
	*ret_what = "enter its domain (Landlock)";
	if (guard_domain() < 0) {
		return -1;
	}
	*ret_what = "enter its sandbox (seccomp)";
	return guard_filter();
}
