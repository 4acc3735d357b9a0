/*
 * Addresses are numbers: a name may lead elsewhere tomorrow, and to find out may take long. A port has to be said. What is bound
 * to all addresses (0.0.0.0, [::]) is reached from outside, and is refused as any other.
 */
#include "orchestrator/config/loopback.h"

#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

static bool loopback_is_ours(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

	return address->ss_family == AF_INET
	               ? ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
	               : address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* IPv4 and IPv6 have it at one place. */
static bool loopback_has_port(const struct sockaddr_storage *address)
{
	return ((const struct sockaddr_in *)address)->sin_port != 0;
}

int loopback_parse(const char *text, enum loopback_kind *ret_kind,
        struct sockaddr_storage *ret_address, int *ret_len)
{
	struct sockaddr_storage address = {0};
	int len = sizeof(address);

	if (!strcmp(text, "none") || *text == '/') {
		*ret_kind = *text == '/' ? LOOPBACK_UNIX : LOOPBACK_NONE;
		return 0;
	}
	if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&address, &len) < 0 ||
	        !loopback_has_port(&address)) {
		return err_raise(-EINVAL);
	}
	if (!loopback_is_ours(&address)) {
		return err_raise(-EACCES);
	}
	*ret_kind = LOOPBACK_TCP;
	*ret_address = address;
	*ret_len = len;
	return 0;
}
