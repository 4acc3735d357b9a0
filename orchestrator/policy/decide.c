/*
 * Which policy decides, and when a job may start.
 *
 * For an action the matching policy of the highest priority that has its section decides. Its windows
 * say when (without `allow`: always), and the deny windows of every matching policy say when not. A job
 * starts only if its limit is over before the time that is allowed ends, by the end of a window or the
 * start of a denied one; what has started is never cut off by a window.
 *
 *     decide_start(t): the first instant from t on at which the limit fits
 *         denied at t    -> go on at the end of that
 *         nothing open   -> go on at the next opening
 *         too short      -> go on where the allowed time ends
 *
 * Windows that open again before they close are one; the search for their end is bounded, and what is
 * longer has no end in sight.
 */
#include "orchestrator/policy/decide.h"

#include <string.h>

#include "orchestrator/policy/tree.h"

#define DECIDE_STEPS 1000

/* The policies that match, and the one that decides; windows are theirs. */
struct decide_view {
	const struct policy *const *policies;
	size_t n;
	const struct decide_subject *subject;
	const struct policy *by;
	int64_t limit;
};

/* Is the word in a list with commas between? */
static bool decide_listed(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && !strncmp(list, word, n)) {
			return true;
		}
		list += n + (list[n] == ',');
	}
	return false;
}

/* Of a list of the policy: is one in `have`, or are all? A list that is not given asks for nothing. */
static bool decide_list_matches(
        const struct policy *policy, enum policy_row row, const char *have, bool all)
{
	const struct tree_node *list = tree_find(policy, row);
	size_t n = 0;

	if (!list || !list->n_children) {
		return true;
	}
	for (size_t i = 0; i < list->n_children; i++) {
		const char *text = list->children[i]->text;

		n += decide_listed(have, text) || !strcmp(text, "*");
	}
	return all ? n == list->n_children : n > 0;
}

bool decide_matches(const struct policy *policy, const struct decide_subject *subject)
{
	return decide_list_matches(policy, POLICY_MATCH_MACHINES, subject->machine, false) &&
	       decide_list_matches(policy, POLICY_MATCH_GROUPS, subject->groups, false) &&
	       decide_list_matches(policy, POLICY_MATCH_LABELS, subject->labels, true) &&
	       (!*subject->service ||
	               decide_list_matches(policy, POLICY_MATCH_SERVICES, subject->service, false));
}

/* One window of either kind, whose keys have other rows. */
struct decide_window {
	const struct calendar *calendar;
	const struct zone *zone; /* NULL: that of the expression, else UTC */
	int64_t length;
};

/* Kept until the program ends: windows point to it. */
static struct zone *decide_utc(void)
{
	static struct zone *utc;

	if (!utc && zone_open("UTC", &utc) != 0) {
		abort();
	}
	return utc;
}

/* A member of windows.allow or windows.deny of a valid policy: start and length are there. */
static struct decide_window decide_window(const struct tree_node *node)
{
	bool is_allow = node->row == POLICY_ALLOW;
	const struct tree_node *zone =
	        tree_node_child(node, is_allow ? POLICY_ALLOW_ZONE : POLICY_DENY_ZONE);

	return (struct decide_window){
	        .calendar = tree_node_child(node, is_allow ? POLICY_ALLOW_START : POLICY_DENY_START)
	                ->calendar,
	        .zone = zone ? zone->zone : decide_utc(),
	        .length = (int64_t)tree_node_child(
	                node, is_allow ? POLICY_ALLOW_LENGTH : POLICY_DENY_LENGTH)
	                ->number,
	};
}

/* The next opening after an instant, or DECIDE_NEVER. */
static int64_t decide_opening(const struct decide_window *window, int64_t after)
{
	int64_t next;

	return calendar_next(window->calendar, window->zone, after, &next) ? next : DECIDE_NEVER;
}

/*
 * When a window that is open at an instant closes for good; the instant itself when it is not open.
 * The end is not part of a window.
 */
