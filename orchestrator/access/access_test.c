/*
 * Roles by users and groups, and what they allow. The peer is this program, at the other end of a
 * pair of sockets; users of other numbers are made up, and need not be there.
 */
#include "orchestrator/access/rights.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/base/file.h"
#include "orchestrator/config/config.h"

#define STRANGER 59999u

#define ON(role) (1u << (role) << 8 | 1u << (role) << 16)
#define ALL(role) (1u << (role) | ON(role))

static const struct {
	const char *access;
	uint64_t uid;
	gid_t groups[2];
	unsigned int roles;
} role_cases[] = {
        {"", STRANGER, {STRANGER, 7}, 0},
        {"", 0, {0, 0}, ALL(ACCESS_ADMIN)},
        {"user/root viewer\n", 0, {0, 0}, ALL(ACCESS_ADMIN)}, /* root is never less */
        {"user/59999 operator\n", STRANGER, {7, 8}, ALL(ACCESS_OPERATOR)},
        {"user/5999 operator\n", STRANGER, {7, 8}, 0},
        {"group/59999 operator\n", STRANGER, {7, 8}, 0},
        {"group/7 viewer\n", STRANGER, {7, 8}, ALL(ACCESS_VIEWER)},
        {"group/7 viewer\ngroup/8 release-manager\n", STRANGER, {7, 8},
                ALL(ACCESS_VIEWER) | ALL(ACCESS_RELEASE_MANAGER)},
        /* Who is named is not more than that by a group. */
        {"group/7 admin\nuser/59999 viewer\n", STRANGER, {7, 8}, ALL(ACCESS_VIEWER)},
        {"group/root operator\n", STRANGER, {7, 0}, ALL(ACCESS_OPERATOR)},
        {"user/59999 operator@edge\n", STRANGER, {7, 8}, ON(ACCESS_OPERATOR)},
        {"user/59999 operator@lab,edge\n", STRANGER, {7, 8}, ON(ACCESS_OPERATOR)},
        {"user/59999 operator@lab\n", STRANGER, {7, 8}, 1u << ACCESS_OPERATOR << 16},
        {"group/7 viewer\ngroup/8 operator@edge\n", STRANGER, {7, 8},
                ALL(ACCESS_VIEWER) | ON(ACCESS_OPERATOR)},
        {"user/59999 viewer@edge\ngroup/7 admin\n", STRANGER, {7, 8}, ON(ACCESS_VIEWER)},
        {"user/root viewer@edge\n", 0, {0, 0}, ALL(ACCESS_ADMIN)},
        {"user/nobody viewer\n", 65534, {65534, 65534}, ALL(ACCESS_VIEWER)},
};

/* In all of a role's ways: on everything, on machines of the group edge, anywhere. */
static unsigned int roles_of(const struct config *config, const struct access_peer *peer)
{
	struct access_rights rights;
	unsigned int roles;

	access_peer_rights(config, peer, &rights);
	roles = rights.everywhere | access_rights_on(&rights, "edge") << 8 |
	        access_rights_any(&rights) << 16;
	access_rights_fini(&rights);
	return roles;
}

static void test_roles(void)
{
	for (size_t i = 0; i < sizeof(role_cases) / sizeof(role_cases[0]); i++) {
		struct access_peer peer = {.uid = role_cases[i].uid, .n_groups = 2};
		struct config config;

		memcpy(peer.groups, role_cases[i].groups, sizeof(role_cases[i].groups));
		config_init(&config, "/nonexistent/bin");
		free(config.access);
		config.access = text_copy(role_cases[i].access);
		if (roles_of(&config, &peer) != role_cases[i].roles) {
			fprintf(stderr, "case %zu: %#x\n", i, roles_of(&config, &peer));
			abort();
		}
		config_fini(&config);
	}
}

/* The released key: as much as root. */
static void test_allow_uid(void)
{
	struct access_peer peer = {.uid = STRANGER};
	struct config config;

	config_init(&config, "/nonexistent/bin");
	assert(roles_of(&config, &peer) == 0);
	config.allow_uid = STRANGER;
	assert(roles_of(&config, &peer) == ALL(ACCESS_ADMIN));
	config_fini(&config);
}

static const struct {
	unsigned int roles;
	enum access_role needed, role;
} needed_cases[] = {
        {0, ACCESS_VIEWER, ACCESS_NOBODY},
        {1u << ACCESS_VIEWER, ACCESS_VIEWER, ACCESS_VIEWER},
        {1u << ACCESS_VIEWER, ACCESS_OPERATOR, ACCESS_NOBODY},
        {1u << ACCESS_OPERATOR, ACCESS_VIEWER, ACCESS_OPERATOR},
        {1u << ACCESS_OPERATOR, ACCESS_RELEASE_MANAGER, ACCESS_NOBODY},
        {1u << ACCESS_RELEASE_MANAGER, ACCESS_OPERATOR, ACCESS_NOBODY},
        {1u << ACCESS_RELEASE_MANAGER, ACCESS_VIEWER, ACCESS_RELEASE_MANAGER},
        {1u << ACCESS_OPERATOR | 1u << ACCESS_RELEASE_MANAGER, ACCESS_ADMIN, ACCESS_NOBODY},
        {1u << ACCESS_VIEWER | 1u << ACCESS_ADMIN, ACCESS_VIEWER, ACCESS_VIEWER},
        {1u << ACCESS_ADMIN, ACCESS_OPERATOR, ACCESS_ADMIN},
        {1u << ACCESS_ADMIN, ACCESS_RELEASE_MANAGER, ACCESS_ADMIN},
        {1u << ACCESS_ADMIN, ACCESS_ADMIN, ACCESS_ADMIN},
};

static void test_needed(void)
{
	for (size_t i = 0; i < sizeof(needed_cases) / sizeof(needed_cases[0]); i++) {
		assert(access_role_for(needed_cases[i].roles, needed_cases[i].needed) ==
		        needed_cases[i].role);
	}
}

static void test_peer(void)
{
	struct access_peer peer;
	int pair[2];

	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	assert(access_peer_of(pair[0], &peer) == 0);
	assert(peer.uid == getuid() && access_is_owner(&peer));
	assert(peer.n_groups >= 1 && peer.groups[0] == getgid());
	assert(strstr(peer.name, "pid "));
	close(pair[0]);
	close(pair[1]);
	assert(access_peer_of(pair[0], &peer) < 0);
}

static void test_words(void)
{
	struct principal lud = access_lud(0), job = access_lud(7);

	assert(!strcmp(lud.name, "lud") && !strcmp(job.name, "lud, job 7"));
	assert(lud.way == ACCESS_WAY_LUD && lud.role == ACCESS_NOBODY);
	assert(!strcmp(access_role_word(ACCESS_RELEASE_MANAGER), "release-manager"));
	assert(!strcmp(access_role_word(ACCESS_NOBODY), "nobody"));
	assert(!strcmp(access_way_word(ACCESS_WAY_LOCAL), "local"));
}

int main(void)
{
	test_roles();
	test_allow_uid();
	test_needed();
	test_peer();
	test_words();
	return 0;
}
