/*
 * New versions. The next set is put together beside the one that counts, checked as a whole, written in
 * one transaction, and only then taken: whatever goes wrong before that leaves everything as it was.
 *
 *   what counts, what is given -> next set -> each read, all compared -> record -> counts
 *
 * A next set with the same digest is what counts already: it makes no version.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/rules/priv.h"
#include "proto/envelope/envelope_crypto.h"

/* What is to count next, and what the history says of it. */
struct rules_next {
	struct rules_set set;
	struct policy_version_row row;
	struct policy_errors errors;
	struct policy_errors broken; /* of policies that stay although they cannot be read */
};

static void rules_next_fini(struct rules_next *next)
{
	rules_set_fini(&next->set);
	policy_errors_fini(&next->errors);
	policy_errors_fini(&next->broken);
}

/* Nothing in it yet, and by whom it will have been. */
static struct rules_next rules_next_of(const struct rules_asked *asked)
{
	struct rules_next next = {0};

	next.row.way = asked->who->way;
	next.row.role = asked->who->role;
	next.row.uid = asked->who->uid;
	snprintf(next.row.identity, sizeof(next.row.identity), "%s", asked->who->name);
	snprintf(next.row.reason, sizeof(next.row.reason), "%s", asked->reason);
	return next;
}

/* Adds a word to what the history says, as long as there is room for it. */
static void rules_next_word(struct rules_next *next, const char *word)
{
	size_t len = strlen(next->row.change);

	snprintf(next->row.change + len, sizeof(next->row.change) - len, "%s%s", len ? " " : "",
	        word);
}

/* One that counts goes into the next set as it is; it was checked, or is kept although it is broken. */
static bool rules_keep(struct rules_next *next, const struct rules_policy *policy)
{
	Control__PolicySource *source =
	        control__policy_source__unpack(NULL, policy->size, policy->body);
	size_t n = next->set.n;

	if (source) {
		(void)rules_set_add(&next->set, source, true, &next->broken);
		control__policy_source__free_unpacked(source, NULL);
	}
	return next->set.n > n;
}

/* The policy of a name in a set; NULL: there is none. */
static struct rules_policy *rules_named(struct rules_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++) {
		if (!strcmp(set->list[i].name, name)) {
			return &set->list[i];
		}
	}
	return NULL;
}

static int rules_by_digest(const void *a, const void *b)
{
	const struct rules_policy *const *x = a, *const *y = b;

	return memcmp((*x)->digest, (*y)->digest, sizeof((*x)->digest));
}

/* One that cannot be read may match whomever. */
static bool rules_is_about(const struct rules_policy *policy, const struct decide_subject *subject)
{
	return !subject || !policy->policy || decide_matches(policy->policy, subject);
}

/*
 * BLAKE2b-512 of "samsara policies 1" and the digests, sorted: their order is no part of what they say. Of those that are
 * about the subject; NULL: of all. How many these are.
 */
static size_t rules_set_digest(
        const struct rules_set *set, const struct decide_subject *subject, uint8_t ret_digest[64])
{
	static const char head[] = "samsara policies 1\n";
	const struct rules_policy *sorted[RULES_POLICIES_MAX];
	uint8_t bytes[sizeof(head) - 1 + RULES_POLICIES_MAX * 64];
	size_t size = sizeof(head) - 1, n = 0;

	memcpy(bytes, head, size);
	for (size_t i = 0; i < set->n; i++) {
		if (rules_is_about(&set->list[i], subject)) {
			sorted[n++] = &set->list[i];
		}
	}
	qsort(sorted, n, sizeof(sorted[0]), rules_by_digest);
	for (size_t i = 0; i < n; i++, size += 64) {
		memcpy(bytes + size, sorted[i]->digest, 64);
	}
	envelope_hash(bytes, size, ret_digest);
	return n;
}

void rules_digest_about(
        const struct rules *rules, const struct machine_row *machine, uint8_t ret_digest[64])
{
	struct decide_subject subject = {machine->name, machine->groups, machine->labels, ""};

	if (!rules_set_digest(&rules->set, &subject, ret_digest)) {
		memset(ret_digest, 0, 64);
	}
}

/* The first error is told; luctl, which reads the same files, tells all. */
static int rules_refuse(const struct policy_errors *errors, struct failure *ret_failure)
{
	_cleanup_(freep) char *text = rules_error_text(errors);

	failure_set(ret_failure, "policy", "policies",
	        errors->n ? errors->list[0].expected : "remove others first", "%.300s", text);
	return RULES_E_REFUSED;
}

/* Whether the next set can count: small enough, and without contradictions. */
static int rules_check(struct rules_next *next, struct failure *ret_failure)
{
	struct policy *policies[RULES_POLICIES_MAX];
	size_t n = 0, bytes = 0;

	for (size_t i = 0; i < next->set.n; i++) {
		bytes += next->set.list[i].size;
		if (next->set.list[i].policy) {
			policies[n++] = next->set.list[i].policy;
		}
	}
	if (bytes > RULES_BYTES_MAX) {
		failure_set(ret_failure, "policy", "policies",
		        "leave comments out of the files, or remove policies that are not needed",
		        "all policies together would have %s", "more than 56 KiB");
		return RULES_E_REFUSED;
	}
	return policy_check_together(policies, n, &next->errors) == 0
	               ? 0
	               : rules_refuse(&next->errors, ret_failure);
}