static int64_t decide_closing(const struct decide_window *window, int64_t at)
{
	int64_t opening = decide_opening(window, at - window->length);
	int64_t end = at;

	for (int i = 0; opening <= end; i++) {
		if (i == DECIDE_STEPS) {
			return DECIDE_NEVER;
		}
		end = opening + window->length;
		opening = decide_opening(window, opening);
	}
	return end;
}

/* The latest closing of windows of a list that are open; those that overlap are one. */
static int64_t decide_list_closing(const struct tree_node *list, int64_t at)
{
	int64_t end = at;
	bool grew = true;

	for (int round = 0; grew && end != DECIDE_NEVER; round++) {
		grew = false;
		for (size_t i = 0; list && i < list->n_children && end != DECIDE_NEVER; i++) {
			struct decide_window window = decide_window(list->children[i]);
			int64_t closing = decide_closing(&window, end);

			grew = grew || closing > end;
			end = closing;
		}
		if (round == DECIDE_STEPS) {
			return DECIDE_NEVER;
		}
	}
	return end;
}

/* The first opening of any window of a list after an instant. */
static int64_t decide_list_opening(const struct tree_node *list, int64_t after)
{
	int64_t first = DECIDE_NEVER;

	for (size_t i = 0; list && i < list->n_children; i++) {
		struct decide_window window = decide_window(list->children[i]);
		int64_t opening = decide_opening(&window, after);

		first = opening < first ? opening : first;
	}
	return first;
}

/* When nothing is denied any more, and by whom it was; NULL: nothing is denied at the instant. */
static const struct policy *decide_denied(
        const struct decide_view *view, int64_t at, int64_t *ret_end)
{
	const struct policy *by = NULL;

	*ret_end = at;
	for (size_t i = 0; i < view->n; i++) {
		if (decide_matches(view->policies[i], view->subject)) {
			int64_t end =
			        decide_list_closing(tree_find(view->policies[i], POLICY_DENY), at);

			if (end > *ret_end) {
				*ret_end = end;
				by = view->policies[i];
			}
		}
	}
	return by;
}

/* When a window of any matching policy denies next; work must have ended by then. */
static int64_t decide_deny_opening(const struct decide_view *view, int64_t after)
{
	int64_t first = DECIDE_NEVER;

	for (size_t i = 0; i < view->n; i++) {
		if (decide_matches(view->policies[i], view->subject)) {
			int64_t opening = decide_list_opening(
			        tree_find(view->policies[i], POLICY_DENY), after);

			first = opening < first ? opening : first;
		}
	}
	return first;
}

/* The windows in which jobs start; NULL: at any time. */
static const struct tree_node *decide_allow(const struct decide_view *view)
{
	return view->by ? tree_find(view->by, POLICY_ALLOW) : NULL;
}

/* Until when it is allowed from an instant on at which it is not denied; the instant itself: it is not. */
static int64_t decide_allowed_end(const struct decide_view *view, int64_t at)
{
	const struct tree_node *allow = decide_allow(view);
	int64_t end = allow && allow->n_children ? decide_list_closing(allow, at) : DECIDE_NEVER;
	int64_t deny = decide_deny_opening(view, at);

	return deny < end ? deny : end;
}

/* The first instant from `at` on at which a job may start; *ret_end: until when it has to end. */
static int64_t decide_start(const struct decide_view *view, int64_t at, int64_t *ret_end)
{
	for (int i = 0; i < DECIDE_STEPS && at != DECIDE_NEVER; i++) {
		int64_t end;

		if (decide_denied(view, at, &end)) {
			at = end;
			continue;
		}
		end = decide_allowed_end(view, at);
		if (end == DECIDE_NEVER || end - at >= view->limit) {
			*ret_end = end;
			return at;
		}
		at = end > at ? end : decide_list_opening(decide_allow(view), at);
	}
	return DECIDE_NEVER;
}

/* Of equal ones the first. */
const struct policy *decide_by(const struct policy *const *policies, size_t n,
        const struct decide_subject *subject, enum policy_row section)
{
	const struct policy *by = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct policy *policy = policies[i];

		if (policy_has(policy, section) && decide_matches(policy, subject) &&
		        (!by || policy_number(policy, POLICY_PRIORITY) >
		                        policy_number(by, POLICY_PRIORITY))) {
			by = policy;
		}
	}
	return by;
}

