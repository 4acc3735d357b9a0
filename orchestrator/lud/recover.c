/*
 * `lud --recover`: a new record from what can be read of a damaged one, and what an administrator
 * does next. Machines that the new record lacks still run, and are taken back one by one by their
 * sockets.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/base/file.h"
#include "orchestrator/lud/priv.h"

/*
 * Counts are printed for each table, also of one that was saved whole: what is missing can be
 * seen.
 */
static void lud_saved(const char *table, int64_t n_rows, bool whole, void *arg)
{
	printf("%-12s %6lld rows saved%s\n", table, (long long)n_rows,
	        whole ? "" : "; others could not be read");
}

/* Of a record that is not damaged: what was done with it all the same. */
static void lud_tell_whole(const char *path, int64_t version)
{
	if (version == store_schema_version()) {
		printf("%s is not damaged; nothing was done\n", path);
	} else {
		printf("%s is not damaged; it was of version %lld and has been brought up to "
		       "version %u, and nothing else was done\n",
		        path, (long long)version, store_schema_version());
	}
}

/* Makes a new record of what can be read of a damaged one. */
int lud_recover(struct lud *lud)
{
	_cleanup_(freep) char *path = NULL;
	struct db_recovered done = {.kept = NULL};
	_cleanup_(freep) char *kept = NULL;
	const char *dir;
	struct failure failure = {0};
	int r;

	umask(0077);
	r = lud_claim(lud, &failure);
	if (r < 0) {
		lud_say(&failure);
		return r == -EWOULDBLOCK ? LUD_EXIT_BUSY : LUD_EXIT_CONFIG;
	}
	path = text_format("%s/lud.db", lud->config.state_dir);
	if (store_recover(path, lud_saved, NULL, &done, &failure) < 0) {
		lud_say(&failure);
		return LUD_EXIT_RECORD;
	}
	kept = done.kept;
	if (!kept) {
		lud_tell_whole(path, done.version);
		return LUD_EXIT_OK;
	}
	dir = lud->config.state_dir;
	printf("The damaged file is kept as %s.\n"
	       "Start lud, and see `luctl machine list` and `luctl release list`. What is missing "
	       "there\ncomes back with `luctl machine start NAME --attach "
	       "%s/machines/NAME/port.sock`\nand `luctl release add %s/releases/*.kit`.\n",
	        kept, dir, dir);
	return LUD_EXIT_OK;
}
