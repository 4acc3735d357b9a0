/*
 * Policy files: what is wrong with one is said with its place, what was expected and the near name,
 * all errors of a file at once; drop-ins; policies beside each other; what follows for a machine at a
 * time; and the files that ship.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/file.h"
#include "orchestrator/policy/decide.h"
#include "orchestrator/policy/tree.h"

#define SEC INT64_C(1000000)
#define HEAD "kind: UpdatePolicy\nname: x\nmatch: {machines: [a]}\n"

/* Cases that failed were printed; all are run. */
static int n_failed;
static char dir[] = "/tmp/policy_test.XXXXXX";

/* A file of the test's directory; the caller frees its path. */
static char *write_file(const char *name, const char *text)
{
	char *path = text_format("%s/%s", dir, name);

	assert(file_write(path, text, strlen(text)) == 0);
	return path;
}

static int load(const char *text, struct policy_errors *errors, struct policy **ret_policy)
{
	_cleanup_(freep) char *path = write_file("p.yaml", text);

	return policy_load(path, errors, ret_policy);
}

static void print_errors(const struct policy_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		printf("%zu:%zu: %s; %s\n", errors->list[i].line, errors->list[i].column,
		        errors->list[i].what, errors->list[i].expected);
	}
}

/* The only error of a text behind HEAD, whose lines count from 4 (a text with `kind` stands alone). */
static void check_error(
        const char *text, size_t line, size_t column, const char *what, const char *expected)
{
	_cleanup_(freep) char *whole = text_format("%s%s", strstr(text, "kind:") ? "" : HEAD, text);
	struct policy_errors errors = {0};
	struct policy *policy = NULL;

	if (load(whole, &errors, &policy) != POLICY_E_INVALID || errors.n != 1 ||
	        errors.list[0].line != line || errors.list[0].column != column ||
	        !strstr(errors.list[0].what, what) || !strstr(errors.list[0].expected, expected)) {
		printf("%s:\nexpected %zu:%zu: %s; %s\n", whole, line, column, what, expected);
		print_errors(&errors);
		n_failed++;
	}
	policy_errors_fini(&errors);
}

/* The YAML and the schema. */
static void test_schema(void)
{
	check_error("rerandomise: {every: 1h}\n", 4, 1, "unknown key `rerandomise`",
	        "did you mean `rerandomize` (rerandomize)?");
	check_error("rerandomize:\n  every: 1h\n  jiter: 1s\n", 6, 3,
	        "unknown key `jiter` in rerandomize", "did you mean `jitter` (rerandomize.jitter)");
	check_error("colour: red\n", 4, 1, "unknown key", "samsara-policy(5)");
	check_error("name: y\n", 4, 1, "`name` is given twice", "once");
	check_error("rerandomize: &a {every: 1h}\n", 4, 14, "`&a`: anchors", "write the value out");
	check_error("update: {mode: *a}\n", 4, 16, "`*a`: anchors and aliases", "");
	check_error("priority: !!int 5\n", 4, 11, "tags are not allowed", "");
	check_error("priority: ! 5\n", 4, 11, "tags are not allowed", "");
	check_error("---\na: 1\n", 4, 1, "second document", "one document");
	check_error("rerandomize: {every: [1h]}\n", 4, 22, "rerandomize.every: not one value",
	        "duration");
	check_error("rerandomize: 1h\n", 4, 14, "rerandomize: not a mapping", "keys");
	check_error("rerandomize: {every: 1h, triggers: crash}\n", 4, 36,
	        "rerandomize.triggers[]: not a list", "list");
	check_error("? [a]\n: 1\n", 4, 3, "a key is not", "a name");
	check_error("description: \"\n", 5, 1, "not YAML", "");
	check_error("# kind:\n- a\n", 2, 1, "the file: not a mapping", "keys");
	check_error("description: \"\x01\"\n", 4, 15, "control characters", "UTF-8");
	check_error("description: \"\xff\"\n", 4, 15, "not YAML", "UTF-8");
	check_error("# kind:\n", 0, 0, "the file is empty", "kind, name");
}

