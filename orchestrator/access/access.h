#pragma once
/*
 * Who asks lud for something: a principal, by which way it asks and in which role. At the control
 * socket the kernel says which user and groups it is; which role those have is said by lud's
 * configuration (`access`), and which role a request needs, by control.proto.
 *
 *   root and lud's own user    admin: they could end lud, or read its files, anyhow
 *   allow_uid                  admin
 *   user/NAME                  that role, whatever their groups have
 *   group/NAME                 those roles, all of them
 *   everybody else             nobody: their connection is closed
 *
 * A role there is for everything, or on the machines of groups (rights.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct config;

/* Numbers of the record. */
enum access_role {
	ACCESS_NOBODY,
#define ROLE(name, number, word, includes, sentence) ACCESS_##name = number,
#include "proto/words/access.def"
	_ACCESS_ROLE_N,
};

enum access_way {
#define WAY(name, number, word, sentence) ACCESS_WAY_##name = number,
#include "proto/words/access.def"
	_ACCESS_WAY_N,
};

/* Somebody, as the record has it beside what was asked. */
struct principal {
	enum access_way way;
	enum access_role role; /* in which it asks; of lud itself ACCESS_NOBODY */
	uint64_t uid;          /* ACCESS_WAY_LOCAL: of the user */
	char name[64];         /* for people */
};

#define ACCESS_GROUPS_MAX 64u

/* Who is at the other end of a socket, as the kernel says. */
struct access_peer {
	uint64_t uid;
	size_t n_groups; /* its main group, and the others if there is room for all of them */
	gid_t groups[ACCESS_GROUPS_MAX];
	char name[64]; /* "eve (uid 1000, pid 17)" */
};

/* Asks the kernel about a connected UNIX socket. Errors: of getsockopt(2). */
int access_peer_of(int fd, struct access_peer *ret_peer);
/* Who could end lud, or read what it keeps, without asking. */
bool access_is_owner(const struct access_peer *peer);
/* The least of the roles that allows what needs `needed`; ACCESS_NOBODY: none does. */
enum access_role access_role_for(unsigned int roles, enum access_role needed);
/* lud itself; job: the one that asks for another, 0: its configuration. */
struct principal access_lud(int64_t job);
/* A policy that acts by itself, of a version of those that count. */
struct principal access_policy(const char *name, int64_t version);
/* Whose something is, as long as somebody asks by this way: "local/1000". What a user is called may change. */
#define ACCESS_KEY_SIZE 96u
void access_key(const struct principal *who, char ret_key[ACCESS_KEY_SIZE]);
/* "viewer", "local"; "nobody" of none. */
const char *access_role_word(enum access_role role);
/* ACCESS_NOBODY: it is no word of a role. */
enum access_role access_role_of(const char *word);
const char *access_way_word(enum access_way way);
