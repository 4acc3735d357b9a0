/*
 * From a socket to a principal. Names of users and groups are looked up when somebody connects, and again
 * when the configuration is read again, never for a single request: the look-up may be slow.
 */
#include "orchestrator/access/access.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/base/err.h"
#include "orchestrator/access/rights.h"
#include "orchestrator/config/config.h"

/* Each role with what it includes. */
static const unsigned int access_sets[_ACCESS_ROLE_N] = {
#define ROLE(name, number, word, includes, sentence) [number] = 1u << (number) | (includes),
#include "proto/words/access.def"
};

/* Somebody in more groups than there is room for is in its main group alone: the kernel tells all or none. */
static int access_groups(int fd, struct access_peer *peer)
{
	socklen_t size = sizeof(peer->groups) - sizeof(peer->groups[0]);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups + peer->n_groups, &size) < 0) {
		return errno == ERANGE ? 0 : err_raise(-errno);
	}
	peer->n_groups += size / sizeof(peer->groups[0]);
	return 0;
}

int access_peer_of(int fd, struct access_peer *ret_peer)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	struct passwd *user;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
		return err_raise(-errno);
	}
	user = getpwuid(peer.uid);
	*ret_peer = (struct access_peer){.uid = peer.uid, .n_groups = 1, .groups = {peer.gid}};
	snprintf(ret_peer->name, sizeof(ret_peer->name), "%s (uid %u, pid %d)",
	        user ? user->pw_name : "?", peer.uid, peer.pid);
	return err_up(access_groups(fd, ret_peer));
}

bool access_is_owner(const struct access_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

enum access_role access_role_of(const char *word)
{
	enum access_role role = _ACCESS_ROLE_N;

	do {
		role--;
	} while (role != ACCESS_NOBODY && strcmp(access_role_word(role), word) != 0);
	return role;
}

/* Adds what is given in these words: "operator", "operator@edge,lab"; false: it is nothing. */
static bool access_words(char word[CONFIG_ROLE_SIZE], struct access_rights *rights)
{
	enum access_role role;
	char *groups, *rest = word;

	role = access_role_of(strsep(&rest, "@"));
	if (role == ACCESS_NOBODY) {
		return false;
	}
	if (!rest) {
		access_rights_add(rights, role, NULL);
	}
	while ((groups = strsep(&rest, ","))) {
		access_rights_add(rights, role, groups);
	}
	return true;
}

/* Adds what an id or its name is given, whichever the configuration has. */
static bool access_named(const struct config *config, const char *kind, uint64_t id,
        const char *name, struct access_rights *rights)
{
	char number[24], word[CONFIG_ROLE_SIZE] = "";

	snprintf(number, sizeof(number), "%" PRIu64, id);
	if (!name || !config_role(config, kind, name, word)) {
		(void)config_role(config, kind, number, word);
	}
	return access_words(word, rights);
}

void access_peer_rights(const struct config *config, const struct access_peer *peer,
        struct access_rights *ret_rights)
{
	struct passwd *user = getpwuid((uid_t)peer->uid);

	*ret_rights = (struct access_rights){0};
	if (access_is_owner(peer) || peer->uid == config->allow_uid) {
		access_rights_add(ret_rights, ACCESS_ADMIN, NULL);
		return;
	}
	if (access_named(config, "user", peer->uid, user ? user->pw_name : NULL, ret_rights)) {
		return;
	}
	for (size_t i = 0; i < peer->n_groups; i++) {
		struct group *group = getgrgid(peer->groups[i]);

		(void)access_named(config, "group", peer->groups[i], group ? group->gr_name : NULL,
		        ret_rights);
	}
}

static void access_admin_entry(const char *source, uint64_t uid, access_entry_fn fn, void *arg)
{
	struct access_rights rights = {.everywhere = 1u << ACCESS_ADMIN};
	char name[32];

	snprintf(name, sizeof(name), "user/%" PRIu64, uid);
	fn(&(struct access_entry){source, name, "", &rights}, arg);
}

/* By number where the configuration does not name them: a look-up may be slow. */
void access_peers_each(const struct config *config, access_entry_fn fn, void *arg)
{
	char name[CONFIG_NAME_SIZE], word[CONFIG_ROLE_SIZE];

	access_admin_entry("owner", 0, fn, arg);
	if (geteuid() != 0) {
		access_admin_entry("owner", geteuid(), fn, arg);
	}
	if (config->allow_uid != UINT64_MAX) {
		access_admin_entry("allow_uid", config->allow_uid, fn, arg);
	}
	for (size_t i = 0; config_role_name(config, i, name); i++) {
		struct access_rights rights = {0};
		char kind[CONFIG_NAME_SIZE], *of = kind;

		strcpy(kind, name);
		(void)strsep(&of, "/");
		if (config_role(config, kind, of, word) && access_words(word, &rights)) {
			fn(&(struct access_entry){"access", name, "", &rights}, arg);
		}
		access_rights_fini(&rights);
	}
}

enum access_role access_role_for(unsigned int roles, enum access_role needed)
{
	for (enum access_role role = ACCESS_NOBODY + 1; role < _ACCESS_ROLE_N; role++) {
		if (roles & 1u << role && access_sets[role] & 1u << needed) {
			return role;
		}
	}
	return ACCESS_NOBODY;
}

struct principal access_lud(int64_t job)
{
	struct principal lud = {.way = ACCESS_WAY_LUD, .name = "lud"};

	if (job) {
		snprintf(lud.name, sizeof(lud.name), "lud, job %" PRId64, job);
	}
	return lud;
}

struct principal access_policy(const char *name, int64_t version)
{
	struct principal policy = {.way = ACCESS_WAY_POLICY};

	/* The version is what tells two of one name apart: the name gives way. */
	snprintf(policy.name, sizeof(policy.name), "policy %.36s version %" PRId64, name, version);
	return policy;
}

void access_key(const struct principal *who, char ret_key[ACCESS_KEY_SIZE])
{
	if (who->way == ACCESS_WAY_LOCAL) {
		snprintf(ret_key, ACCESS_KEY_SIZE, "%s/%" PRIu64, access_way_word(who->way),
		        who->uid);
	} else {
		snprintf(ret_key, ACCESS_KEY_SIZE, "%s/%s", access_way_word(who->way), who->name);
	}
}

const char *access_role_word(enum access_role role)
{
	switch (role) {
#define ROLE(name, number, word, includes, sentence)                                               \
	case ACCESS_##name:                                                                        \
		return word;
#include "proto/words/access.def"
	case ACCESS_NOBODY:
	case _ACCESS_ROLE_N:
		break;
	}
	return "nobody";
}

const char *access_way_word(enum access_way way)
{
	switch (way) {
#define WAY(name, number, word, sentence)                                                          \
	case ACCESS_WAY_##name:                                                                    \
		return word;
#include "proto/words/access.def"
	case _ACCESS_WAY_N:
		break;
	}
	return "unrecorded";
}
