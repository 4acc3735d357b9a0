#pragma once
/* The stream to a lud on another host: TLS by the rules of host/tls, to the one host that an entry names. */
#include "ctl/client/stream.h"
#include "ctl/hosts/hosts.h"

/*
 * Connect and shake hands, within 10 s altogether, or what is left of the time to wait (wait.h), but a second at least.
 * CTL_OK; or an exit code, told: CTL_UNREACHABLE: it may work later; CTL_TRUST: it will not before somebody has changed something; CTL_INTERRUPTED.
 */
int stream_open_tls(const struct hosts_entry *host, struct stream **ret_stream);
/* Whether its files are such that a connection could be made with them, which is not done. CTL_OK; CTL_TRUST, told. */
int stream_check_tls(const struct hosts_entry *host);
