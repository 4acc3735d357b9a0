/*
 * What must hold between the keys of a policy, and between policies. Errors stand at the value that
 * would have to change; each says with what it does not go together.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/policy/section.h"
#include "orchestrator/policy/tree.h"

#define CHECK_SEC UINT64_C(1000000)
/* From here on lud orders every layout; below, the machine makes them by itself. */
#define CHECK_STANDING_USEC (60 * CHECK_SEC)

/* Keys that must be there, in every mapping that is. */
void tree_check_required(const struct tree_node *node, struct policy_errors *errors)
{
	char path[POLICY_PATH_SIZE];

	for (int row = POLICY_ROOT + 1; row < _POLICY_ALL_N; row++) {
		if (!node->is_list && !node->is_invalid && tree_keys[row].above == node->row &&
		        tree_keys[node->row].type == TREE_MAP && tree_keys[row].need == TREE_MUST &&
		        !tree_node_given(node, row)) {
			tree_error(errors, &node->place, tree_keys[row].sentence, "`%s` is missing",
			        policy_row_path(row, path));
		}
	}
	for (size_t i = 0; i < node->n_children; i++) {
		tree_check_required(node->children[i], errors);
	}
}

/*
 * An empty list says nothing, or takes away what a file before has given: then it is as if the key was
 * not there. One with an invalid member is not empty.
 */
static size_t check_members(const struct tree_node *list)
{
	return list ? list->n_children + list->is_invalid : 0;
}

/* Nothing matches every machine by being left out. */
static void check_match(const struct policy *policy, struct policy_errors *errors)
{
	const struct tree_node *match = tree_find(policy, POLICY_MATCH);

	if (match && !check_members(tree_node_given(match, POLICY_MATCH_MACHINES)) &&
	        !check_members(tree_node_given(match, POLICY_MATCH_GROUPS)) &&
	        !check_members(tree_node_given(match, POLICY_MATCH_LABELS))) {
		tree_error(errors, &match->place,
		        "machines, groups or labels; machines: [\"*\"] for every machine",
		        "match names no machine");
	}
}

/* `2026-03-29 02:00 UTC` with a zone beside it: nobody could tell which one is meant. */
static void check_zones(const struct tree_node *windows, enum policy_row start,
        enum policy_row zone, struct policy_errors *errors)
{
	for (size_t i = 0; windows && i < windows->n_children; i++) {
		const struct tree_node *when = tree_node_child(windows->children[i], start);
		const struct tree_node *where = tree_node_child(windows->children[i], zone);

		if (when && where && calendar_zone(when->calendar)) {
			tree_error(errors, &where->place, "one of both",
			        "the zone is given twice: behind start and as zone");
		}
	}
}

/* A window that is shorter than the limit of a job never lets one start. */
static void check_fits(const struct policy *policy, enum policy_row section, enum policy_row limit,
        struct policy_errors *errors)
{
	const struct tree_node *windows = tree_find(policy, POLICY_ALLOW);
	uint64_t limit_usec = policy_number(policy, limit);
	char path[POLICY_PATH_SIZE];

	if (!policy_has(policy, section)) {
		return;
	}
	for (size_t i = 0; windows && i < windows->n_children; i++) {
		const struct tree_node *length =
		        tree_node_child(windows->children[i], POLICY_ALLOW_LENGTH);

		if (length && length->number < limit_usec) {
			tree_error(errors, &length->place, "a longer window or a lower limit",
			        "no job could start in this window: %s is longer",
			        policy_row_path(limit, path));
		}
	}
}

/*
 * How often, how evenly, how old. lud orders single jobs down to a minute apart; what is faster is a
 * standing order, for which the host makes nothing.
 */
static void check_rerandomize(const struct policy *policy, struct policy_errors *errors)
{
	const struct tree_node *every = tree_find(policy, POLICY_EVERY);
	const struct tree_node *jitter = tree_find(policy, POLICY_JITTER);
	const struct tree_node *max_age = tree_find(policy, POLICY_MAX_AGE);
	const char *layout = policy_text(policy, POLICY_LAYOUT);

	if (!every) {
		return;
	}
	if (every->number < CHECK_STANDING_USEC && strcmp(layout, "machine") != 0) {
		tree_error(errors, &every->place, "layout: machine, or 60s and more",
		        "below 60s only the machine itself makes layouts fast enough");
	}
	if (jitter && jitter->number >= every->number) {
		tree_error(errors, &jitter->place, "less than every",
		        "jitter of %s is not less than every of %s", jitter->text, every->text);
	}
	if (max_age && max_age->number < every->number + policy_number(policy, POLICY_JITTER)) {
		tree_error(errors, &max_age->place, "at least every and jitter together",
		        "every layout would be an alarm before its time is over");
	}
}

/* Does a list before this member, or before this place in it, have the same text? */
static bool check_is_repeated(const struct tree_node *list, size_t n, const char *text)
{
	for (size_t i = 0; list && i < n; i++) {
		if (!strcmp(list->children[i]->text, text)) {
			return true;
		}
	}
	return false;
}