static void test_values(void)
{
	check_error(
	        "rerandomize: {every: 90}\n", 4, 22, "`90` is not a duration", "us, ms, s, min");
	check_error(
	        "rerandomize: {every: 1 h}\n", 4, 22, "`1 h` is not a duration", "without a space");
	check_error("rerandomize: {every: 10ms}\n", 4, 22, "out of range", "from 1s to");
	check_error("priority: 010\n", 4, 11, "`010` is not a number", "whole number");
	check_error("priority: 1001\n", 4, 11, "out of range", "from 0 to 1000");
	check_error(
	        "update: {mode: aply}\n", 4, 16, "none of the choices", "did you mean `apply`?");
	check_error("rollback: {block: yes}\n", 4, 19, "`yes` is neither", "true or false");
	check_error(
	        "rerandomize: {every: 1h, triggers: [crash, dawn]}\n", 4, 44, "`dawn`", "probing");
	check_error("windows: {deny: [{start: daily Moon/Base, length: 1h}]}\n", 4, 32,
	        "no such time zone", "");
	check_error(
	        "windows: {deny: [{start: \"\\x4don 25:0x\", length: 1h}]}\n", 4, 26, "comma", "");
	check_error("windows: {deny: [{start: \"25:00\", length: 1h}]}\n", 4, 27,
	        "the hour is not within 0 to 23", "systemd.time(7)");
	check_error(
	        "windows: {deny: [{start: \"*-02-30\", length: 1h}]}\n", 4, 26, "never comes", "");
	check_error("windows: {deny: [{start: daily, length: 1h, zone: Mars}]}\n", 4, 51,
	        "`Mars` is not a time zone", "Europe/Berlin");
	check_error("health: {loads: [{metric: a, least: 90}]}\n", 4, 37, "has no %", "90%");
	check_error("health: {loads: [{metric: a, least: 101%}]}\n", 4, 37, "out of range", "100%");
	check_error("health: {loads: [{metric: requests_per_sec}]}\n", 4, 27, "nothing can have",
	        "at most 15");
	check_error("description: \"a\\nb\"\n", 4, 14, "control character", "one line");
	check_error("description: \"a\\0b\"\n", 4, 14, "zero byte", "text");
	check_error("kind: UpdatePolicy\nname: x\nmatch: {labels: [a]}\n", 3, 18,
	        "`a` is not a label", "KEY=VALUE");
	check_error("kind: UpdatePolicy\nname: \"*\"\nmatch: {groups: [g]}\n", 2, 7,
	        "not allowed here", "");
}

/* Between keys. */
static void test_consistency(void)
{
	check_error(
	        "rerandomize: {every: 59s}\n", 4, 22, "only the machine itself", "layout: machine");
	check_error("rerandomize: {every: 1h, jitter: 1h}\n", 4, 34, "not less than every", "");
	check_error("rerandomize: {every: 1h, jitter: 1min, max_age: 1h}\n", 4, 49, "an alarm", "");
	check_error("rerandomize: {every: 1h}\nwindows: {allow: [{start: daily, length: 4s}]}\n", 5,
	        42, "no job could start in this window: rerandomize.limit", "longer window");
	check_error("windows: {deny: [{start: daily UTC, length: 1h, zone: UTC}]}\n", 4, 55,
	        "given twice", "one of both");
	check_error("kind: UpdatePolicy\nname: x\nmatch: {machines: []}\n", 3, 8, "no machine",
	        "[\"*\"]");
	check_error("kind: UpdatePolicy\nmatch: {machines: [a]}\n", 1, 1, "`name` is missing", "");
	check_error("windows: {allow: [{start: daily}]}\n", 4, 19,
	        "`windows.allow[].length` is missing", "elapsed");
	check_error("update: {mode: check, sets: [{services: [a, b]}, {services: [c, a]}]}\n", 4,
	        65, "`a` is in a set before", "one set");
	check_error(
	        "update: {mode: check, sets: [{services: [a]}]}\n", 4, 41, "one is none", "two");
	check_error("update: {mode: check, sets: [{services: [a, b, c, d, e, f, g, h, i, j, k, l, "
	            "m, n, "
	            "o, p, q]}]}\n",
	        4, 41, "16 services at most", "several sets");
	check_error("update: {mode: check, order: [a, b, a]}\n", 4, 37, "named twice", "once");
	check_error("update: {mode: apply, consent: [{release: 12ab, members: [all]}]}\n", 4, 59,
	        "nobody has seen", "by its name");
	check_error("update: {mode: apply, consent: [{release: 12ab, members: [\"*\"]}]}\n", 4, 59,
	        "name each one", "");
	check_error("update: {mode: apply, consent: [{release: newest, members: [a]}]}\n", 4, 43,
	        "nobody has seen", "one release");
	check_error("update: {mode: apply, consent: [{release: 12ab, members: []}]}\n", 4, 58,
	        "consent to nothing", "");
}

