/*
 * The choice is made before a command runs, so that a command need not know there is one. The hosts file is read only where it
 * decides: who names a socket is not kept from it by a mistake there.
 */
#include "ctl/client/target.h"

#include <string.h>

#include "ctl/base/base.h"

static struct hosts target_hosts;
static const struct hosts_entry *target_entry;
static const char *target_by; /* by what it was chosen */

const struct hosts_entry *target_host(void)
{
	return target_entry;
}

static int target_find(const char *name, const char *by)
{
	if (!strcmp(name, HOSTS_LOCAL)) {
		return CTL_OK;
	}
	target_entry = hosts_find(&target_hosts, name);
	target_by = by;
	return target_entry ? CTL_OK
	                    : ctl_fail(CTL_NOT_FOUND, by,
	                              "`luctl host list` shows those there are, `luctl host add` "
	                              "adds one",
	                              "there is no host `%s`", name);
}

static const char *target_of(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value ? value : NULL;
}

int target_choose(const struct options *options)
{
	const char *named = *options->host ? options->host : target_of("SAMSARA_HOST");
	int code;

	if (*options->host && options->socket) {
		return ctl_fail(CTL_USAGE, "--host", "give one of both",
		        "a socket is on this host: --host and --socket exclude each other");
	}
	if (options->socket || (!named && target_of("SAMSARA_SOCKET")) ||
	        (named && !strcmp(named, HOSTS_LOCAL))) {
		return CTL_OK;
	}
	code = hosts_read(&target_hosts);
	if (code != CTL_OK) {
		return code;
	}
	if (named) {
		return target_find(named, *options->host ? "--host" : "SAMSARA_HOST");
	}
	return target_hosts.chosen ? target_find(target_hosts.chosen, target_hosts.chosen_file)
	                           : CTL_OK;
}

int target_must_be_here(const char *command, const char *why)
{
	if (!target_entry) {
		return CTL_OK;
	}
	return ctl_fail(CTL_USAGE, target_by,
	        "give the command on that host; or --host local, for the lud of this one",
	        "`luctl %s` cannot be done on %s from here: %s", command, target_entry->name, why);
}

void target_set(const struct hosts_entry *host)
{
	target_entry = host;
}
