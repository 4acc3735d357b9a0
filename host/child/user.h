#pragma once
/*
 * The users that lud's children run as, where lud is root: one that is configured, the
 * system user of a fixed name, or a user id without a name.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "host/base/err.h"
#include "host/base/failure.h"

struct child_user {
	bool separate; /* else the child is lud's own user, and the rest counts for nothing */
	uid_t uid;
	gid_t gid;
};

/* One kind of child. */
struct child_role {
	const char *what; /* "the signer", for the log */
	const char *key;  /* of the configuration */
	const char *name; /* of its system user */
	uid_t uid;        /* where there is no such user */
};

/*
 * What the configuration's word comes to, told in the log: `auto`, `none`, a name or a
 * number. Errors, with the failure filled in: an unknown user, root, one that lud cannot
 * become. With `auto` the last is no error: the child then shares lud's user.
 */
int __must_check child_user_find(const struct child_role *role, const char *wanted,
        struct child_user *ret_user, struct failure *ret_failure);
/* For good, without groups. Only in a child, after fork(). -1 with errno. */
int __must_check child_user_become(const struct child_user *user);
