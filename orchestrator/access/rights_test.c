/*
 * Rights by groups, and identities files. Files are written beside the test; what is wrong with one is told
 * with its line, and nothing of it counts.
 */
#include "orchestrator/access/rights.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/err.h"

#define OPERATOR (1u << ACCESS_OPERATOR)
#define VIEWER (1u << ACCESS_VIEWER)

static char path[] = "/tmp/rights_test.XXXXXX";

static int read_text(const char *text, struct access_identities **ret, struct failure *ret_failure)
{
	FILE *file = fopen(path, "w");

	assert(file && fputs(text, file) >= 0);
	fclose(file);
	return access_identities_read(path, ret, ret_failure);
}

static const char good[] = "kind: Identities\n"
                           "identities:\n"
                           "  - name: user/alice\n"
                           "    description: the edge\n"
                           "    roles:\n"
                           "      - role: operator\n"
                           "        groups: [edge, lab]\n"
                           "      - {role: viewer, everything: true}\n"
                           "  - name: user/bob\n"
                           "    roles: [{role: viewer, groups: [edge]}]\n"
                           "  - {name: user/carol, roles: []}\n";

static const struct {
	const char *name, *groups;
	unsigned int roles;
} on_cases[] = {
        {"user/alice", "", VIEWER},
        {"user/alice", "edge", VIEWER | OPERATOR},
        {"user/alice", "prod,lab", VIEWER | OPERATOR},
        {"user/alice", "edges,la,lab2,xedge", VIEWER},
        {"user/bob", "", 0},
        {"user/bob", "edge", VIEWER},
        {"user/bob", "prod,edge,x", VIEWER},
        {"user/bob", "prod", 0},
        {"user/carol", "edge", 0},
        {"user/dave", "edge", 0}, /* not named */
        {"user/ali", "edge", 0},
        {"alice", "edge", 0},
        {"", "edge", 0},
};

static void test_rights(void)
{
	struct access_identities *identities = NULL;
	struct failure failure;
	struct access_rights none;

	assert(read_text(good, &identities, &failure) == 0);
	for (size_t i = 0; i < sizeof(on_cases) / sizeof(on_cases[0]); i++) {
		struct access_rights rights, same;

		access_identity_rights(identities, on_cases[i].name, &rights);
		if (access_rights_on(&rights, on_cases[i].groups) != on_cases[i].roles) {
			fprintf(stderr, "case %zu: %#x\n", i,
			        access_rights_on(&rights, on_cases[i].groups));
			abort();
		}
		access_rights_copy(&rights, &same);
		assert(access_rights_equal(&rights, &same));
		access_rights_fini(&same);
		access_rights_fini(&rights);
	}
	access_identity_rights(NULL, "user/alice", &none);
	assert(access_rights_any(&none) == 0);
	access_identities_free(identities);
}

static void test_where(void)
{
	struct access_identities *identities = NULL;
	struct access_rights alice, bob;
	struct failure failure;
	char text[64];

	assert(read_text(good, &identities, &failure) == 0);
	access_identity_rights(identities, "user/alice", &alice);
	access_identity_rights(identities, "user/bob", &bob);
	access_rights_where(&alice, ACCESS_OPERATOR, text, sizeof(text));
	assert(!strcmp(text, "edge, lab"));
	access_rights_where(&alice, ACCESS_OPERATOR, text, 6);
	assert(!strcmp(text, "edge,"));
	access_rights_where(&alice, ACCESS_VIEWER, text, sizeof(text));
	assert(!strcmp(text, "everything"));
	access_rights_where(&bob, ACCESS_OPERATOR, text, sizeof(text));
	assert(!strcmp(text, ""));
	assert(access_rights_any(&alice) == (VIEWER | OPERATOR) &&
	        access_rights_any(&bob) == VIEWER);
	assert(!access_rights_equal(&alice, &bob));
	access_rights_fini(&alice);
	access_rights_fini(&bob);
	access_identities_free(identities);
}

#define HEAD "kind: Identities\nidentities:\n"