#define RING "size: 100%, soak: 1h, healthy: 2h, deadline: 1d"

static void test_rings(void)
{
	check_error("rollout: {rings: [{name: a, " RING "}]}\n", 4, 10, "nothing is rolled out",
	        "apply");
	check_error("update: {mode: apply}\nrollout: {rings: []}\n", 5, 18, "no ring", "one ring");
	check_error(
	        "update: {mode: apply}\nrollout: {rings: [{name: a, size: 100%, soak: 2h, healthy: "
	        "2h, deadline: 1d}]}\n",
	        5, 60, "healthy of 2h is over before the soak", "longer");
	check_error(
	        "update: {mode: apply}\nrollout: {rings: [{name: a, size: 100%, soak: 1h, healthy: "
	        "2h, deadline: 1h}]}\n",
	        5, 74, "deadline of 1h is over", "at least");
	check_error(
	        "update: {mode: apply}\nrollout: {rings: [{name: a, size: 50%, soak: 1h, healthy: "
	        "2h, deadline: 1d}]}\n",
	        5, 35, "leaves machines without", "100%");
	check_error("update: {mode: apply}\nrollout: {rings: [{name: a, " RING "}, {name: b, " RING
	            "}]}\n",
	        5, 95, "adds no machine", "more");
	check_error("update: {mode: apply}\nrollout: {rings: [{name: a, size: 5, soak: 1h, "
	            "healthy: 2h, "
	            "deadline: 1d}, {name: a, " RING "}]}\n",
	        5, 83, "two rings", "of its own");
	check_error("update: {mode: apply}\nrollout: {rings: [{name: a, error_budget: 100%, " RING
	            "}]}\n",
	        5, 43, "every machine", "less");
	check_error("update: {mode: apply}\nrollout: {rings: [{name: a, then: pause, approvals: "
	            "1, " RING "}]}\n",
	        5, 35, "nothing comes behind the last ring", "another ring");
	check_error("update: {mode: apply}\nrollout: {rings: [{name: a, approvals: 1, " RING
	            "}]}\n",
	        5, 40, "nobody is asked", "pause");
}

/* All errors of a file, and the limits. */
static void test_many(void)
{
	_cleanup_(freep) char *text = NULL, *big = mem_zero(TREE_FILE_BYTES + 2);
	struct policy_errors errors = {0};
	struct policy *policy = NULL;
	size_t size;
	FILE *file;

	assert(load(HEAD "priority: x\nwindow: 1\nupdate: {mode: no}\nrerandomize: {every: 1}\n",
	               &errors, &policy) == POLICY_E_INVALID);
	assert(errors.n == 4 && errors.list[0].line == 4 && errors.list[1].line == 5 &&
	        errors.list[2].line == 6 && errors.list[3].line == 7);
	policy_errors_fini(&errors);

	file = open_memstream(&text, &size);
	fputs(HEAD, file);
	for (int i = 0; i < 150; i++) {
		fprintf(file, "key%d: 1\n", i);
	}
	assert(fclose(file) == 0);
	assert(load(text, &errors, &policy) == POLICY_E_INVALID);
	assert(errors.n == TREE_ERRORS_MAX && errors.n_left_out == 50);
	policy_errors_fini(&errors);

	memset(big, '#', TREE_FILE_BYTES + 1);
	assert(load(big, &errors, &policy) == POLICY_E_INVALID);
	assert(errors.n == 1 && strstr(errors.list[0].expected, "64 KiB"));
	policy_errors_fini(&errors);
}