/* A name that stands twice is a slip, and often hides one that is missing. */
static void check_unique(const struct tree_node *list, struct policy_errors *errors)
{
	char path[POLICY_PATH_SIZE];

	for (size_t i = 0; list && i < list->n_children; i++) {
		if (check_is_repeated(list, i, list->children[i]->text)) {
			tree_error(errors, &list->children[i]->place, "each once",
			        "%s: `%s` is named twice", policy_row_path(list->row, path),
			        list->children[i]->text);
		}
	}
}

/* A service goes with one set only: two transactions cannot have it. */
static void check_sets(const struct policy *policy, struct policy_errors *errors)
{
	const struct tree_node *sets = tree_find(policy, POLICY_SETS);

	for (size_t i = 0; sets && i < sets->n_children; i++) {
		const struct tree_node *set =
		        tree_node_child(sets->children[i], POLICY_SET_SERVICES);

		check_unique(set, errors);
		if (set && set->n_children < 2) {
			tree_error(errors, &set->place, "two or more services",
			        "a set of one is none");
		}
		if (set && set->n_children > SECTION_SET_MAX) {
			tree_error(errors, &set->place, "fewer services, or several sets",
			        "a set has %u services at most", SECTION_SET_MAX);
		}
		for (size_t j = 0; set && j < set->n_children; j++) {
			for (size_t k = 0; k < i; k++) {
				const struct tree_node *other =
				        tree_node_child(sets->children[k], POLICY_SET_SERVICES);

				if (check_is_repeated(other, other ? other->n_children : 0,
				            set->children[j]->text)) {
					tree_error(errors, &set->children[j]->place,
					        "each service in one set",
					        "`%s` is in a set before", set->children[j]->text);
				}
			}
		}
	}
}

/* Consent is to what somebody has read: one release, and members by their names. */
static void check_consent(const struct policy *policy, struct policy_errors *errors)
{
	static const char *const blankets[] = {
	        "all", "any", "every", "everything", "yes", "true", "newest", "latest"};
	const struct tree_node *consents = tree_find(policy, POLICY_CONSENT);

	for (size_t i = 0; consents && i < consents->n_children; i++) {
		const struct tree_node *release =
		        tree_node_child(consents->children[i], POLICY_CONSENT_RELEASE);
		const struct tree_node *members =
		        tree_node_child(consents->children[i], POLICY_CONSENT_MEMBERS);

		if (members && !members->n_children) {
			tree_error(errors, &members->place, "the members that may be lost",
			        "consent to nothing");
		}
		for (size_t b = 0; b < sizeof(blankets) / sizeof(blankets[0]); b++) {
			if (release && !strcmp(release->text, blankets[b])) {
				tree_error(errors, &release->place, "the id of one release",
				        "consent to `%s` is consent to what nobody has seen",
				        blankets[b]);
			}
			for (size_t j = 0; members && j < members->n_children; j++) {
				if (!strcmp(members->children[j]->text, blankets[b])) {
					tree_error(errors, &members->children[j]->place,
					        "each member by its name",
					        "consent to `%s` is consent to what nobody has "
					        "seen",
					        blankets[b]);
				}
			}
		}
	}
}

/*
 *     update ---- soak ----| healthy | ...          | deadline
 *
 * A machine is well after its soak, has failed when it is not by `healthy`, and the last machine of a
 * ring may start late: so soak < healthy <= deadline.
 */
static void check_ring_times(const struct tree_node *ring, struct policy_errors *errors)
{
	const struct tree_node *soak = tree_node_child(ring, POLICY_RING_SOAK);
	const struct tree_node *healthy = tree_node_child(ring, POLICY_RING_HEALTHY);
	const struct tree_node *deadline = tree_node_child(ring, POLICY_RING_DEADLINE);
	const struct tree_node *then = tree_node_child(ring, POLICY_RING_THEN);
	const struct tree_node *approvals = tree_node_child(ring, POLICY_RING_APPROVALS);

	if (soak && healthy && healthy->number <= soak->number) {
		tree_error(errors, &healthy->place, "longer than soak",
		        "healthy of %s is over before the soak of %s is", healthy->text,
		        soak->text);
	}
	if (healthy && deadline && deadline->number < healthy->number) {
		tree_error(errors, &deadline->place, "at least healthy",
		        "deadline of %s is over before a machine must be healthy (%s)",
		        deadline->text, healthy->text);
	}
	if (approvals && approvals->number && (!then || strcmp(then->text, "pause") != 0)) {
		tree_error(errors, &approvals->place, "then: pause",
		        "nobody is asked for approval where the rollout goes on by itself");
	}
}

