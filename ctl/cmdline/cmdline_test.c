/* The rows of ctl/cmdline/commands.def are sound, and a command line is read by them. */
#undef NDEBUG
#include "ctl/cmdline/cmdline.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

#include "ctl/base/base.h"

#define N_ARGS 8

static const struct verb verbs[] = {
#define VERB(name, function, min, max, arguments, takes, summary)                                  \
	{name, NULL, min, max, arguments, takes, summary},
#include "ctl/cmdline/commands.def"
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *find(const char *first, const char *second)
{
	char *argv[] = {(char *)"luctl", (char *)first, (char *)second, NULL};
	int words = 0;

	return cmdline_find(verbs, N_VERBS, second ? 3 : 2, argv, &words);
}

/* argv is the command's name and what stands behind it. */
static int read_line(const struct verb *verb, const char *const words[], struct options *ret)
{
	static char *argv[N_ARGS];
	int argc = 1;

	argv[0] = (char *)verb->name;
	for (; words[argc - 1]; argc++) {
		argv[argc] = (char *)words[argc - 1];
	}
	argv[argc] = NULL;
	optind = 0;
	cmdline_init(ret);
	return cmdline_read(verb, argc, argv, ret);
}

/* Every option of a row exists and is there once; no command hides another. */
static void test_rows(void)
{
	for (size_t i = 0; i < N_VERBS; i++) {
		const char *at = verbs[i].options;

		assert(verbs[i].min_args <= verbs[i].max_args && *verbs[i].summary);
		assert((verbs[i].max_args > 0) == (*verbs[i].args != '\0'));
		for (; *at; at += strspn(at, " ")) {
			const char *again = at + strcspn(at, " ");

			assert(cmdline_has_option(at));
			for (; *again; again += strcspn(again, " ")) {
				again += strspn(again, " ");
				assert(strcspn(again, " ") != strcspn(at, " ") ||
				        strncmp(again, at, strcspn(at, " ")) != 0);
			}
			at += strcspn(at, " ");
		}
		for (size_t k = 0; k < i; k++) {
			assert(strcmp(verbs[k].name, verbs[i].name) != 0);
		}
	}
	assert(!cmdline_has_option("reboot") && !cmdline_has_option("stat"));
}

static void test_find(void)
{
	assert(!strcmp(find("update", "ds")->name, "update"));
	assert(!strcmp(find("machine", "list")->name, "machine list"));
	assert(!find("machine", "jump") && !find("machine", NULL) && !find("updat", "ds"));
	assert(cmdline_takes(find("update", ""), "json"));
	assert(cmdline_takes(find("update", ""), "hold"));
	assert(!cmdline_takes(find("status", ""), "hold"));
}

static void test_values(void)
{
	const struct verb *update = find("update", "");
	struct options options;

	assert(read_line(update, (const char *const[]){"ds", "--timeout", "2s", "-m", "m1", NULL},
	               &options) == CTL_OK);
	assert(options.n_args == 1 && !strcmp(options.args[0], "ds"));
	assert(options.timeout_ms == 2000 && !strcmp(options.machine, "m1"));
	assert(!*options.release && !options.keys && !options.json && options.hold_ms == 0);
	assert(read_line(update, (const char *const[]){"--json", "ds", "--accept-loss", NULL},
	               &options) == CTL_OK);
	assert(options.json && options.accept_loss && !*options.machine);
	assert(read_line(find("history", ""), (const char *const[]){"-n", "7", NULL}, &options) ==
	        CTL_OK);
	assert(options.limit == 7 && options.n_args == 0);
	/* Help goes before everything that would be missing. */
	assert(read_line(update, (const char *const[]){"-h", NULL}, &options) == CTL_OK);
	assert(options.help);
}

static void test_wrong(void)
{
	static const struct {
		const char *verb;
		const char *words[N_ARGS - 1];
	} wrong[] = {
	        {"update", {NULL}},
	        {"restart", {"a", "b"}},
	        {"update", {"ds", "--force"}},
	        {"update", {"ds", "--nothing"}},
	        {"update", {"ds", "-n", "5"}},
	        {"update", {"ds", "--timeout", "5"}},
	        {"update", {"ds", "--timeout", "0s"}},
	        {"update", {"ds", "--hold"}},
	        {"update", {"ds", "--machine", "m", "-m", "m"}},
	        {"update", {"ds", "--json", "--json"}},
	        {"rollback", {"ds", "--to", "0"}},
	        {"rollback", {"ds", "--to", "x"}},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct options options;

		assert(read_line(find(wrong[i].verb, ""), wrong[i].words, &options) == CTL_USAGE);
	}
}

int main(void)
{
	test_rows();
	test_find();
	test_values();
	test_wrong();
	return 0;
}