static void test_list_limit(void)
{
	_cleanup_(freep) char *text = NULL;
	struct policy_errors errors = {0};
	struct policy *policy = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	fputs(HEAD "update:\n  mode: check\n  order: [", file);
	for (int i = 0; i < (int)TREE_LIST_MAX + 1; i++) {
		fprintf(file, "%ss%d", i ? ", " : "", i);
	}
	fputs("]\n", file);
	assert(fclose(file) == 0);
	assert(load(text, &errors, &policy) == POLICY_E_INVALID);
	assert(errors.n == 1 && strstr(errors.list[0].what, "more than 256"));
	policy_errors_fini(&errors);
}

static char *printed(const struct policy *policy, bool defaults)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	policy_print(policy, defaults, file);
	assert(fclose(file) == 0);
	return text;
}

/* Scalars and lists are replaced, mappings merged; each value says where it comes from. */
static void test_drop_ins(void)
{
	_cleanup_(freep) char *main_file =
	        write_file("d.yaml", HEAD "windows: {deny: [{start: daily, length: "
	                                  "1h}]}\nrerandomize: {every: 1h, jitter: 5min}\n");
	_cleanup_(freep) char *drop_dir = text_format("%s/d.yaml.d", dir);
	_cleanup_(policy_freep) struct policy *policy = NULL, *again = NULL;
	_cleanup_(freep) char *text = NULL, *copy = NULL;
	struct policy_errors errors = {0};

	assert(mkdir(drop_dir, 0700) == 0);
	free(write_file("d.yaml.d/20-b.yaml", "rerandomize:\n  every: 3h\n"));
	free(write_file("d.yaml.d/10-a.yaml",
	        "rerandomize: {every: 2h, limit: 7s}\nwindows: {deny: []}\n"));
	free(write_file("d.yaml.d/.hidden.yaml", "junk\n"));
	free(write_file("d.yaml.d/30-c.yaml~", "junk\n"));
	assert(policy_load(main_file, &errors, &policy) == 0);
	text = printed(policy, true);
	assert(strstr(text, "every: \"3h\" # /tmp/policy_test.") && strstr(text, "20-b.yaml:2\n"));
	assert(strstr(text, "limit: \"7s\"") && strstr(text, "10-a.yaml:1\n"));
	assert(strstr(text, "jitter: \"5min\"") && strstr(text, "layout: \"host\" # default\n"));
	assert(strstr(text, "  deny: [] #") && strstr(text, "automatic: \"true\" # default\n"));
	copy = write_file("e.yaml", text);
	assert(policy_load(copy, &errors, &again) == 0);

	free(write_file("d.yaml.d/40-d.yaml", "name: y\n"));
	policy = policy_free(policy);
	assert(policy_load(main_file, &errors, &policy) == POLICY_E_INVALID);
	assert(errors.n == 1 && strstr(errors.list[0].what, "cannot name") &&
	        strstr(errors.list[0].file, "40-d.yaml"));
	policy_errors_fini(&errors);
	assert(dir_remove(drop_dir) == 0);
}

/* The name of a file is in comments of what is shown, and adds no line to it. */
static void test_file_name(void)
{
	_cleanup_(freep) char *path = write_file("f\npriority: 9 #.yaml", HEAD);
	_cleanup_(policy_freep) struct policy *policy = NULL, *again = NULL;
	_cleanup_(freep) char *text = NULL, *copy = NULL;
	struct policy_errors errors = {0};

	assert(policy_load(path, &errors, &policy) == 0);
	text = printed(policy, false);
	assert(strstr(text, "/f?priority: 9 #.yaml:2\n"));
	copy = write_file("g.yaml", text);
	assert(policy_load(copy, &errors, &again) == 0);
	assert(policy_number(again, POLICY_PRIORITY) == 100);
}

/* Two policies: what b says behind what both say, and a word of the only error; NULL: none. */
static void check_pair(const char *a, const char *b, const char *what)
{
	_cleanup_(policy_freep) struct policy *x = NULL, *y = NULL;
	_cleanup_(freep) char *one = text_format("kind: UpdatePolicy\nname: one\n%s", a);
	_cleanup_(freep) char *other = text_format("kind: UpdatePolicy\n%s", b);
	struct policy_errors errors = {0};

	assert(load(one, &errors, &x) == 0 && load(other, &errors, &y) == 0);
	assert(policy_check_together((struct policy *[]){x, y}, 2, &errors) ==
	        (what ? POLICY_E_INVALID : 0));
	if (errors.n != (what ? 1 : 0) || (what && !strstr(errors.list[0].what, what))) {
		print_errors(&errors);
		assert(false);
	}
	policy_errors_fini(&errors);
}

