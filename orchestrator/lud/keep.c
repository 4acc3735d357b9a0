/*
 * The record as a file: `--check-record`, `--backup`, `--restore`. The first two leave it alone and work
 * beside a lud that serves; that is how it does them itself, in a process of its own, so that its event loop
 * waits for no disk. The third needs the state directory for itself.
 *
 * What they find or make is written to stdout, a line each, for luctl as well as for people.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/text/hex.h"
#include "orchestrator/lud/priv.h"
#include "orchestrator/store/check.h"
#include "proto/envelope/envelope_crypto.h"

static char *keep_record(const struct lud *lud)
{
	return text_format("%s/lud.db", lud->config.state_dir);
}

/* Words of a damaged file come along: no line of them looks like another. */
static void keep_find(const char *what, const char *remedy, void *arg)
{
	size_t *n = arg;

	for (const char *at = what; *at; at++) {
		putchar((unsigned char)*at < ' ' ? ' ' : *at);
	}
	printf("; %s\n", remedy);
	++*n;
}

int lud_check_record(struct lud *lud)
{
	_cleanup_(freep) char *own = keep_record(lud);
	const char *path = *lud->options->record ? lud->options->record : own;
	struct failure failure = {0};
	size_t n = 0;

	if (store_check(path, keep_find, &n, &failure) < 0) {
		lud_say(&failure);
		return LUD_EXIT_RECORD;
	}
	return n ? LUD_EXIT_RECORD : LUD_EXIT_OK;
}

/* BLAKE2b-512 of a file, in hexadecimal digits. */
static int keep_digest(const char *path, char ret_text[129])
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint8_t digest[64];
	void *bytes;

	if (fd < 0 || fstat(fd, &status) < 0) {
		return err_raise(-errno);
	}
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED) {
		return err_raise(-errno);
	}
	envelope_hash(bytes, (size_t)status.st_size, digest);
	(void)munmap(bytes, (size_t)status.st_size);
	hex_write(digest, sizeof(digest), ret_text);
	return 0;
}

int lud_backup(struct lud *lud)
{
	_cleanup_(freep) char *own = keep_record(lud);
	struct failure failure = {0};
	char digest[129];
	int r;

	umask(0077);
	r = store_copy(own, lud->options->backup, &failure);
	if (!r) {
		failure_set(&failure, "backup", lud->options->backup, "try again",
		        "the copy cannot be read%s", "");
		r = keep_digest(lud->options->backup, digest);
	}
	if (r < 0) {
		lud_say(&failure);
		return LUD_EXIT_RECORD;
	}
	puts(digest);
	return LUD_EXIT_OK;
}

/* With the last of its log in it, where that can be; a damaged one is kept as it is. */
static void keep_settle(const char *path)
{
	struct failure failure = {0};
	struct db *db = NULL;

	if (access(path, F_OK) == 0 && store_open(path, &db, &failure) < 0) {
		err_forget();
	}
	db_close(db);
}

static int keep_restore(const char *from, const char *path, const char *kept, struct failure *ret)
{
	_cleanup_(freep) char *fresh = text_format("%s.restored", path);
	struct db *db = NULL;
	int r = db_remove(fresh);

	failure_set(ret, "state_dir", path, LUD_DISK_REMEDY,
	        "the record cannot be put in its place%s", "");
	if (!r) {
		r = store_copy(from, fresh, ret);
	}
	if (!r) {
		/* It is one that this lud can serve from, and of its schema from here on. */
		r = store_open(fresh, &db, ret);
		db_close(db);
	}
	if (!r) {
		keep_settle(path);
		failure_set(ret, "state_dir", path, LUD_DISK_REMEDY,
		        "the record cannot be put in its place%s", "");
		r = db_replace(path, fresh, kept);
	}
	if (r && db_remove(fresh)) {
		err_forget();
	}
	return err_up(r);
}

int lud_restore(struct lud *lud)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *kept = NULL;
	struct failure failure = {0};
	bool had;
	int r;

	umask(0077);
	r = lud_claim(lud, &failure);
	if (r < 0) {
		lud_say(&failure);
		return r == -EWOULDBLOCK ? LUD_EXIT_BUSY : LUD_EXIT_CONFIG;
	}
	path = keep_record(lud);
	kept = db_kept_name(path, "before");
	had = access(path, F_OK) == 0;
	if (keep_restore(lud->options->restore, path, kept, &failure) < 0) {
		lud_say(&failure);
		return LUD_EXIT_RECORD;
	}
	if (had) {
		printf("The record of before is kept as %s.\n", kept);
	}
	puts("Start lud: what the machines have done since the backup was made is told then, and "
	     "new numbers go\non above theirs.");
	return LUD_EXIT_OK;
}
