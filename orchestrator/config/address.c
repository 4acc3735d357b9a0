/*
 * Addresses to listen at. They are numbers, never names: what a name stands for is said by somebody else, and can
 * change while nobody looks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/base/err.h"
#include "orchestrator/config/config.h"

bool config_is_remote(const struct config *config)
{
	return strcmp(config->remote_listen, "none") != 0;
}

/* One to five digits, up to the end. */
static bool address_port(const char *text, in_port_t *ret_port)
{
	size_t len = strspn(text, "0123456789");
	unsigned long port = strtoul(text, NULL, 10);

	if (!len || len > 5 || text[len] || port > UINT16_MAX) {
		return false;
	}
	*ret_port = htons((uint16_t)port);
	return true;
}

int config_address_parse(const char *text, struct sockaddr_storage *ret_address)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	char number[INET6_ADDRSTRLEN + 2];
	in_port_t port;

	if (!colon || len >= sizeof(number) || !address_port(colon + 1, &port)) {
		return err_raise(-EINVAL);
	}
	memcpy(number, text, len);
	number[len] = '\0';
	if (number[0] == '[' && number[len - 1] == ']') {
		number[len - 1] = '\0';
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		if (inet_pton(AF_INET6, number + 1, &v6->sin6_addr) != 1) {
			return err_raise(-EINVAL);
		}
	} else {
		*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		if (inet_pton(AF_INET, number, &v4->sin_addr) != 1) {
			return err_raise(-EINVAL);
		}
	}
	*ret_address = address;
	return 0;
}

bool config_address_is_any(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET) {
		return v4->sin_addr.s_addr == htonl(INADDR_ANY);
	}
	return IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && !v6->sin6_addr.s6_addr32[3]);
}