/* What is wrong, where, and a word of what to do. */
static const struct {
	const char *text, *place, *cause, *remedy;
} bad_cases[] = {
        {"", "", "the file is empty", "identities"},
        {"kind: UpdatePolicy\nidentities: []\n", ":1:7", "none of the choices", "Identities"},
        {"kind: Identities\n", ":1:1", "`identities[]` is missing", "who may ask"},
        {HEAD "  - name: user/a\n    roles: []\n    rolls: 1\n", ":5:5", "unknown key `rolls`",
                "did you mean `roles`"},
        {HEAD "  - name: user/a\n", ":3:5", "`identities[].roles[]` is missing", "what it may do"},
        {HEAD "  - {name: alice, roles: []}\n", ":3:12", "`alice` is not the name", "user/NAME"},
        {HEAD "  - {name: host/a, roles: []}\n", ":3:12", "`host/a` is not the name", "user/NAME"},
        {HEAD "  - {name: user/, roles: []}\n", ":3:12", "is not the name", "user/NAME"},
        {HEAD "  - {name: user/Alice, roles: []}\n", ":3:12", "is not the name", "small letter"},
        {HEAD "  - {name: user/.a, roles: []}\n", ":3:12", "is not the name", "small letter"},
        {HEAD "  - {name: user/a/b, roles: []}\n", ":3:12", "is not the name", "small letter"},
        {HEAD "  - {name: user/a2345678901234567890123456789012345678901234567890123456789, "
              "roles: []}\n",
                ":3:12", "nothing can have", "at most 63"},
        {HEAD "  - {name: user/a, roles: []}\n  - {name: user/a, roles: []}\n", ":4:12",
                "`user/a` is given twice, first in line 3", "each once"},
        {HEAD "  - name: user/a\n    roles: [{role: operator}]\n", ":4:13", "on no group",
                "everything: true"},
        {HEAD "  - name: user/a\n    roles: [{role: operator, groups: []}]\n", ":4:13",
                "on no group", "everything: true"},
        {HEAD "  - name: user/a\n    roles: [{role: viewer, everything: false}]\n", ":4:13",
                "on no group", "everything: true"},
        {HEAD "  - name: user/a\n    roles: [{role: viewer, everything: true, groups: [b]}]\n",
                ":4:13", "on groups and on everything", "everything: true"},
        {HEAD "  - name: user/a\n    roles: [{role: root, everything: true}]\n", ":4:20",
                "none of the choices", "viewer operator release-manager admin override"},
        {HEAD "  - name: user/a\n    roles: [{role: viewer, groups: [b, b]}]\n", ":4:40",
                "`b` is given twice", "each once"},
        {HEAD "  - name: user/a\n    roles: [{role: viewer, groups: [\"*\"]}]\n", ":4:37",
                "not allowed here", "letters"},
        {HEAD "  - name: user/a\n    name: user/b\n    roles: []\n", ":4:5", "given twice",
                "each key once"},
        {HEAD "  - name: &x user/a\n    roles: []\n", ":3:11", "anchors", "write the value out"},
        {HEAD "  - {name: user/a, roles: operator}\n", ":3:27", "not a list", "a list"},
        {HEAD "  - {name: user/a, roles: []\n", ":4:1", "not YAML", "quote"},
        {HEAD "  - {name: user/kmkceahfihhndpab, roles: []}\n"
              "  - {name: user/b, roles: []}\n"
              "  - {name: user/nnjmmbnbeacbdcmc, roles: []}\n",
                ":5", "from `user/kmkceahfihhndpab` in line 3", "another name"},
        {"kind: Nothing\nidentities: [{name: bob, roles: [{role: x}]}]\n", ":1:7",
                "(and 3 more; `luctl access check`", "Identities"},
};

static void test_bad(void)
{
	for (size_t i = 0; i < sizeof(bad_cases) / sizeof(bad_cases[0]); i++) {
		struct access_identities *identities = NULL;
		struct failure failure = {0};

		if (read_text(bad_cases[i].text, &identities, &failure) >= 0 || identities ||
		        !strstr(failure.place, bad_cases[i].place) ||
		        strncmp(failure.place, path, strlen(path)) != 0 ||
		        !strstr(failure.cause, bad_cases[i].cause) ||
		        !strstr(failure.remedy, bad_cases[i].remedy)) {
			fprintf(stderr, "case %zu: %s: %s; %s\n", i, failure.place, failure.cause,
			        failure.remedy);
			abort();
		}
		err_forget();
	}
}

/* What others can write, or is no file, gives nobody anything. */
static void test_files(void)
{
	struct access_identities *identities = NULL;
	struct failure failure;

	assert(read_text(good, &identities, &failure) == 0);
	identities = access_identities_free(identities);
	assert(chmod(path, 0664) == 0 && access_identities_read(path, &identities, &failure) < 0);
	assert(strstr(failure.cause, "others than its owner") && strstr(failure.remedy, "chmod"));
	assert(chmod(path, 0602) == 0 && access_identities_read(path, &identities, &failure) < 0);
	assert(chmod(path, 0644) == 0 && access_identities_read(path, &identities, &failure) == 0);
	identities = access_identities_free(identities);
	assert(unlink(path) == 0 && access_identities_read(path, &identities, &failure) < 0);
	assert(strstr(failure.cause, "cannot be read"));
	assert(symlink("/etc/passwd", path) == 0);
	assert(access_identities_read(path, &identities, &failure) < 0 && !identities);
	err_forget();
}

/* Names are told apart by their number as well, and from users of the host. */
static void test_principal(void)
{
	struct principal alice = access_tls("user/alice"), bob = access_tls("user/bob");
	char key[ACCESS_KEY_SIZE];

	assert(alice.way == ACCESS_WAY_TLS && !strcmp(alice.name, "user/alice"));
	assert(alice.uid > UINT32_MAX && alice.uid <= INT64_MAX && alice.uid != bob.uid);
	assert(alice.uid == access_tls("user/alice").uid);
	/* Two that were looked for: no file may have both (bad_cases). */
	assert(access_tls("user/kmkceahfihhndpab").uid == access_tls("user/nnjmmbnbeacbdcmc").uid);
	access_key(&alice, key);
	assert(!strcmp(key, "tls/user/alice"));
}

int main(void)
{
	int fd = mkstemp(path);

	assert(fd >= 0);
	close(fd);
	test_rights();
	test_where();
	test_bad();
	test_files();
	test_principal();
	(void)unlink(path);
	return 0;
}
