#pragma once
/*
 * What somebody may do, and where: roles on the machines of groups, and roles on everything, which is every
 * machine and what is about none. The socket's users have theirs by lud's configuration (access.h), those
 * who come by TLS by the identities file. Who has none is nobody.
 *
 * A role on a group is one on the machines that are in it when it is looked at: groups change.
 */
#include "host/base/cleanup.h"
#include "host/base/failure.h"
#include "orchestrator/access/access.h"

#define ACCESS_GROUP_SIZE 65u

struct access_grant {
	enum access_role role;
	char group[ACCESS_GROUP_SIZE];
};

/* Init with {0}, which is none. */
struct access_rights {
	unsigned int everywhere; /* a set of 1 << role */
	size_t n;
	struct access_grant *grants; /* owned */
};

/* group: NULL is everything. */
void access_rights_add(struct access_rights *rights, enum access_role role, const char *group);
void access_rights_fini(struct access_rights *rights);
void access_rights_copy(const struct access_rights *from, struct access_rights *ret_rights);
bool access_rights_equal(const struct access_rights *a, const struct access_rights *b);
/* The roles on a machine with these groups, names with commas between, as a set of 1 << role. */
unsigned int access_rights_on(const struct access_rights *rights, const char *groups);
/* All of the roles, wherever they are; 0: nobody, who is not let in. */
unsigned int access_rights_any(const struct access_rights *rights);
/* Where a role that allows what needs `needed` is given: "edge, lab"; "everything"; "" for nowhere. */
void access_rights_where(
        const struct access_rights *rights, enum access_role needed, char *ret_text, size_t size);

/* What the configuration gives a peer of the control socket; none: it is not let in. The caller ends it. */
void access_peer_rights(const struct config *config, const struct access_peer *peer,
        struct access_rights *ret_rights);

/* Who comes by TLS, of a name as its certificate has it: "user/alice". */
struct principal access_tls(const char *name);

/* An identities file, as it was when it was read; only ever a whole one. */
struct access_identities;

/*
 * Reads a file. *ret_failure has the first error, with its line, and how many more there are; then there is
 * nothing, and whoever has an earlier one keeps it. Errors: -EINVAL.
 */
int __must_check access_identities_read(
        const char *path, struct access_identities **ret_identities, struct failure *ret_failure);
struct access_identities *access_identities_free(struct access_identities *identities);
/* What a name is given there; none if it is not named, or if there is no file (NULL). The caller ends it. */
void access_identity_rights(const struct access_identities *identities, const char *name,
        struct access_rights *ret_rights);
/* The file, and when it was read, in microseconds since 1970. */
const char *access_identities_path(const struct access_identities *identities);
int64_t access_identities_read_us(const struct access_identities *identities);
/* Whether both give the same names the same, in the same order and words. */
bool access_identities_equal(const struct access_identities *a, const struct access_identities *b);

/* Somebody who has rights, or a group of users, and by what; all of it is lent. */
struct access_entry {
	const char *source; /* "owner", "allow_uid", "access", "identities" */
	const char *name;   /* "user/alice", "group/ops", "user/1000" */
	const char *description;
	const struct access_rights *rights;
};
typedef void (*access_entry_fn)(const struct access_entry *entry, void *arg);
/* Whoever has rights at the control socket; names of the configuration as it has them, known on the host or not. */
void access_peers_each(const struct config *config, access_entry_fn fn, void *arg);
/* Whoever has an entry there, in the order of the file; identities may be NULL. */
void access_identities_each(
        const struct access_identities *identities, access_entry_fn fn, void *arg);
