/*
 * The build directory is one of meson: it says in meson-info where its sources are, and ninja knows
 * the rest. Nothing of the build is repeated here; a kit is whatever `ninja osd/NAME.kit` makes.
 */
#include "ctl/make/tree.h"

#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "ctl/client/place.h"
#include "ctl/make/run.h"

#define TREE_REMEDY "name a configured build directory with --build; `meson setup build` makes one"
/* Lines of a build that fails which are shown; the first errors are at the beginning. */
#define TREE_LINES_MAX 60
#define TREE_NAMES_MAX 64

void tree_finip(struct tree *tree)
{
	free(tree->build);
	free(tree->source);
	free(tree->luforge);
}

/* What meson has noted of the directory. */
static int tree_source(struct tree *tree)
{
	_cleanup_(ctl_freep) char *path = ctl_format("%s/meson-info/meson-info.json", tree->build);
	json_error_t error;
	json_t *info = json_load_file(path, 0, &error);
	const char *source =
	        json_string_value(json_object_get(json_object_get(info, "directories"), "source"));

	if (source) {
		tree->source = ctl_format("%s", source);
	}
	json_decref(info);
	return tree->source ? CTL_OK
	                    : ctl_fail(CTL_FAILED, path, TREE_REMEDY,
	                              "it does not say where the sources are%s%s", info ? "" : ": ",
	                              info ? "" : error.text);
}

int tree_open(const char *build, struct tree *ret_tree)
{
	_cleanup_(ctl_freep) char *place = build ? ctl_format("%s", build) : place_build();
	_cleanup_(ctl_freep) char *ninja = NULL;

	if (!place) {
		return ctl_fail(
		        CTL_FAILED, "build directory", TREE_REMEDY, "this luctl lies in none");
	}
	ret_tree->build = realpath(place, NULL);
	ninja = ctl_format("%s/build.ninja", place);
	if (!ret_tree->build || access(ninja, R_OK) < 0) {
		return ctl_fail(CTL_FAILED, place, TREE_REMEDY,
		        "not a build directory: it has no build.ninja that can be read");
	}
	ret_tree->luforge = ctl_format("%s/forge/luforge", ret_tree->build);
	return tree_source(ret_tree);
}

char *tree_kit(const struct tree *tree, const char *name)
{
	return ctl_format("%s/osd/%s.kit", tree->build, name);
}

/*
 * What ninja and the tools below it said: the lines as they are, but for the commands that ninja
 * repeats behind "FAILED", which hide the error.
 */
static void tree_show_failure(char *text)
{
	bool command = false;
	int shown = 0, left = 0;
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (command) {
			command = false;
			continue;
		}
		command = strncmp(line, "FAILED: ", 8) == 0;
		if (shown < TREE_LINES_MAX) {
			fprintf(stderr, "  %s\n", line);
		}
		left += shown++ >= TREE_LINES_MAX;
	}
	if (left > 0) {
		fprintf(stderr, "  ... and %d lines more\n", left);
	}
}

int tree_build(const struct tree *tree, char *const *names, int n_names)
{
	const char *argv[TREE_NAMES_MAX + 5] = {"ninja", "-C", tree->build, "--quiet"};
	_cleanup_(ctl_freep) char *words = ctl_zero((size_t)n_names * PATH_MAX + 1);
	_cleanup_(run_finip) struct run run = {0};
	int code;

	for (int i = 0; i < n_names; i++) {
		char *word = words + (size_t)i * PATH_MAX;

		if (i == TREE_NAMES_MAX || !names[i][0] || names[i][0] == '.' ||
		        strpbrk(names[i], "/ ")) {
			return ctl_fail(CTL_USAGE, names[i],
			        "name services as their kits are called: osd/NAME.kit in the build",
			        "not the name of a service");
		}
		snprintf(word, PATH_MAX, "osd/%s.kit", names[i]);
		argv[4 + i] = word;
	}
	code = run_program(argv, NULL, true, &run);
	if (code != CTL_OK || run.status == 0) {
		return code;
	}
	tree_show_failure(run.out);
	return ctl_fail(CTL_FAILED, tree->build,
	        run.status == 127 ? "install ninja (`make deps` does)"
	                          : "mend what is named above, and ask again; no number was used",
	        "the build failed: ninja ended with status %d", run.status);
}
