/*
 * A CA that is killed, or whose disk is full, at each call that changes a file: what is there afterwards is what was
 * there before, or what was asked for, and the next command works.
 *
 * The calls are wrapped by the linker (meson.build), so that the code is what it always is. Each try is a child of its
 * own in a directory of its own.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/tls/ca.h"
#include "host/tls/key.h"
#include "host/tls/request.h"
#include "host/tls/test/place.h"

#define NOW INT64_C(1900000000)

enum killed_end {
	KILLED_DIES,
	KILLED_FULL, /* it and all that follow fail */
	_KILLED_END_N
};

/* The call at which it happens, from 1; 0: at none. */
static int killed_at, killed_n;
static enum killed_end killed_end;

/* True: this call is to fail. */
static bool killed_here(void)
{
	killed_n++;
	if (killed_at && killed_n == killed_at && killed_end == KILLED_DIES) {
		(void)kill(getpid(), SIGKILL);
	}
	errno = ENOSPC;
	return killed_at && killed_n >= killed_at;
}

#define KILLED_CALL(type, name, parameters, ...)                                                   \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		return killed_here() ? -1 : __real_##name(__VA_ARGS__);                            \
	}

KILLED_CALL(ssize_t, write, (int fd, const void *data, size_t size), fd, data, size)
KILLED_CALL(int, fchmod, (int fd, mode_t mode), fd, mode)
KILLED_CALL(int, rename, (const char *from, const char *to), from, to)
KILLED_CALL(int, link, (const char *from, const char *to), from, to)
KILLED_CALL(int, mkdir, (const char *path, mode_t mode), path, mode)

/* Nothing is waited for: no power is lost here. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return killed_here() ? -1 : 0;
}

static const struct tls_identity alice = {TLS_USER, "alice"};
static const struct tls_terms terms = {NOW, 30};
static char *dir;
static EVP_PKEY *key;

static int act_create(struct failure *ret_failure)
{
	return tls_ca_create(dir, &(struct tls_terms){NOW, TLS_CA_DAYS}, ret_failure);
}

static int act_issue(struct failure *ret_failure)
{
	struct tls_issued issued = {.path = NULL};
	struct tls_ca *ca = NULL;
	int r = tls_ca_open(dir, &ca, ret_failure);

	if (r == 0) {
		r = tls_ca_issue(ca, &alice, key, &terms, &issued, ret_failure);
	}
	tls_issued_fini(&issued);
	tls_ca_free(ca);
	return r;
}

static int act_revoke(struct failure *ret_failure)
{
	struct tls_issued_list list;
	const ASN1_INTEGER *serial;
	struct tls_ca *ca = NULL;
	int r;

	assert(tls_ca_open(dir, &ca, ret_failure) == 0);
	assert(tls_ca_list(ca, &list, ret_failure) == 0 && list.n == 1);
	serial = X509_get0_serialNumber(list.rows[0].certificate);
	r = tls_ca_revoke(ca, &serial, 1, TLS_SUPERSEDED, &terms, ret_failure);
	tls_issued_list_fini(&list);
	tls_ca_free(ca);
	return r;
}

static int act_request(struct failure *ret_failure)
{
	_cleanup_(freep) char *path = text_format("%s/alice.key", dir);
	_cleanup_(freep) char *asked = text_format("%s/alice.req", dir);
	int r = access(path, F_OK) ? tls_key_save(path, key, ret_failure) : 0;

	return r < 0 ? r : tls_request_write(asked, &alice, key, ret_failure);
}

/* What is there: how many were issued and how many revoked. */
struct killed_state {
	size_t issued, revoked;
};

static struct killed_state state_now(void)
{
	struct killed_state state;
	struct tls_issued_list list;
	struct failure failure;
	struct tls_ca *ca;

	assert(tls_ca_open(dir, &ca, &failure) == 0);
	assert(tls_ca_list(ca, &list, &failure) == 0);
	for (size_t i = 0; i < list.n; i++) {
		assert(list.rows[i].certificate);
	}
	state = (struct killed_state){list.n, tls_crl_count(tls_ca_crl(ca))};
	tls_issued_list_fini(&list);
	tls_ca_free(ca);
	return state;
}

static void check_create(void)
{
	struct failure failure;
	int r = act_create(&failure);

	assert(r == 0 || r == -EEXIST);
	assert(state_now().issued == 0 && act_issue(&failure) == 0);
}

static void check_issue(void)
{
	struct failure failure;
	size_t before = state_now().issued;

	assert(before <= 2 && before >= 1 && act_issue(&failure) == 0);
	assert(state_now().issued == before + 1);
}

static void check_revoke(void)
{
	struct failure failure;

	assert(state_now().revoked <= 1 && act_revoke(&failure) == 0);
	assert(state_now().revoked == 1 && state_now().issued == 1);
}

/* A key that is there is one, whole, and closed to others. */
static void check_request(void)
{
	_cleanup_(freep) char *path = text_format("%s/alice.key", dir);
	struct failure failure;
	EVP_PKEY *back;

	assert(act_request(&failure) == 0);
	assert(tls_key_read(path, &back, &failure) == 0 && EVP_PKEY_eq(back, key) == 1);
	EVP_PKEY_free(back);
}

static const struct killed_case {
	int (*act)(struct failure *ret_failure);
	void (*check)(void);
	bool needs_ca, needs_certificate;
} cases[] = {
        {act_create, check_create, false, false},
        {act_issue, check_issue, true, true},
        {act_revoke, check_revoke, true, true},
        {act_request, check_request, true, false},
};

/* Files that were begun and not finished; a full disk must not be made fuller by them. */
static void check_left(void)
{
	_cleanup_(freep) char *find =
	        text_format("find %s -name '*.new' 2>&1 | grep -q '\\.new$'", dir);

	assert(system(find) != 0);
}

/* One try: true as long as there was a call left at which something could happen. */
static bool try_at(const struct killed_case *c, int at, enum killed_end end)
{
	struct failure failure;
	int status;
	pid_t pid;

	assert(dir_remove(dir) == 0);
	assert(!c->needs_ca || act_create(&failure) == 0);
	assert(!c->needs_certificate || act_issue(&failure) == 0);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0) {
		killed_n = 0;
		killed_at = at;
		killed_end = end;
		_exit(c->act(&failure) == 0 ? 0 : !strstr(failure.cause, "the disk is full") + 1);
	}
	assert(waitpid(pid, &status, 0) == pid);
	if (end == KILLED_DIES) {
		assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : status == 0);
	} else {
		assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		check_left();
	}
	c->check();
	return status != 0;
}

int main(void)
{
	struct failure failure;

	(void)place_new();
	dir = place_path("ca");
	assert(tls_key_new(&key, &failure) == 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int end = 0; end < _KILLED_END_N; end++) {
			int at = 1;

			while (try_at(&cases[i], at, (enum killed_end)end)) {
				at++;
			}
			assert(at > 4);
		}
	}
	EVP_PKEY_free(key);
	place_end();
	free(dir);
	return 0;
}
