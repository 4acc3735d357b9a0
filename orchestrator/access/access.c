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

/* Adds what an id or its name is given, whichever the configuration has: "operator", "operator@edge,lab". */
static bool access_named(const struct config *config, const char *kind, uint64_t id,
        const char *name, struct access_rights *rights)
{
	char number[24], word[CONFIG_ROLE_SIZE] = "";
	enum access_role role;
	char *groups, *rest = word;

	snprintf(number, sizeof(number), "%" PRIu64, id);
	if (!name || !config_role(config, kind, name, word)) {
		(void)config_role(config, kind, number, word);
	}
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