/* Why not, and by whom: a denied window goes before one that is not open. */
static void decide_refuse(const struct decide_view *view, int64_t at, struct decision *decision)
{
	int64_t end;

	decision->verdict = DECIDE_DENIED;
	decision->until = decision->next;
	decision->by = decide_denied(view, at, &end);
	if (decision->by) {
		decision->why = "a denied window is open";
		return;
	}
	decision->by = view->by;
	decision->why = decide_allowed_end(view, at) > at
	                        ? "the limit of a job does not fit before the end"
	                        : "no window is open";
}

/* By the windows, for whoever asks for it. */
static void decide_now(const struct decide_view *view, int64_t at, struct decision *decision)
{
	int64_t end = DECIDE_NEVER;

	decision->next = decide_start(view, at, &end);
	if (decision->next == at) {
		decision->verdict = DECIDE_ALLOWED;
		decision->why = "nothing is in the way";
		decision->until = end == DECIDE_NEVER ? end : end - view->limit;
	} else {
		decide_refuse(view, at, decision);
	}
}

void decide(const struct policy *const *policies, size_t n, const struct decide_subject *subject,
        enum decide_action action, int64_t at, struct decision *ret_decision)
{
	bool is_update = action == DECIDE_UPDATE;
	struct decide_view view = {policies, n, subject, NULL, 0};
	struct decision decision = {DECIDE_UNASKED, NULL, "no policy that matches asks for it",
	        DECIDE_NEVER, DECIDE_NEVER};

	view.by = decide_by(policies, n, subject, is_update ? POLICY_UPDATE : POLICY_RERANDOMIZE);
	decision.by = view.by;
	if (view.by && is_update && strcmp(policy_text(view.by, POLICY_MODE), "apply") != 0) {
		decision.why = "the policy does not apply updates";
	} else if (view.by) {
		view.limit = (int64_t)policy_number(
		        view.by, is_update ? POLICY_UPDATE_LIMIT : POLICY_RERANDOMIZE_LIMIT);
		decide_now(&view, at, &decision);
	}
	*ret_decision = decision;
}

void decide_windows(const struct policy *const *policies, size_t n,
        const struct decide_subject *subject, enum decide_action action, int64_t limit, int64_t at,
        struct decision *ret_decision)
{
	struct decide_view view = {policies, n, subject, NULL, limit};
	struct decision decision = {0};

	view.by = decision.by = decide_by(
	        policies, n, subject, action == DECIDE_UPDATE ? POLICY_UPDATE : POLICY_RERANDOMIZE);
	decide_now(&view, at, &decision);
	*ret_decision = decision;
}

size_t decide_closed(const struct policy *const *policies, size_t n,
        const struct decide_subject *subject, enum decide_action action, int64_t limit,
        const struct decide_span *stretch, struct decide_span *ret_spans, size_t max)
{
	int64_t at = stretch->from;
	size_t n_spans = 0;

	while (at < stretch->until) {
		struct decision decision;

		decide_windows(policies, n, subject, action, limit, at, &decision);
		if (decision.verdict == DECIDE_ALLOWED) {
			/* `until` is the last instant at which one may start. */
			at = decision.until < stretch->until ? decision.until + 1 : stretch->until;
			continue;
		}
		if (n_spans == max) {
			ret_spans[max - 1].until = stretch->until;
			break;
		}
		ret_spans[n_spans].from = at;
		at = decision.next < stretch->until ? decision.next : stretch->until;
		ret_spans[n_spans++].until = at;
	}
	return n_spans;
}

const char *decide_action_name(enum decide_action action)
{
	static const char *const names[_DECIDE_ACTION_N] = {"rerandomize", "update"};

	return names[action];
}

const char *decide_verdict_name(enum decide_verdict verdict)
{
	static const char *const names[_DECIDE_VERDICT_N] = {"not asked for", "allowed", "denied"};

	return names[verdict];
}
