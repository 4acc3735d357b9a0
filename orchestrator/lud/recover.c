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
static void lud_tell_whole(const char *path, int64_t version, int64_t n_taken)
{
	if (version != store_schema_version()) {
		printf("%s is not damaged; it was of version %lld and has been brought up to "
		       "version %u",
		        path, (long long)version, store_schema_version());
	} else {
		printf("%s is not damaged", path);
	}
	if (n_taken) {
		printf("; messages that nobody can read were taken out (%lld)", (long long)n_taken);
	}
	printf("%s\n", n_taken || version != store_schema_version() ? ", and nothing else was done"
	                                                            : "; nothing was done");
}

/* Makes a new record of what can be read of a damaged one. */
int lud_recover(struct lud *lud)
{
	_cleanup_(freep) char *path = NULL;
	struct db_recovered done = {.kept = NULL};
	_cleanup_(freep) char *kept = NULL;
	const char *dir;
	int64_t n_taken = 0;
	struct failure failure = {0};
	int r;

	umask(0077);
	r = lud_claim(lud, &failure);
	if (r < 0) {
		lud_say(&failure);
		return r == -EWOULDBLOCK ? LUD_EXIT_BUSY : LUD_EXIT_CONFIG;
	}
	path = text_format("%s/lud.db", lud->config.state_dir);
	r = store_recover(path, lud_saved, NULL, &done, &failure);
	kept = done.kept;
	if (r >= 0) {
		r = store_tidy(path, &n_taken, &failure);
	}
	if (r < 0) {
		lud_say(&failure);
		return LUD_EXIT_RECORD;
	}
	if (!kept) {
		lud_tell_whole(path, done.version, n_taken);
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
