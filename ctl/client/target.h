#pragma once
/* Which lud the commands of this run ask: one for the program, as there is one command line. */
#include "ctl/cmdline/cmdline.h"
#include "ctl/hosts/hosts.h"

/*
 * Choose it: --host or --socket, else $SAMSARA_HOST, else $SAMSARA_SOCKET, else the default of the hosts file, else the lud of
 * this host. CTL_OK; CTL_USAGE, CTL_NOT_FOUND, CTL_FAILED, CTL_TRUST: told.
 */
int target_choose(const struct options *options);
/* CTL_USAGE, told, if that is a lud on another host: the command works beside it alone. */
int target_must_be_here(const char *command, const char *why);
/* Another one, for whoever asks a host that the file does not have yet. */
void target_set(const struct hosts_entry *host);
/* NULL: on this host. */
const struct hosts_entry *target_host(void);