/* Sources that were there are found by their digest. */
static int rules_write(struct db *db, void *arg)
{
	struct rules_next *next = arg;
	int r = store_policy_version(db, &next->row);

	for (size_t i = 0; !r && i < next->set.n; i++) {
		const struct rules_policy *policy = &next->set.list[i];
		int64_t source;

		r = store_policy_source(db, policy->digest, policy->body, policy->size, &source);
		if (!r) {
			r = store_policy_member(db, next->row.id, source);
		}
	}
	return err_fold(r);
}

/* Makes the next set count, if it is another one than does. */
static int rules_commit(struct rules *rules, struct rules_next *next, struct failure *ret_failure)
{
	int r = rules_check(next, ret_failure);

	if (r) {
		return r;
	}
	(void)rules_set_digest(&next->set, NULL, next->row.digest);
	next->row.n_policies = (uint32_t)next->set.n;
	if (rules->version.id &&
	        !memcmp(next->row.digest, rules->version.digest, sizeof(next->row.digest))) {
		return 0;
	}
	r = db_effect(rules->db, rules_write, next);
	if (r) {
		failure_set(ret_failure, "record", "lud", "check the state directory",
		        "the policies cannot be recorded: %s", strerror(r < 0 ? -r : 0));
		return err_fold(r);
	}
	log_info("policies are of version %" PRId64 " (%s) from now on, says %s%s%s", next->row.id,
	        next->row.change, next->row.identity, *next->row.reason ? ": " : "",
	        next->row.reason);
	rules->version = next->row;
	rules_take(rules, &next->set, next->broken.n ? rules_error_text(&next->broken) : NULL);
	return 0;
}

int rules_apply(struct rules *rules, Control__PolicySource *const *sources, size_t n,
        const struct rules_asked *asked, struct failure *ret_failure)
{
	_cleanup_(rules_next_fini) struct rules_next next = rules_next_of(asked);
	_cleanup_(rules_set_fini) struct rules_set given = {0};

	rules_next_word(&next, "applied");
	for (size_t i = 0; i < n; i++) {
		if (!rules_set_add(&given, sources[i], false, &next.errors)) {
			return rules_refuse(&next.errors, ret_failure);
		}
		rules_next_word(&next, given.list[i].name);
	}
	/* In the order of before: those that stay, and new ones behind them. */
	for (size_t i = 0; i < rules->set.n; i++) {
		if (!rules_named(&given, rules->set.list[i].name) &&
		        !rules_keep(&next, &rules->set.list[i])) {
			return rules_refuse(&next.errors, ret_failure);
		}
	}
	for (size_t i = 0; i < given.n; i++) {
		if (!rules_keep(&next, &given.list[i])) {
			return rules_refuse(&next.errors, ret_failure);
		}
	}
	return rules_commit(rules, &next, ret_failure);
}

int rules_remove(struct rules *rules, char *const *names, size_t n, const struct rules_asked *asked,
        struct failure *ret_failure)
{
	_cleanup_(rules_next_fini) struct rules_next next = rules_next_of(asked);
	bool removed[RULES_POLICIES_MAX] = {0};

	rules_next_word(&next, "removed");
	for (size_t i = 0; i < n; i++) {
		struct rules_policy *policy = rules_named(&rules->set, names[i]);

		if (!policy) {
			failure_set(ret_failure, "no-policy", "policies",
			        "`luctl policy show` prints all that count",
			        "no policy is called %s", names[i]);
			return RULES_E_NONE;
		}
		removed[policy - rules->set.list] = true;
		rules_next_word(&next, names[i]);
	}
	for (size_t i = 0; i < rules->set.n; i++) {
		if (!removed[i] && !rules_keep(&next, &rules->set.list[i])) {
			return rules_refuse(&next.errors, ret_failure);
		}
	}
	return rules_commit(rules, &next, ret_failure);
}

static int rules_back_policy(const uint8_t *body, size_t size, void *arg)
{
	struct rules_next *next = arg;
	Control__PolicySource *source = control__policy_source__unpack(NULL, size, body);

	if (source) {
		(void)rules_set_add(&next->set, source, false, &next->errors);
		control__policy_source__free_unpacked(source, NULL);
	}
	return 0;
}

/* What cannot be read now does not come back: that version is refused. */
int rules_back(struct rules *rules, int64_t version, const struct rules_asked *asked,
        struct failure *ret_failure)
{
	_cleanup_(rules_next_fini) struct rules_next next = rules_next_of(asked);
	struct policy_version_row row;
	char word[32];
	int r = version > 0 ? store_policy_find(rules->db, version, &row) : DB_E_NONE;

	if (r == DB_E_NONE) {
		failure_set(ret_failure, "no-version", "policies",
		        "`luctl policy history` lists the versions",
		        "policies never were of this version%s", "");
		return RULES_E_NONE;
	}
	if (!r) {
		r = store_policy_each(rules->db, version, rules_back_policy, &next);
	}
	if (r) {
		failure_set(ret_failure, "record", "lud", "check the state directory",
		        "the version cannot be read%s", "");
		return err_fold(r);
	}
	if (next.set.n != row.n_policies) {
		return rules_refuse(&next.errors, ret_failure);
	}
	snprintf(word, sizeof(word), "back to %" PRId64, version);
	rules_next_word(&next, word);
	return rules_commit(rules, &next, ret_failure);
}
