/*
 * Sections as structs. The tree says what was written, and the table of keys what counts where nothing
 * was; here both become one answer, so that whoever acts on a policy knows neither.
 */
#include "orchestrator/policy/section.h"

#include <string.h>

#include "orchestrator/policy/tree.h"

/* Names in the order of policy.def, which tree_node.number counts. */
const char *section_trigger_name(enum section_trigger trigger)
{
	static const char *const names[_SECTION_TRIGGER_N] = {
	        "crash", "probing", "after-update", "boot"};

	return names[trigger];
}

bool section_rerandomize(const struct policy *policy, struct section_rerandomize *ret)
{
	const struct tree_node *triggers = tree_find(policy, POLICY_TRIGGERS);

	if (!policy_has(policy, POLICY_RERANDOMIZE)) {
		return false;
	}
	*ret = (struct section_rerandomize){
	        .every_us = (int64_t)policy_number(policy, POLICY_EVERY),
	        .jitter_us = (int64_t)policy_number(policy, POLICY_JITTER),
	        .limit_us = (int64_t)policy_number(policy, POLICY_RERANDOMIZE_LIMIT),
	        .max_age_us = (int64_t)policy_number(policy, POLICY_MAX_AGE),
	        .layout = policy_text(policy, POLICY_LAYOUT),
	};
	for (size_t i = 0; triggers && i < triggers->n_children; i++) {
		ret->triggers |= 1u << triggers->children[i]->number;
	}
	return true;
}

bool section_update(const struct policy *policy, struct section_update *ret)
{
	const struct tree_node *mode = tree_find(policy, POLICY_MODE);

	if (!mode) {
		return false;
	}
	*ret = (struct section_update){
	        .mode = (enum section_mode)mode->number,
	        .limit_us = (int64_t)policy_number(policy, POLICY_UPDATE_LIMIT),
	        .deadline_us = (int64_t)policy_number(policy, POLICY_UPDATE_DEADLINE),
	};
	return true;
}

size_t section_update_place(const struct policy *policy, const char *service)
{
	const struct tree_node *order = tree_find(policy, POLICY_ORDER);
	size_t i = 0;

	while (order && i < order->n_children && strcmp(order->children[i]->text, service) != 0) {
		i++;
	}
	return order ? i : 0;
}

static bool section_lists(const struct tree_node *services, const char *service)
{
	for (size_t i = 0; services && i < services->n_children; i++) {
		if (!strcmp(services->children[i]->text, service)) {
			return true;
		}
	}
	return false;
}

size_t section_update_set(const struct policy *policy, const char *service)
{
	const struct tree_node *sets = tree_find(policy, POLICY_SETS);

	for (size_t i = 0; sets && i < sets->n_children; i++) {
		if (section_lists(
		            tree_node_child(sets->children[i], POLICY_SET_SERVICES), service)) {
			return i + 1;
		}
	}
	return 0;
}
