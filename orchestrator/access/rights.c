/*
 * Rights as sets, and from where they are given. A grant is looked up by the words of the machine's groups
 * each time: there are few of either, and what is kept would have to follow every change of a group.
 */
#include "orchestrator/access/rights.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/err.h"
#include "host/base/file.h"
#include "orchestrator/policy/identities.h"
#include "proto/envelope/envelope_crypto.h"

struct access_identities {
	struct identities *file;
	int64_t read_us;
};

void access_rights_add(struct access_rights *rights, enum access_role role, const char *group)
{
	struct access_grant *grants;

	if (!group) {
		rights->everywhere |= 1u << role;
		return;
	}
	grants = realloc(rights->grants, (rights->n + 1) * sizeof(*grants));
	if (!grants) {
		abort();
	}
	rights->grants = grants;
	grants[rights->n].role = role;
	snprintf(grants[rights->n++].group, ACCESS_GROUP_SIZE, "%s", group);
}

void access_rights_fini(struct access_rights *rights)
{
	free(rights->grants);
	*rights = (struct access_rights){0};
}

void access_rights_copy(const struct access_rights *from, struct access_rights *ret_rights)
{
	*ret_rights = *from;
	ret_rights->grants = mem_zero((from->n + 1) * sizeof(*from->grants));
	if (from->n) {
		memcpy(ret_rights->grants, from->grants, from->n * sizeof(*from->grants));
	}
}

bool access_rights_equal(const struct access_rights *a, const struct access_rights *b)
{
	if (a->everywhere != b->everywhere || a->n != b->n) {
		return false;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (a->grants[i].role != b->grants[i].role ||
		        strcmp(a->grants[i].group, b->grants[i].group) != 0) {
			return false;
		}
	}
	return true;
}

/* Whether a list of words with commas between has this one. */
static bool access_list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (; *list; list += strcspn(list, ",") + (list[strcspn(list, ",")] == ',')) {
		if (strcspn(list, ",") == len && !strncmp(list, word, len)) {
			return true;
		}
	}
	return false;
}

unsigned int access_rights_on(const struct access_rights *rights, const char *groups)
{
	unsigned int roles = rights->everywhere;

	for (size_t i = 0; i < rights->n; i++) {
		if (access_list_has(groups, rights->grants[i].group)) {
			roles |= 1u << rights->grants[i].role;
		}
	}
	return roles;
}

unsigned int access_rights_any(const struct access_rights *rights)
{
	unsigned int roles = rights->everywhere;

	for (size_t i = 0; i < rights->n; i++) {
		roles |= 1u << rights->grants[i].role;
	}
	return roles;
}

void access_rights_where(
        const struct access_rights *rights, enum access_role needed, char *ret_text, size_t size)
{
	size_t used = 0;

	*ret_text = '\0';
	if (access_role_for(rights->everywhere, needed) != ACCESS_NOBODY) {
		snprintf(ret_text, size, "everything");
		return;
	}
	for (size_t i = 0; i < rights->n && used < size; i++) {
		if (access_role_for(1u << rights->grants[i].role, needed) != ACCESS_NOBODY) {
			used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
			        used ? ", " : "", rights->grants[i].group);
		}
	}
}

/*
 * A number in place of the user's, so that what is kept per principal is of this name alone. The highest bit but one is
 * set: no user of the host has a number like that, and it stays one of SQLite's.
 */
static uint64_t access_tls_number(const char *name)
{
	uint8_t hash[64];
	uint64_t number = 0;

	envelope_hash((const uint8_t *)name, strlen(name), hash);
	memcpy(&number, hash, sizeof(number));
	return (number & ((UINT64_C(1) << 62) - 1)) | UINT64_C(1) << 62;
}

struct principal access_tls(const char *name)
{
	struct principal who = {.way = ACCESS_WAY_TLS, .uid = access_tls_number(name)};

	snprintf(who.name, sizeof(who.name), "%s", name);
	return who;
}

static void access_rights_of(const struct identity *identity, struct access_rights *ret_rights)
{
	*ret_rights = (struct access_rights){0};
	for (size_t i = 0; i < identity->n_grants; i++) {
		const struct identity_grant *grant = &identity->grants[i];

		access_rights_add(ret_rights, access_role_of(grant->role), grant->group);
	}
}

