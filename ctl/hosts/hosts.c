/*
 * Hosts as data: found, put, removed, and what each value may be. A value is looked at when it is read and when a command
 * line gives it, by the same rows, so that nothing is written that could not be read again.
 */
#include "ctl/hosts/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/base/base.h"
#include "ctl/hosts/priv.h"
#include "host/tls/identity.h"

/* What a value is; decides what it may be. */
enum hosts_kind { HOSTS_KIND_ADDRESS, HOSTS_KIND_IDENTITY, HOSTS_KIND_FILE, _HOSTS_KIND_N };

static const struct {
	const char *name;
	enum hosts_kind kind;
	const char *sentence;
} hosts_keys[_HOSTS_KEY_N] = {
#define HOST_KEY(NAME, key, kind, sentence) [HOSTS_##NAME] = {key, HOSTS_KIND_##kind, sentence},
#include "ctl/hosts/hosts.def"
};

const char *hosts_key_name(enum hosts_key key)
{
	return hosts_keys[key].name;
}

/* Also of one that has not got all of its values yet. */
static void hosts_entry_fini(struct hosts_entry *entry)
{
	for (size_t i = 0; i < _HOSTS_KEY_N; i++) {
		free(entry->values[i]);
	}
	free(entry->name);
	free(entry->file);
}

void hosts_fini(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->n_entries; i++) {
		hosts_entry_fini(&hosts->entries[i]);
	}
	free(hosts->entries);
	free(hosts->chosen);
	free(hosts->chosen_file);
	*hosts = (struct hosts){0};
}

const struct hosts_entry *hosts_find(const struct hosts *hosts, const char *name)
{
	for (size_t i = 0; i < hosts->n_entries; i++) {
		if (!strcmp(hosts->entries[i].name, name)) {
			return &hosts->entries[i];
		}
	}
	return NULL;
}

/* Entries move: whoever holds one of before looks it up again. */
struct hosts_entry *hosts_put(struct hosts *hosts, const char *name)
{
	struct hosts_entry *entry;

	(void)hosts_remove(hosts, name);
	hosts->entries =
	        realloc(hosts->entries, (hosts->n_entries + 1) * sizeof(struct hosts_entry));
	if (!hosts->entries) {
		abort();
	}
	entry = &hosts->entries[hosts->n_entries++];
	*entry = (struct hosts_entry){.name = ctl_format("%s", name)};
	return entry;
}

bool hosts_remove(struct hosts *hosts, const char *name)
{
	struct hosts_entry *entry = (struct hosts_entry *)hosts_find(hosts, name);
	size_t behind;

	if (!entry) {
		return false;
	}
	behind = hosts->n_entries - (size_t)(entry - hosts->entries) - 1;
	hosts_entry_fini(entry);
	memmove(entry, entry + 1, behind * sizeof(*entry));
	hosts->n_entries--;
	return true;
}

/* Names are those of certificates, since a host is called by its name there unless something else is said. */
const char *hosts_name_wrong(const char *name, const char **ret_remedy)
{
	_cleanup_(ctl_freep) char *identity = ctl_format("samsara:host/%s", name);
	struct tls_identity parsed;

	if (!strcmp(name, HOSTS_LOCAL)) {
		*ret_remedy = "another name; `local` is the lud of this host";
		return "the name has another meaning";
	}
	*ret_remedy = "a small letter or a digit, then more of these or any of . _ -, at most 63";
	return tls_identity_parse(identity, &parsed) == 0 ? NULL : "not a name of a host";
}

int hosts_check_name(const char *name)
{
	const char *remedy, *wrong = hosts_name_wrong(name, &remedy);

	return wrong ? ctl_fail(CTL_USAGE, name, remedy, "%s", wrong) : CTL_OK;
}

/* The brackets are what tells the colons of an IPv6 address from the one before the port. */
bool hosts_address(const char *address, char **ret_host, char **ret_port)
{
	bool is_quoted = *address == '[';
	const char *host = address + is_quoted;
	size_t len = strcspn(host, is_quoted ? "]" : ":");
	const char *port = host + len + is_quoted;
	unsigned long number;
	char *end;

	if (!len || host[len] != (is_quoted ? ']' : ':') || *port != ':' || port[1] < '1' ||
	        port[1] > '9') {
		return false;
	}
	number = strtoul(port + 1, &end, 10);
	if (*end || number > 65535 || strcspn(host, " \t/%@") < len) {
		return false;
	}
	*ret_host = ctl_format("%.*s", (int)len, host);
	*ret_port = ctl_format("%s", port + 1);
	return true;
}

/* A user's is no name of a server. */
static bool hosts_is_identity(const char *value)
{
	struct tls_identity identity;

	return tls_identity_parse(value, &identity) == 0 && identity.kind == TLS_HOST;
}

/* By the same parser that connects. */
static bool hosts_is_address(const char *value)
{
	_cleanup_(ctl_freep) char *host = NULL;
	_cleanup_(ctl_freep) char *port = NULL;

	return hosts_address(value, &host, &port);
}

const char *hosts_value_wrong(enum hosts_key key, const char *value, const char **ret_remedy)
{
	*ret_remedy = hosts_keys[key].sentence;
	for (const char *at = value; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f) {
			return "it has a character that no file and no address has";
		}
	}
	switch (hosts_keys[key].kind) {
	case HOSTS_KIND_ADDRESS:
		return hosts_is_address(value) ? NULL : "not HOST:PORT";
	case HOSTS_KIND_IDENTITY:
		return hosts_is_identity(value) ? NULL : "not samsara:host/NAME";
	case HOSTS_KIND_FILE:
		*ret_remedy = "the whole path, from / on";
		return *value == '/' && strlen(value) < 4096 ? NULL : "not an absolute path";
	case _HOSTS_KIND_N:
		break;
	}
	return NULL;
}

int hosts_set(struct hosts_entry *entry, enum hosts_key key, const char *value)
{
	const char *remedy, *wrong = hosts_value_wrong(key, value, &remedy);

	if (wrong) {
		return ctl_fail(CTL_USAGE, hosts_keys[key].name, remedy, "`%s`: %s", value, wrong);
	}
	free(entry->values[key]);
	entry->values[key] = ctl_format("%s", value);
	return CTL_OK;
}