/* The same where no ring says so; either may be left to its default. */
static void check_health_times(const struct policy *policy, struct policy_errors *errors)
{
	const struct tree_node *health = tree_find(policy, POLICY_HEALTH);
	const struct tree_node *soak = tree_find(policy, POLICY_HEALTH_SOAK);
	const struct tree_node *healthy = tree_find(policy, POLICY_HEALTH_HEALTHY);

	if (health && (soak || healthy) &&
	        policy_number(policy, POLICY_HEALTH_HEALTHY) <=
	                policy_number(policy, POLICY_HEALTH_SOAK)) {
		tree_error(errors, healthy ? &healthy->place : &soak->place,
		        "healthy longer than soak",
		        "healthy of %s is over before the soak of %s is",
		        policy_text(policy, POLICY_HEALTH_HEALTHY),
		        policy_text(policy, POLICY_HEALTH_SOAK));
	}
}

/* Sizes count earlier rings, so they rise, and the last one is everything. */
static void check_ring_size(const struct tree_node *ring, const struct tree_node *before,
        bool is_last, struct policy_errors *errors)
{
	const struct tree_node *size = tree_node_child(ring, POLICY_RING_SIZE);
	const struct tree_node *old = before ? tree_node_child(before, POLICY_RING_SIZE) : NULL;
	const struct tree_node *budget = tree_node_child(ring, POLICY_RING_BUDGET);

	if (size && old && size->is_percent == old->is_percent && size->number <= old->number) {
		tree_error(errors, &size->place, "more than the ring before",
		        "size of %s adds no machine to the %s of the ring before", size->text,
		        old->text);
	}
	if (size && is_last && !(size->is_percent && size->number == 100)) {
		tree_error(errors, &size->place, "100%",
		        "the last ring leaves machines without the release");
	}
	if (size && budget && size->is_percent == budget->is_percent && budget->number &&
	        budget->number >= size->number) {
		tree_error(errors, &budget->place, "less than size",
		        "every machine of the ring may fail");
	}
}

/* Behind the last ring comes nothing that could wait for a person. */
static void check_ring_last(const struct tree_node *ring, struct policy_errors *errors)
{
	const struct tree_node *then = tree_node_child(ring, POLICY_RING_THEN);

	if (then && !strcmp(then->text, "pause")) {
		tree_error(errors, &then->place, "next, or another ring behind it",
		        "nothing comes behind the last ring that could be paused");
	}
}

/* Rings in sequence; what is wrong with one is said at its own keys. */
static void check_rings(const struct policy *policy, struct policy_errors *errors)
{
	const struct tree_node *rollout = tree_find(policy, POLICY_ROLLOUT);
	const struct tree_node *rings = tree_find(policy, POLICY_RINGS);

	if (rollout &&
	        strcmp(policy_has(policy, POLICY_UPDATE) ? policy_text(policy, POLICY_MODE) ?: ""
	                                                 : "",
	                "apply") != 0) {
		tree_error(errors, &rollout->place, "update: {mode: apply}, or no rollout",
		        "nothing is rolled out where updates are not applied");
	}
	if (rings && !rings->n_children) {
		tree_error(errors, &rings->place, "one ring or more", "there is no ring");
	}
	for (size_t i = 0; rings && i < rings->n_children; i++) {
		const struct tree_node *ring = rings->children[i];
		const struct tree_node *name = tree_node_child(ring, POLICY_RING_NAME);

		check_ring_times(ring, errors);
		if (i + 1 == rings->n_children) {
			check_ring_last(ring, errors);
		}
		check_ring_size(ring, i ? rings->children[i - 1] : NULL, i + 1 == rings->n_children,
		        errors);
		for (size_t j = 0; name && j < i; j++) {
			const struct tree_node *other =
			        tree_node_child(rings->children[j], POLICY_RING_NAME);

			if (other && !strcmp(other->text, name->text)) {
				tree_error(errors, &name->place, "a name of its own",
				        "two rings are called `%s`", name->text);
			}
		}
	}
}

/* Each check stands for itself and looks at values only that are valid, so that no error follows from another. */
void tree_check(const struct policy *policy, struct policy_errors *errors)
{
	static const enum policy_row lists[] = {POLICY_MATCH_MACHINES, POLICY_MATCH_GROUPS,
	        POLICY_MATCH_LABELS, POLICY_MATCH_SERVICES, POLICY_ORDER, POLICY_TRIGGERS};

	tree_check_required(policy->root, errors);
	check_match(policy, errors);
	check_zones(tree_find(policy, POLICY_ALLOW), POLICY_ALLOW_START, POLICY_ALLOW_ZONE, errors);
	check_zones(tree_find(policy, POLICY_DENY), POLICY_DENY_START, POLICY_DENY_ZONE, errors);
	check_fits(policy, POLICY_RERANDOMIZE, POLICY_RERANDOMIZE_LIMIT, errors);
	check_fits(policy, POLICY_UPDATE, POLICY_UPDATE_LIMIT, errors);
	check_rerandomize(policy, errors);
	check_sets(policy, errors);
	check_consent(policy, errors);
	check_rings(policy, errors);
	check_health_times(policy, errors);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		check_unique(tree_find(policy, lists[i]), errors);
	}
}
