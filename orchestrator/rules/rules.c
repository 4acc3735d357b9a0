/*
 * What counts now, in memory. The record has each policy as it was given, file by file, so that places
 * in it mean something to whoever wrote it; here it is read again with the library that checked it.
 *
 * A policy that cannot be read is kept, as bytes: a change of another one must not lose it, and whoever
 * mends its cause (the zone files of the host, a newer lud) has it back.
 */
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/rules/priv.h"
#include "proto/envelope/envelope_crypto.h"

void rules_set_fini(struct rules_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		policy_free(set->list[i].policy);
		free(set->list[i].body);
	}
	*set = (struct rules_set){0};
}

/* The last part of a path: where a file lies is no part of what it says. */
static const char *rules_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* BLAKE2b-512 of "samsara policy 1", and of each file its name, its size and its bytes. */
static void rules_digest(const Control__PolicySource *source, uint8_t ret_digest[64])
{
	char *bytes = NULL;
	size_t size;
	FILE *text = open_memstream(&bytes, &size);

	if (!text) {
		abort();
	}
	fputs("samsara policy 1\n", text);
	for (size_t i = 0; i < source->n_files; i++) {
		const Control__PolicyFile *file = source->files[i];

		fprintf(text, "file %s %zu\n", rules_base(file->name), file->text.len);
		(void)fwrite(file->text.data, 1, file->text.len, text);
		fputc('\n', text);
	}
	if (fclose(text)) {
		abort();
	}
	envelope_hash(bytes, size, ret_digest);
	free(bytes);
}

/*
 * With all errors of it; NULL: it has some. A file more than there may be is one: what was left out could
 * be the one that denies. So is a name of several lines, which rules_digest() could not tell from two files.
 */
static struct policy *rules_read(const Control__PolicySource *source, struct policy_errors *errors)
{
	_cleanup_(policy_source_fini) struct policy_source files = {0};
	struct policy *policy = NULL;

	for (size_t i = 0; i < source->n_files; i++) {
		const Control__PolicyFile *file = source->files[i];

		if (strchr(file->name, '\n') ||
		        !policy_source_add(&files, file->name, file->text.data, file->text.len)) {
			policy_source_refuse(file->name, errors);
			return NULL;
		}
	}
	return policy_parse(&files, errors, &policy) == 0 ? policy : NULL;
}

bool rules_set_add(struct rules_set *set, const Control__PolicySource *source, bool anyhow,
        struct policy_errors *errors)
{
	Control__PolicySource named = *source;
	struct rules_policy *at = &set->list[set->n];
	struct policy *policy;

	if (set->n == RULES_POLICIES_MAX) {
		return false;
	}
	policy = rules_read(source, errors);
	if (!policy && !anyhow) {
		return false;
	}
	*at = (struct rules_policy){.policy = policy};
	named.name = policy ? (char *)policy_name(policy) : source->name;
	snprintf(at->name, sizeof(at->name), "%s", named.name);
	rules_digest(source, at->digest);
	at->size = control__policy_source__get_packed_size(&named);
	at->body = mem_zero(at->size + 1);
	control__policy_source__pack(&named, at->body);
	set->n++;
	return policy != NULL;
}

char *rules_error_text(const struct policy_errors *errors)
{
	const struct policy_error *error = errors->list;

	if (!errors->n) {
		return text_copy("there are too many policies");
	}
	return text_format("%s:%zu:%zu: %s", error->file, error->line, error->column, error->what);
}

void rules_take(struct rules *rules, struct rules_set *set, char *broken)
{
	free(rules->broken);
	rules->broken = broken;
	rules_set_fini(&rules->set);
	rules->set = *set;
	*set = (struct rules_set){0};
	rules->n_policies = 0;
	rules_limits_anew(rules);
	for (size_t i = 0; i < rules->set.n; i++) {
		if (rules->set.list[i].policy) {
			rules->policies[rules->n_policies++] = rules->set.list[i].policy;
		}
	}
}

/* Nothing counts before rules_load(). */
struct rules *rules_new(struct db *db)
{
	struct rules *rules = mem_zero(sizeof(*rules));

	rules->db = db;
	return rules;
}

struct rules *rules_free(struct rules *rules)
{
	if (rules) {
		rules_set_fini(&rules->set);
		free(rules->broken);
		free(rules);
	}
	return NULL;
}

struct rules_load {
	struct rules_set set;
	struct policy_errors errors;
};

/* A body that is no message is damage, as of any other row. */
static int rules_load_policy(const uint8_t *body, size_t size, void *arg)
{
	struct rules_load *load = arg;
	Control__PolicySource *source = control__policy_source__unpack(NULL, size, body);

	if (!source) {
		return err_raise(-EBADMSG);
	}
	(void)rules_set_add(&load->set, source, true, &load->errors);
	control__policy_source__free_unpacked(source, NULL);
	return 0;
}

int rules_load(struct rules *rules)
{
	struct rules_load load = {0};
	int r = store_policy_find(rules->db, 0, &rules->version);

	if (!r) {
		r = store_policy_each(rules->db, rules->version.id, rules_load_policy, &load);
	}
	if (!r) {
		rules_take(rules, &load.set, load.errors.n ? rules_error_text(&load.errors) : NULL);
	}
	if (!r && rules->broken) {
		log_line(LOG_LEVEL_ERROR, &(struct log_about){.message = LOG_POLICIES_UNREADABLE},
		        "a policy that counts cannot be read: %s", rules->broken);
	}
	rules_set_fini(&load.set);
	policy_errors_fini(&load.errors);
	if (!r || r == DB_E_NONE) {
		r = rules_holds_load(rules);
	}
	return err_up(r);
}

const struct policy *const *rules_policies(const struct rules *rules, size_t *ret_n)
{
	*ret_n = rules->n_policies;
	return rules->policies;
}

const struct policy_version_row *rules_version(const struct rules *rules)
{
	return &rules->version;
}

const char *rules_broken(const struct rules *rules)
{
	return rules->broken;
}
