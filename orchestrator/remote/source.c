/*
 * Addresses. What is counted by address is known before anything else is, so that is what bounds handshakes. An
 * address with failures is remembered for a while after its last connection, and the number of these is bounded as
 * well: who comes from very many addresses has the oldest forgotten, and meets the limits of all newcomers together.
 */
#include <arpa/inet.h>
#include <string.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/remote/priv.h"

#define SOURCE_MINUTE_USEC INT64_C(60000000)

/* IPv4 as IPv6 writes it; of IPv6 the network. */
static struct in6_addr source_address(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	struct in6_addr key = ((const struct sockaddr_in6 *)address)->sin6_addr;

	if (address->ss_family == AF_INET) {
		key = (struct in6_addr){.s6_addr32 = {0, 0, htonl(0xffff), v4->sin_addr.s_addr}};
	} else if (!IN6_IS_ADDR_V4MAPPED(&key)) {
		key.s6_addr32[2] = key.s6_addr32[3] = 0;
	}
	return key;
}

static void source_print(struct source *source)
{
	if (IN6_IS_ADDR_V4MAPPED(&source->address)) {
		inet_ntop(
		        AF_INET, &source->address.s6_addr32[3], source->name, sizeof(source->name));
	} else {
		inet_ntop(AF_INET6, &source->address, source->name, sizeof(source->name));
	}
}

/* FNV-1a: whoever has addresses that collide has a long list of its own, of a bounded length. */
unsigned int remote_bucket(const void *key, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ ((const uint8_t *)key)[i]) * 16777619u;
	}
	return hash % REMOTE_BUCKETS;
}

static bool source_is_resting(const struct source *source)
{
	return !source->n_newcomers && !source->n_peers;
}

static void source_free(struct remote *remote, struct source *source)
{
	TAILQ_REMOVE(&remote->resting, source, resting);
	remote->n_resting--;
	LIST_REMOVE(source, link);
	free(source);
}

struct source *source_of(struct remote *remote, const struct sockaddr_storage *address)
{
	struct in6_addr key = source_address(address);
	unsigned int bucket = remote_bucket(&key, sizeof(key));
	struct source *source;

	LIST_FOREACH(source, &remote->sources[bucket], link)
	{
		if (!memcmp(&source->address, &key, sizeof(key))) {
			if (source_is_resting(source)) {
				TAILQ_REMOVE(&remote->resting, source, resting);
				remote->n_resting--;
			}
			return source;
		}
	}
	source = mem_zero(sizeof(*source));
	source->address = key;
	source_print(source);
	LIST_INSERT_HEAD(&remote->sources[bucket], source, link);
	return source;
}

void source_done(struct remote *remote, struct source *source)
{
	if (!source_is_resting(source)) {
		return;
	}
	TAILQ_INSERT_TAIL(&remote->resting, source, resting);
	remote->n_resting++;
	if (!source->n_failures) {
		source_free(remote, source);
	} else if (remote->n_resting > REMOTE_SOURCES_MAX) {
		source_free(remote, TAILQ_FIRST(&remote->resting));
	}
}

void sources_free(struct remote *remote)
{
	while (!TAILQ_EMPTY(&remote->resting)) {
		source_free(remote, TAILQ_FIRST(&remote->resting));
	}
}

bool source_is_refused(const struct remote *remote, const struct source *source)
{
	return source->refused_since && elapsed_usec() - source->refused_since <
	                                        (int64_t)remote->config->remote_failures_usec;
}

/* Failures that lie a period back count no more. */
void source_failed(struct remote *remote, struct source *source)
{
	const struct config *config = remote->config;
	int64_t now = elapsed_usec();

	if (now - source->failing_since > (int64_t)config->remote_failures_usec) {
		source->failing_since = now;
		source->n_failures = 0;
	}
	if (++source->n_failures < config->remote_failures) {
		return;
	}
	source->n_failures = 1;
	source->failing_since = now;
	source->refused_since = now;
	if (remote_may_log(remote)) {
		log_warn("remote: %s failed too often, and is refused for a while", source->name);
	}
}

bool remote_may_log(struct remote *remote)
{
	int64_t now = elapsed_usec();

	if (now - remote->lines_since > SOURCE_MINUTE_USEC) {
		if (remote->n_lines > REMOTE_LINES) {
			log_warn("remote: %u more were refused", remote->n_lines - REMOTE_LINES);
		}
		remote->lines_since = now;
		remote->n_lines = 0;
	}
	return ++remote->n_lines <= REMOTE_LINES;
}
