/*
 * From the command line to a configuration that was checked: defaults, the file, the options that
 * override both. It runs at start and again at SIGHUP, into a fresh struct each time, so that an
 * invalid file changes nothing.
 */
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/lud/priv.h"

/* Paths must stay true wherever the process and its children stand. */
static void lud_absolute(char **path)
{
	char *real = realpath(*path, NULL);

	if (real) {
		free(*path);
		*path = real;
	}
}

void lud_absolute_all(struct config *config)
{
	lud_absolute(&config->state_dir);
	lud_absolute(&config->keyring);
	lud_absolute(&config->kernel);
}

/*
 * Where this program lies: in a build tree it is served by what was built beside it. "": unknown.
 */
static void lud_program_dir(char *ret_dir, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", ret_dir, size - 1);

	ret_dir[n > 0 ? n : 0] = '\0';
	/* Shortens in place. */
	(void)dirname(ret_dir);
}

/*
 * The state directory of the command line is taken before what follows from it is derived, so
 * that --state-dir moves the socket along. Errors name file and line, or the option.
 */
int lud_configure(
        struct config *config, const struct lud_options *options, struct failure *ret_failure)
{
	_cleanup_(freep) char *file = NULL;
	char program_dir[PATH_MAX];
	int r = 0;

	lud_program_dir(program_dir, sizeof(program_dir));
	config_init(config, program_dir);
	file = options->config ? text_copy(options->config) : config_file(program_dir);
	if (file) {
		r = config_read(config, file, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	if (options->state_dir) {
		free(config->state_dir);
		config->state_dir = text_copy(options->state_dir);
	}
	if (options->log_level) {
		free(config->log_level);
		config->log_level = text_copy(options->log_level);
	}
	config_complete(config);
	return err_up(config_check(config, ret_failure));
}

int lud_set_log_level(const struct config *config, struct failure *ret_failure)
{
	enum log_level level;
	int r = log_level_parse(config->log_level, &level);

	if (r < 0) {
		failure_set(ret_failure, "config", "--log-level",
		        "choose one of error, warn, info, debug", "unknown level %s",
		        config->log_level);
		return err_up(r);
	}
	log_init(level);
	return 0;
}
