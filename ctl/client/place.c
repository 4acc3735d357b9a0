/*
 * Where socket, keyring and CA are when nobody says so. A variable of the environment comes first,
 * then the build tree that luctl itself lies in (it has build.ninja above it), then the
 * system's places; the socket has one for users too.
 */
#include "ctl/client/place.h"

#include <libgen.h>
#include <limits.h>
#include <unistd.h>

#include "ctl/base/base.h"

/* A path in the build tree that luctl lies in; NULL when it lies in none. */
static char *place_in_tree(const char *name)
{
	_cleanup_(ctl_freep) char *ninja = NULL;
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	const char *dir;

	if (n <= 0) {
		return NULL;
	}
	exe[n] = '\0';
	dir = dirname(dirname(exe));
	ninja = ctl_format("%s/build.ninja", dir);
	return access(ninja, F_OK) == 0 ? ctl_format("%s/%s", dir, name) : NULL;
}

/*
 * A path from the environment, or else in the build tree; NULL: from neither. An empty variable
 * counts as none.
 */
static char *place_from(const char *variable, const char *in_tree)
{
	const char *named = getenv(variable);

	return named && *named ? ctl_format("%s", named) : place_in_tree(in_tree);
}

char *place_socket(void)
{
	const char *xdg = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	char *path = place_from("SAMSARA_SOCKET", "run/lud.sock");

	if (path) {
		return path;
	}
	if (getuid() == 0) {
		return ctl_format("/var/lib/samsara/lud.sock");
	}
	if (xdg) {
		return ctl_format("%s/samsara/lud.sock", xdg);
	}
	return ctl_format("%s/.local/state/samsara/lud.sock", home ? home : "/tmp");
}

char *place_keys(void)
{
	char *path = place_from("SAMSARA_KEYS", "keys");

	return path ? path : ctl_format("/etc/samsara/keys");
}

char *place_ca(void)
{
	char *path = place_from("SAMSARA_CA", "ca");

	return path ? path : ctl_format("/etc/samsara/ca");
}

char *place_build(void)
{
	return place_from("SAMSARA_BUILD", ".");
}