/*
 * Whether all names have numbers of their own; false: *ret_failure says which do not. Whoever may choose both finds two
 * of one number in minutes: holds, and ids of jobs, of the one would be those of the other.
 */
static bool access_numbers_differ(const struct identities *file, struct failure *ret_failure)
{
	_cleanup_(freep) uint64_t *numbers = mem_zero((file->n + 1) * sizeof(*numbers));
	char place[sizeof(ret_failure->place)];

	for (size_t i = 0; i < file->n; i++) {
		numbers[i] = access_tls_number(file->list[i].name);
		for (size_t j = 0; j < i; j++) {
			if (numbers[i] == numbers[j]) {
				snprintf(place, sizeof(place), "%s:%zu", file->path,
				        file->list[i].line);
				failure_set(ret_failure, "identities", place,
				        "give one of them another name",
				        "the record would not tell `%s` from `%s` in line %zu",
				        file->list[i].name, file->list[j].name, file->list[j].line);
				return false;
			}
		}
	}
	return true;
}

static int64_t access_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int access_identities_read(
        const char *path, struct access_identities **ret_identities, struct failure *ret_failure)
{
	struct policy_errors errors = {0};
	struct identities *file = NULL;
	const struct policy_error *first;
	char place[sizeof(ret_failure->place)], more[80] = "";
	size_t n;

	if (identities_load(path, &errors, &file) == 0) {
		if (!access_numbers_differ(file, ret_failure)) {
			identities_free(file);
			return err_raise(-EINVAL);
		}
		*ret_identities = mem_zero(sizeof(**ret_identities));
		(*ret_identities)->file = file;
		(*ret_identities)->read_us = access_now_us();
		return 0;
	}
	first = &errors.list[0];
	n = errors.n + errors.n_left_out;
	if (n > 1) {
		snprintf(more, sizeof(more), " (and %zu more; `luctl access check` lists them)",
		        n - 1);
	}
	snprintf(place, sizeof(place), "%s", first->file);
	if (first->line) {
		snprintf(place, sizeof(place), "%s:%zu:%zu", first->file, first->line,
		        first->column);
	}
	failure_set(ret_failure, "identities", place, first->expected, "%s%s", first->what, more);
	policy_errors_fini(&errors);
	return err_raise(-EINVAL);
}

struct access_identities *access_identities_free(struct access_identities *identities)
{
	if (identities) {
		identities_free(identities->file);
		free(identities);
	}
	return NULL;
}

void access_identity_rights(const struct access_identities *identities, const char *name,
        struct access_rights *ret_rights)
{
	const struct identity *found = identities ? identities_find(identities->file, name) : NULL;

	*ret_rights = (struct access_rights){0};
	if (found) {
		access_rights_of(found, ret_rights);
	}
}

const char *access_identities_path(const struct access_identities *identities)
{
	return identities->file->path;
}

int64_t access_identities_read_us(const struct access_identities *identities)
{
	return identities->read_us;
}

static bool access_identity_equal(const struct identity *a, const struct identity *b)
{
	struct access_rights one, other;
	bool is_same;

	access_rights_of(a, &one);
	access_rights_of(b, &other);
	is_same = !strcmp(a->name, b->name) && !strcmp(a->description, b->description) &&
	          access_rights_equal(&one, &other);
	access_rights_fini(&one);
	access_rights_fini(&other);
	return is_same;
}

bool access_identities_equal(const struct access_identities *a, const struct access_identities *b)
{
	bool is_same = a->file->n == b->file->n;

	for (size_t i = 0; is_same && i < a->file->n; i++) {
		is_same = access_identity_equal(&a->file->list[i], &b->file->list[i]);
	}
	return is_same;
}

void access_identities_each(
        const struct access_identities *identities, access_entry_fn fn, void *arg)
{
	for (size_t i = 0; identities && i < identities->file->n; i++) {
		const struct identity *identity = &identities->file->list[i];
		struct access_rights rights;

		access_rights_of(identity, &rights);
		fn(&(struct access_entry){"identities", identity->name, identity->description,
		           &rights},
		        arg);
		access_rights_fini(&rights);
	}
}