static void test_together(void)
{
	const char *hourly = "match: {machines: [a, b]}\nrerandomize: {every: 1h}\n";

	check_pair(hourly, "name: two\nmatch: {machines: [b, c]}\nrerandomize: {every: 2h}\n",
	        "rerandomize contradicts policy `one`");
	check_pair(hourly, "name: two\nmatch: {groups: [g]}\nrerandomize: {every: 2h}\n",
	        "contradicts");
	check_pair(hourly, "name: two\nmatch: {machines: [\"*\"]}\nrerandomize: {every: 2h}\n",
	        "contradicts");
	check_pair(hourly,
	        "name: two\nmatch: {machines: [a]}\nwindows: {allow: [{start: daily, length: "
	        "1h}]}\n"
	        "rerandomize: {every: 1h}\n",
	        "contradicts");
	check_pair(hourly, "name: one\nmatch: {machines: [c]}\n", "also the name");
	/* The same words, spelled out or not; another section, priority, machine, label, service. */
	check_pair(hourly,
	        "name: two\nmatch: {machines: [a]}\nrerandomize: {every: 1h, jitter: 0s}\n", NULL);
	check_pair(hourly, "name: two\nmatch: {machines: [a]}\nupdate: {mode: check}\n", NULL);
	check_pair(hourly,
	        "name: two\npriority: 101\nmatch: {machines: [a]}\nrerandomize: {every: 2h}\n",
	        NULL);
	check_pair(hourly, "name: two\nmatch: {machines: [c]}\nrerandomize: {every: 2h}\n", NULL);
	check_pair("match: {labels: [x=1, y=1]}\nrerandomize: {every: 1h}\n",
	        "name: two\nmatch: {labels: [y=2]}\nrerandomize: {every: 2h}\n", NULL);
	check_pair("match: {groups: [g], services: [ds]}\nrerandomize: {every: 1h}\n",
	        "name: two\nmatch: {groups: [g], services: [tty]}\nrerandomize: {every: 2h}\n",
	        NULL);
}

static struct decision ask(const struct policy *const *policies, size_t n, const char *labels,
        enum decide_action action, int64_t at)
{
	struct decide_subject subject = {"m1", "production", labels, ""};
	struct decision decision;

	decide(policies, n, &subject, action, at * SEC, &decision);
	return decision;
}

static void check_decision(
        struct decision d, enum decide_verdict verdict, int64_t until, int64_t next)
{
	until = until < 0 ? DECIDE_NEVER : until * SEC;
	next = next < 0 ? DECIDE_NEVER : next * SEC;
	if (d.verdict != verdict || d.until != until || d.next != next) {
		printf("%s: %s, until %lld, next %lld\n", decide_verdict_name(d.verdict), d.why,
		        (long long)(d.until / SEC), (long long)(d.next / SEC));
		n_failed++;
	}
}

/* 1774742400 is 2026-03-29 00:00 UTC, a Sunday; Berlin's clock skips from 02:00 to 03:00 at 01:00 UTC. */
#define SUNDAY INT64_C(1774742400)
#define HOURS INT64_C(3600)

