/*
 * Which user a child runs as. Where lud is not root there is no choice. Else `auto` takes the
 * system user of the role, or a number without a name, and falls back to lud's own user where
 * that cannot be had (a container, say); a user that was named is an error then. Whether lud
 * can become a user is tried in a child of its own, because there is no way back.
 */
#include "host/child/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/log.h"

/*
 * Groups first: afterwards there is no right to. Real, effective and saved ids, so there is
 * no way back.
 */
int child_user_become(const struct child_user *user)
{
	if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0) {
		return -1;
	}
	return setresuid(user->uid, user->uid, user->uid);
}

/* In a container, root may not be able to become everybody. 0, or the child's errno. */
static int user_try(const struct child_user *user)
{
	pid_t pid = fork();
	int status;

	if (pid < 0) {
		return errno;
	}
	if (!pid) {
		_exit(child_user_become(user) < 0 ? errno : 0);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return errno;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

/*
 * A number is taken as it is where no user has it. False: no such name. Root is found too;
 * its callers refuse it.
 */
static bool user_look_up(const char *wanted, struct child_user *ret_user)
{
	const struct passwd *entry = getpwnam(wanted);
	char *end;
	unsigned long number = strtoul(wanted, &end, 10);
	bool is_number = *wanted >= '0' && *wanted <= '9' && *end == '\0' && number < UINT32_MAX;

	if (!entry && is_number) {
		entry = getpwuid(number);
	}
	if (!entry && !is_number) {
		return false;
	}
	*ret_user = (struct child_user){
	        .separate = true,
	        .uid = entry ? entry->pw_uid : number,
	        .gid = entry ? entry->pw_gid : number,
	};
	return true;
}

/*
 * A user that was named and cannot be had: lud does not start rather than run a worker as
 * root.
 */
static int user_refuse(const struct child_role *role, const char *wanted, const char *why,
        struct failure *ret_failure)
{
	failure_set(ret_failure, "config", role->key,
	        "name a user that is there for this alone, or say auto or none",
	        "%s cannot run as %s: %s", role->what, wanted, why);
	return err_raise(-EINVAL);
}

/* Falls back to lud's own user with a warning: a container may map one id only. */
static int user_find_auto(const struct child_role *role, struct child_user *ret_user)
{
	struct child_user user;
	int error;

	if (!user_look_up(role->name, &user) || user.uid == 0) {
		user = (struct child_user){.separate = true, .uid = role->uid, .gid = role->uid};
	}
	error = user_try(&user);
	if (error) {
		log_warn("%s runs as root, like lud: it cannot become uid %u here (%s)", role->what,
		        user.uid, strerror(error));
		user.separate = false;
	}
	*ret_user = user;
	return 0;
}

/* A user that exists, is not root, and that lud can become here; else refused. */
static int user_find_named(const struct child_role *role, const char *wanted,
        struct child_user *ret_user, struct failure *ret_failure)
{
	struct child_user user;
	int error;

	if (!user_look_up(wanted, &user)) {
		return user_refuse(role, wanted, "there is no such user", ret_failure);
	}
	if (user.uid == 0) {
		return user_refuse(role, wanted, "it is root", ret_failure);
	}
	error = user_try(&user);
	if (error) {
		return user_refuse(role, wanted, strerror(error), ret_failure);
	}
	*ret_user = user;
	return 0;
}

int child_user_find(const struct child_role *role, const char *wanted, struct child_user *ret_user,
        struct failure *ret_failure)
{
	int r = 0;

	*ret_user = (struct child_user){.separate = false};
	if (geteuid() != 0) {
		log_info("%s runs as lud's own user (uid %u): lud is not root", role->what,
		        geteuid());
		return 0;
	}
	if (!strcmp(wanted, "none")) {
		log_warn("%s runs as root, like lud: %s is none", role->what, role->key);
		return 0;
	}
	r = !strcmp(wanted, "auto") ? user_find_auto(role, ret_user)
	                            : user_find_named(role, wanted, ret_user, ret_failure);
	if (!r && ret_user->separate) {
		log_info("%s runs as uid %u, gid %u", role->what, ret_user->uid, ret_user->gid);
	}
	return err_up(r);
}
