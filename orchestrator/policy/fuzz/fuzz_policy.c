/*
 * Policy files, any bytes. What is refused has errors with a file, a cause and what was expected. What
 * is accepted is printed with its defaults as a file that is accepted, too, and is printed the same
 * from then on; and it answers for a machine at any time.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/policy/decide.h"

static char path[] = "/tmp/fuzz_policy.XXXXXX";
static int fd = -1;

static void check(bool ok)
{
	if (!ok) {
		abort();
	}
}

static void file_remove(void)
{
	(void)unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	fd = mkstemp(path);
	check(fd >= 0 && atexit(file_remove) == 0);
	return 0;
}

static struct policy *load(const void *text, size_t size)
{
	struct policy_errors errors = {0};
	struct policy *policy = NULL;

	check(ftruncate(fd, 0) == 0 && pwrite(fd, text, size, 0) == (ssize_t)size);
	check((policy_load(path, &errors, &policy) == 0) == (errors.n == 0));
	for (size_t i = 0; i < errors.n; i++) {
		check(*errors.list[i].file && *errors.list[i].what && *errors.list[i].expected);
	}
	policy_errors_fini(&errors);
	return policy;
}

/* The policy as a file; it is freed. */
static char *print(struct policy *policy, size_t *ret_size)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_size);

	check(policy && file);
	policy_print(policy, true, file);
	(void)fclose(file);
	policy_free(policy);
	return text;
}

static void check_decisions(const struct policy *policy)
{
	struct decide_subject subject = {"a", "", "", ""};
	struct decision d;
	int64_t at = INT64_C(1774742400000000);

	for (enum decide_action action = 0; action < _DECIDE_ACTION_N; action++) {
		decide(&policy, 1, &subject, action, at, &d);
		check((d.verdict == DECIDE_ALLOWED) == (d.next == at));
		check(d.next >= at && d.until >= at);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy *policy = load(data, size);
	char *first, *second, *third;
	size_t n;

	if (!policy) {
		return 0;
	}
	check_decisions(policy);
	first = print(policy, &n);
	second = print(load(first, n), &n);
	third = print(load(second, n), &n);
	check(!strcmp(second, third));
	free(first);
	free(second);
	free(third);
	return 0;
}