static void test_windows(void)
{
	_cleanup_(policy_freep) struct policy *allow = NULL, *deny = NULL;
	struct policy_errors errors = {0};
	const struct policy *both[2];

	assert(load("kind: UpdatePolicy\nname: x\nmatch: {machines: [m1]}\n"
	            "windows: {allow: [{start: \"01:30\", length: 2h, zone: Europe/Berlin},\n"
	            "  {start: \"03:30\", length: 1h, zone: Europe/Berlin}]}\n"
	            "rerandomize: {every: 1h, limit: 10min}\nupdate: {mode: stage}\n",
	               &errors, &allow) == 0);
	assert(load("kind: UpdatePolicy\nname: y\npriority: 1\nmatch: {machines: [\"*\"]}\n"
	            "windows: {deny: [{start: \"2026-03-29 01:00\", length: 30min}]}\n",
	               &errors, &deny) == 0);
	both[0] = allow;
	both[1] = deny;
	/* 01:30 CET is 00:30 UTC; two hours later the clock shows 04:30, and the second window opened at 03:30. */
	check_decision(ask(both, 1, "", DECIDE_RERANDOMIZE, SUNDAY), DECIDE_DENIED,
	        SUNDAY + HOURS / 2, SUNDAY + HOURS / 2);
	check_decision(ask(both, 1, "", DECIDE_RERANDOMIZE, SUNDAY + HOURS / 2), DECIDE_ALLOWED,
	        SUNDAY + 5 * HOURS / 2 - 600, SUNDAY + HOURS / 2);
	check_decision(ask(both, 1, "", DECIDE_RERANDOMIZE, SUNDAY + 5 * HOURS / 2 - 599),
	        DECIDE_DENIED, SUNDAY + 47 * HOURS / 2, SUNDAY + 47 * HOURS / 2);
	check_decision(ask(both, 1, "", DECIDE_UPDATE, SUNDAY + HOURS), DECIDE_UNASKED, -1, -1);
	/* Deny wins whatever its priority, and a job has to end before it. */
	check_decision(ask(both, 2, "", DECIDE_RERANDOMIZE, SUNDAY + HOURS / 2), DECIDE_ALLOWED,
	        SUNDAY + HOURS - 600, SUNDAY + HOURS / 2);
	check_decision(ask(both, 2, "", DECIDE_RERANDOMIZE, SUNDAY + HOURS - 1), DECIDE_DENIED,
	        SUNDAY + 3 * HOURS / 2, SUNDAY + 3 * HOURS / 2);
	assert(ask(both, 2, "", DECIDE_RERANDOMIZE, SUNDAY + HOURS).by == deny);
	check_decision(ask(&both[1], 1, "", DECIDE_RERANDOMIZE, SUNDAY), DECIDE_UNASKED, -1, -1);
	policy_errors_fini(&errors);
}

/* A policy whose match is this; what it allows on m1, which is in group production and has these labels. */
static enum decide_verdict verdict_of(const char *match, const char *labels)
{
	_cleanup_(freep) char *text = text_format(
	        "kind: UpdatePolicy\nname: x\nmatch: {%s}\nrerandomize: {every: 1h}\n", match);
	_cleanup_(policy_freep) struct policy *policy = NULL;
	struct policy_errors errors = {0};

	assert(load(text, &errors, &policy) == 0);
	return ask((const struct policy *[]){policy}, 1, labels, DECIDE_RERANDOMIZE, SUNDAY)
	        .verdict;
}

/* All that match gives has to be true: one of the names and groups, all of the labels. */
static void test_match(void)
{
	assert(verdict_of("machines: [m2, m1]", "") == DECIDE_ALLOWED);
	assert(verdict_of("machines: [m, m11]", "") == DECIDE_UNASKED);
	assert(verdict_of("groups: [test, production]", "") == DECIDE_ALLOWED);
	assert(verdict_of("groups: [product]", "") == DECIDE_UNASKED);
	assert(verdict_of("labels: [a=1, b=2]", "b=2,c=3,a=1") == DECIDE_ALLOWED);
	assert(verdict_of("labels: [a=1, b=2]", "a=1,b=3") == DECIDE_UNASKED);
	assert(verdict_of("machines: [\"*\"], groups: [test]", "") == DECIDE_UNASKED);
	assert(verdict_of("machines: [m1], services: [ds]", "") == DECIDE_ALLOWED);
}

/* A window that lies in a denied one never opens, and one that opens before it closes never closes. */
static void test_never(void)
{
	_cleanup_(policy_freep) struct policy *never = NULL, *always = NULL;
	struct policy_errors errors = {0};

	assert(load("kind: UpdatePolicy\nname: x\nmatch: {machines: [m1]}\nrerandomize: {every: "
	            "1h}\n"
	            "windows: {allow: [{start: \"02:00\", length: 1h}],\n"
	            "  deny: [{start: \"00:00\", length: 6h}]}\n",
	               &errors, &never) == 0);
	check_decision(ask((const struct policy *[]){never}, 1, "", DECIDE_RERANDOMIZE, SUNDAY),
	        DECIDE_DENIED, -1, -1);
	assert(load("kind: UpdatePolicy\nname: x\nmatch: {machines: [m1]}\nrerandomize: {every: "
	            "1h}\n"
	            "windows: {allow: [{start: daily, length: 24h}]}\n",
	               &errors, &always) == 0);
	check_decision(
	        ask((const struct policy *[]){always}, 1, "", DECIDE_RERANDOMIZE, SUNDAY + 7),
	        DECIDE_ALLOWED, -1, SUNDAY + 7);
}

/* The files that ship, beside each other, and what they allow. */
static void test_shipped(const char *policies_dir)
{
	static const char *const names[] = {"laptop", "appliance", "fleet", "paranoid"};
	struct policy *policies[4] = {NULL};
	struct policy_errors errors = {0};
	struct decision d;

	for (size_t i = 0; i < 4; i++) {
		_cleanup_(freep) char *path = text_format("%s/%s.yaml", policies_dir, names[i]);

		if (policy_load(path, &errors, &policies[i]) != 0) {
			print_errors(&errors);
			assert(false);
		}
		assert(!strcmp(policy_name(policies[i]), names[i]));
	}
	assert(policy_check_together(policies, 4, &errors) == 0);
	d = ask((const struct policy **)&policies[0], 1, "", DECIDE_RERANDOMIZE, SUNDAY);
	check_decision(d, DECIDE_ALLOWED, -1, SUNDAY);
	assert(policy_number(policies[0], POLICY_EVERY) == 5 * SEC);
	/* Sunday 01:00 to 05:00 in Berlin is 00:00 to 04:00 UTC: the window is four hours of elapsed time. */
	d = ask((const struct policy **)&policies[1], 1, "role=appliance", DECIDE_UPDATE, SUNDAY);
	check_decision(d, DECIDE_ALLOWED, SUNDAY + 4 * HOURS - 30, SUNDAY);
	/* On the last day of March nothing happens: from Monday 22:00 UTC to Tuesday 22:00 UTC, until Wednesday's window. */
	d = ask((const struct policy **)&policies[1], 1, "role=appliance", DECIDE_RERANDOMIZE,
	        SUNDAY + 47 * HOURS);
	check_decision(d, DECIDE_DENIED, SUNDAY + 72 * HOURS, SUNDAY + 72 * HOURS);
	/* Not on Friday: on Monday at 09:00 UTC. */
	d = ask((const struct policy **)&policies[2], 1, "", DECIDE_UPDATE,
	        SUNDAY + 5 * 24 * HOURS);
	check_decision(
	        d, DECIDE_DENIED, SUNDAY + (8 * 24 + 9) * HOURS, SUNDAY + (8 * 24 + 9) * HOURS);
	d = ask((const struct policy **)policies, 4, "exposure=hostile", DECIDE_RERANDOMIZE,
	        SUNDAY);
	assert(d.by == policies[3] && policy_number(d.by, POLICY_EVERY) == 10 * SEC);
	for (size_t i = 0; i < 4; i++) {
		policy_free(policies[i]);
	}
	policy_errors_fini(&errors);
}

/* Defaults can be read as values of their keys, and paths are told whole. */
static void test_rows(void)
{
	char path[POLICY_PATH_SIZE];

	for (enum policy_row row = POLICY_ROOT + 1; row < _POLICY_ROW_N; row++) {
		struct tree_node *node = tree_node_new(row, false, (struct tree_place){"", 0, 0});
		struct policy_errors errors = {0};

		assert(*policy_row_path(row, path));
		if (tree_keys[row].preset) {
			node->text = text_copy(tree_keys[row].preset);
			assert(tree_value_read(node, &errors));
		}
		assert(tree_keys[row].above < row &&
		        tree_key_find(tree_keys[row].above, tree_keys[row].name) == row);
		tree_node_free(node);
	}
	assert(!strcmp(policy_row_path(POLICY_RING_SOAK, path), "rollout.rings[].soak"));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	assert(argc == 2 && mkdtemp(dir));
	test_schema();
	test_values();
	test_consistency();
	test_rings();
	test_many();
	test_list_limit();
	test_drop_ins();
	test_file_name();
	test_together();
	test_windows();
	test_match();
	test_never();
	test_shipped(argv[1]);
	test_rows();
	assert(dir_remove(dir) == 0);
	return n_failed ? 1 : 0;
}
